"""What points died of, and which died of the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from hpcshell.core.words import format_signal
from hpcshell.flow.results.failures import ErrorGroup, grouped
from hpcshell.flow.results.reading import printed
from hpcshell.flow.tracebacks import Frame, last_frame, last_line
from hpcshell.sweeps.files import ends
from hpcshell.sweeps.standing import BAD, Standing

END: Final = 1 << 16
"""Bytes at the end of what a point said that are looked at."""
SIGNALLED: Final = 128
"""A shell adds this to the number of the signal that ended a program."""
OWN: Final = {
    74: "how it ran could not be written into its folder: the disk is full, or not writable",
    75: "another job runs this point already",
}
"""What ends a point with these codes where its program did not."""


def errors(standings: Sequence[Standing]) -> tuple[ErrorGroup, ...]:
    """The points that ended badly, by what they died of, the most frequent first."""
    bad = [standing for standing in standings if standing.state in BAD]
    return grouped([(standing.id, frame(standing)) for standing in bad])


def frame(standing: Standing) -> Frame:
    """What a point that ended badly died of: what its state says, else the last error of a known
    form in what it said, else the last it said, else its exit code."""
    if standing.state != "FAILED":
        return Frame(kind=standing.state, lines=tuple(standing.reason.splitlines()))
    if own := _own(standing):
        return own
    said = [_said(standing, name) for name in ("stderr", "stdout")]
    known = next((found for text in said if (found := last_frame(text))), None)
    if known is not None:
        return known
    how = _code(standing.exit_code)
    if how.kind:
        return how
    found = next((found for text in said if (found := last_line(text))), how)
    if printed(found.lines[-1].encode() if found.lines else b""):
        return replace(how, lines=found.lines)  # a metric is no error
    return found


def _own(standing: Standing) -> Frame | None:
    """That it was not the program that ended the point: no end of it is on record."""
    why = OWN.get(standing.exit_code or 0)
    if why is None or f"end {standing.exit_code} " in _said(standing, "run"):
        return None
    return Frame(kind=f"exit code {standing.exit_code}", message=why)


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
