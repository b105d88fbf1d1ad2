"""The exit codes, the one table of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
REFUSED: Final = 4
UNREACHABLE: Final = 5
TIMED_OUT: Final = 6
CANCELLED: Final = 7
SOME_FAILED: Final = 8
TRY_LATER: Final = 75
INTERRUPTED: Final = 130

EXITS: Final[dict[int, str]] = {
    OK: "all went well",
    FAILED: "a job failed, or the command itself did",
    USAGE: "the command was not understood, or asks for what can never be",
    NOT_FOUND: "a job, an element or a file that was named is not there",
    REFUSED: "understood and not allowed: another user's job, a state that does not permit it",
    UNREACHABLE: "the daemon, or a cluster, does not answer",
    TIMED_OUT: "a wait ended before what it waited for",
    CANCELLED: "the job was cancelled",
    SOME_FAILED: "some of many failed",
    TRY_LATER: "not possible now; the same command may succeed later",
    INTERRUPTED: "interrupted by Ctrl-C (128 and the number of the signal)",
}
"""Every code and its meaning. `hpc run` and `hpc wait --propagate` pass the job's own code on."""


def of_process(exit_code: int | None, signal: int | None) -> int:
    """The code of a process as a shell would report it: 128 and the signal that killed it."""
    if signal:
        return 128 + signal
    return FAILED if exit_code is None else exit_code


def of_end(end: dict[str, Any], *, propagate: bool = False) -> int:
    """The code for how one job or element ended (`state`, `exit_code`, `signal`)."""
    state = end["state"]
    if state == "COMPLETED":
        return OK
    code = CANCELLED if state == "CANCELLED" else FAILED
    if propagate and (end.get("exit_code") is not None or end.get("signal")):
        return of_process(end.get("exit_code"), end.get("signal")) or code
    return code


def of_ends(ends: Iterable[dict[str, Any]], *, propagate: bool = False) -> int:
    """The code for how several ended. An array's `counts` say how its elements did.

    All failed: 1; some: 8; none, but some were cancelled: 7. With `propagate` the highest code.
    """
    codes: list[int] = []
    mixed = False
    for end in ends:
        codes.append(of_end(end, propagate=propagate))
        counts = end.get("counts") or {}
        mixed = mixed or (len(counts) > 1 and "COMPLETED" in counts)
    if not any(codes):
        return OK
    if propagate:
        return max(codes)
    if FAILED not in codes:
        return CANCELLED if not mixed or len(codes) == 1 else SOME_FAILED
    return SOME_FAILED if mixed or set(codes) != {FAILED} else FAILED
