"""Exit codes, as a job's own script and who loses a part of them tell them."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from hpcshell.core.sightings import Sighting

_BY_SIGNAL: Final = range(129, 128 + 64 + 1)


def by_signal(one: Sighting) -> Sighting:
    """How it ended as on this machine. The shell that runs a job script ends with 128 and the
    signal that killed the job; that it is told from an exit with that code is more than a shell
    can do."""
    code = one.exit_code
    if code is None or code not in _BY_SIGNAL:
        return one
    return replace(one, exit_code=None, signal=code - 128)


def code_of(one: Sighting) -> int | None:
    """The code with which its script ended."""
    return one.exit_code if one.signal is None else 128 + one.signal


def is_doubtful(one: Sighting, codes: int = 256) -> bool:
    """Whether who tells so many exit codes apart has told none, or may mean another than it says:
    72 for 200."""
    if one.state != "FAILED" or one.signal is not None:
        return False
    return one.exit_code is None or one.exit_code < 256 - codes


def settled(one: Sighting, exact: int | None, codes: int) -> Sighting | None:
    """The same with the exact code, if that can be the one that was told. None: it cannot."""
    if not exact or one.exit_code not in (None, exact % codes):
        return None
    return by_signal(replace(one, exit_code=exact))
