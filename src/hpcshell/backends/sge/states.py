"""Grid Engine's letters for a state, and its numbers for how a job failed."""

from __future__ import annotations

from functools import cache
from typing import Final

from hpcshell.backends.contract import UNKNOWN
from hpcshell.core.records import Record

_LETTERS: Final = frozenset("dEhrRtsSTwq")
_SUSPENDED: Final = frozenset("sST")
"""By a person, with its queue, or by a load threshold."""

NO_END: Final = frozenset({*range(1, 12), 24, 25, *range(26, 37), 38, 39})
"""`failed` of an attempt that did not end the job: it could not be started, was put back into the
queue, or stays there in the error state (the codes are those of sge_status(5))."""
_LIMIT: Final = 37
_SIGNALLED: Final = 100
_LOST: Final = 21
"""The node came back and knew nothing of the job."""


class Ending(Record, frozen=True, kw_only=True):
    """How an attempt ended: the state, and the exit code or the signal."""

    state: str
    exit_code: int | None = None
    signal: int | None = None


@cache
def live_state(word: str) -> str:
    """`r`, `hqw`, `Eqw`, `dr`, `Rt` ... as one of `contract.LIVE`. A letter never heard of makes
    the whole unknown."""
    letters = frozenset(word)
    if not letters or not letters <= _LETTERS:
        return UNKNOWN
    if "d" in letters:
        return "COMPLETING"
    if letters & _SUSPENDED:
        return "SUSPENDED"
    if letters & frozenset("rt"):
        return "RUNNING"
    return "PENDING" if "q" in letters else UNKNOWN


def ending(failed: int, status: int, *, deleted: bool, out_of_memory: bool) -> Ending:
    """What `failed` and `exit_status` of the accounting mean; `failed` is asked first, because with
    most of its numbers the status is 0. `deleted`: it says who deleted the job (UGE does);
    `out_of_memory`: it had used what it was allowed."""
    signal = status - 128 if status > 128 else None
    if failed in NO_END:
        return Ending(state=UNKNOWN)
    if deleted:
        return Ending(state="CANCELLED", signal=signal)
    if failed == 0:
        return Ending(state="FAILED" if status else "COMPLETED", exit_code=status)
    if failed == _LIMIT:
        return Ending(state="OUT_OF_MEMORY" if out_of_memory else "TIMEOUT", signal=signal)
    if failed == _SIGNALLED:
        return Ending(state="FAILED", signal=signal, exit_code=None if signal else status)
    if failed == _LOST:
        return Ending(state="NODE_FAIL")
    return Ending(state="FAILED", exit_code=status or None)
