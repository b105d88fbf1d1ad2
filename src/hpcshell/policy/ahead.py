"""The queue played forward, as far as it tells when something starts.

What a decision sees at one instant does not tell when work starts that others may still pass:
throttles and limits let more in as runs end, ranks change, dependencies come about, slices are
over. Then the queue has to be played forward. Who asks hands in somebody who can (`sim.ahead`).
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from msgspec.structs import replace

from hpcshell.core.records import Job
from hpcshell.policy.codes import LIMIT_REASONS
from hpcshell.policy.explanation import Bound, Explanation
from hpcshell.policy.view import Unit

AT_WORST: Final = "if all that runs or goes before it takes its whole time limit"
PLAYED: Final = "estimated: the queue was played forward, all runs taking their time limits"
EXPECTED: Final = "estimated: the queue was played forward, all runs taking as long as is expected"
_AT_BEST: Final = "if what keeps it were to end at once"


class Played(NamedTuple):
    """When something starts, or goes on; None: it does not. `cut`: why nobody knows; `of`: as many
    of the first in line were played, where that is not all that waits."""

    start: float | None
    cut: str = ""
    of: int = 0


class Ahead(Protocol):
    """A queue that is played forward as far as is asked for, to the time limits of all runs or,
    `expected`, as long as they are expected to take."""

    def starts(self, unit: Unit, *, expected: bool = False) -> Played:
        """When the element starts; of one that is suspended, when it goes on."""

    def starts_as(self, job: Job, unit: Unit) -> Played:
        """The same if its job were this one."""


def played(told: Explanation, ahead: Ahead, unit: Unit, now: float, certain: bool) -> Explanation:
    """What was told of an element that nothing is promised, with when it starts. `certain`: runs
    are expected to take their time limits."""
    one = ahead.starts(unit, expected=not certain)
    if one.cut:
        why = f"{told.why}; it was not played forward: {one.cut}" if told.why else told.why
        return replace(told, why=why)
    if one.start is None:
        why = told.why if told.start is None else NOT_FORESEEN
        return replace(told, start=None, latest=None, why=why)
    worst = one.start if certain else ahead.starts(unit).start
    ends = [one.start] if worst is None else [one.start, worst]
    earliest = told.earliest
    if earliest is None and _kept(told):
        earliest = Bound(start=now, why=_AT_BEST)
    elif earliest is not None and earliest.start > min(ends):
        earliest = replace(earliest, start=min(ends))
    return replace(
        told,
        start=one.start,
        why=(PLAYED if certain else EXPECTED) + _only(one),
        earliest=earliest,
        latest=None if worst is None else Bound(start=max(ends), why=AT_WORST),
    )


NOT_FORESEEN: Final = "as things stand it does not start: the queue was played forward"


def reached(told: Explanation, ahead: Ahead, unit: Unit) -> Explanation:
    """What was told of an element that is promised a start. If all runs take their time limits, it
    may start before that: others may be passed by, or leave it a better place."""
    start, earliest = ahead.starts(unit).start, told.earliest
    if start is None or earliest is None or earliest.start <= start:
        return told
    return replace(told, earliest=replace(earliest, start=start))


def _only(one: Played) -> str:
    return f", but only the first {one.of:,} jobs in line" if one.of else ""


def _kept(told: Explanation) -> bool:
    """Whether others of its own keep it, by a limit for all of them."""
    return told.reason.code in LIMIT_REASONS or told.reason.code == "ArrayTaskLimit"
