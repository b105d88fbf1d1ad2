"""What points died of, and which died of the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hpcshell.core.words import format_signal
from hpcshell.flow.results.failures import ErrorGroup, grouped
from hpcshell.flow.tracebacks import Frame, last_frame, last_line
from hpcshell.sweeps.files import ends
from hpcshell.sweeps.standing import BAD, Standing

END: Final = 1 << 16
"""Bytes at the end of what a point said that are looked at."""
SIGNALLED: Final = 128
"""A shell adds this to the number of the signal that ended a program."""


def errors(standings: Sequence[Standing]) -> tuple[ErrorGroup, ...]:
    """The points that ended badly, by what they died of, the most frequent first."""
    bad = [standing for standing in standings if standing.state in BAD]
    return grouped([(standing.id, frame(standing)) for standing in bad])


def frame(standing: Standing) -> Frame:
    """What a point that ended badly died of: what its state says, else the last error of a known
    form in what it said, else the last it said, else its exit code."""
    if standing.state != "FAILED":
        return Frame(kind=standing.state, lines=tuple(standing.reason.splitlines()))
    said = [_said(standing, name) for name in ("stderr", "stdout")]
    known = next((found for text in said if (found := last_frame(text))), None)
    if known is not None:
        return known
    how = _code(standing.exit_code)
    if how.kind:
        return how
    return next((found for text in said if (found := last_line(text))), how)


def _said(standing: Standing, name: str) -> str:
    piece = ends(f"{standing.directory}/{name}", 0, END) if standing.directory else None
    return piece.content.decode("utf-8", "replace") if piece else ""


def _code(code: int | None) -> Frame:
    """A signal is a kind of its own; another code says little."""
    if code is None:
        return Frame(message="no exit code")
    number = -code if code < 0 else code - SIGNALLED
    if 0 < number <= 64:
        return Frame(kind=f"killed by SIG{format_signal(number)}")
    return Frame(message=f"exit code {code}")
