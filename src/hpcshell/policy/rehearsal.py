"""A small view of what stands before one element in line, to try out what would become of it.

    stage = Stage.of(view, unit, most)      None: more than `most` lines are before it
    stage.start(policy, now)                as the view itself would give it
    stage.amend(job)                        and with another request

The view it was made from is not changed. What is behind the element in line is left out, unless it
is promised a start: no decision looks at it before it looks at the element.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import islice
from math import inf
from typing import Final

from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Claim, Job
from hpcshell.policy.bounds import Settled
from hpcshell.policy.gang import jobs_of
from hpcshell.policy.line import Entry, Key, Line
from hpcshell.policy.plan import Policy
from hpcshell.policy.regime import Foresight, Rank, Regime
from hpcshell.policy.rooms import empty
from hpcshell.policy.round import Round
from hpcshell.policy.view import Unit, View

Ends = Callable[[Claim], float | None]
"""When a run is taken to end; None: nobody knows."""
DEPTH: Final = 300
"""Elements that are looked at in all: more would take too long to be asked again and again."""
NOW: Final = -inf
"""As the end of a run: it is left out, as if it were over."""


class Stage:
    """See the module. `view` is its own, `unit` the element that is asked about, `whole` the view
    it was made from."""

    def __init__(self, whole: View, view: View, unit: Unit) -> None:
        self.whole = whole
        self.view = view
        self.unit = unit

    @classmethod
    def of(
        cls,
        view: View,
        unit: Unit,
        now: float,
        *,
        most: int,
        ends: Ends | None = None,
        foresight: Foresight | None = None,
    ) -> Stage | None:
        """With `ends` for what runs and `foresight` for what waits; as the view has it, if they are
        left out."""
        ahead = _ahead(view, unit, most)
        if ahead is None:
            return None
        small = View(empty(view.room), _regime(view, foresight))
        small.advance(now)
        small.closed = view.closed
        for reservation in view.book.known.values():
            small.reserve(reservation)
        small.book.plots.follow(view.book.plots)
        runs = _runs(view, ends or view.end_of)
        jobs = {claim.job for claim, _ in runs} | ahead
        for number in sorted(jobs & view.queue.jobs.keys()):
            _put(small, view.queue.jobs[number], number in ahead, most)
        for claim, end in runs:
            small.claim(claim)
            if end is not None and claim.suspended is None:
                small.leaving[claim.run] = end
        for run in view.waking & small.claims.keys():
            small.wake(run)
        small.keep({one: at for one, at in view.promised.items() if one[0] in ahead})
        return cls(view, small, unit)

    def amend(self, job: Job) -> bool:
        """The job of the element asks for something else; so does an element with its own
        request. Not if it would go after work that is not here: whether it was done."""
        entry = self.view.queue.jobs[job.id]
        own = [task for task, _ in entry.tasks.values() if task.request is not None]
        if self._rank(job) > self._rank(self.whole.queue.jobs[job.id].job):
            return False
        self.view.put_job(_ready(job), entry.waiting)
        for task in own:
            self.view.put_task(replace(task, request=job.request))
        return True

    def _rank(self, job: Job) -> float:
        regime = self.whole.queue.regime
        typical = regime.foresight.typical(job, job.request)
        rank = regime.rank(job, typical, self.whole.queue.gates.clock)
        return rank if regime.sharing is None else regime.sharing.rank(job, rank)

    def start(self, policy: Policy, now: float) -> float | None:
        """When the element starts: now, as promised, or as it would be promised if all were."""
        policy = replace(policy, depth=min(policy.depth, DEPTH))
        for kept in (policy, replace(policy, promises=None)):
            round_ = Round(self.view, kept, now, thorough=True, until=self.unit)
            plan = round_.decide()
            if any((start.job, start.index) == self.unit for start in plan.starts):
                return now
            if self.unit in plan.promises:
                return plan.promises[self.unit]
        return None


def _ahead(view: View, unit: Unit, most: int) -> set[int] | None:
    """The jobs with a line no later than that of the element, and those with a promise; None: too
    many."""
    line = view.queue.standing(*unit)
    found = {job for job, _ in view.promised}
    if line is None or line.place is None or len(found) > DEPTH:
        return None
    for key in islice(_lines_until(view, line), most + 1):
        found.update(jobs_of(key[3]))
        if key[3] is line:
            return found
    return None


def _lines_until(view: View, line: Line) -> Iterator[Key]:
    """The ready lines in order, as far as that one."""
    place = line.place
    turns = []
    for head in view.queue.turn.heads:
        if place is not None and head[0][:3] > place[:3]:
            break
        turns.append(head[1].turn)
    return heapq.merge(*turns)


def _regime(view: View, foresight: Foresight | None) -> Regime:
    """Who goes first stays as it is; limits count what counts now."""
    regime, jobs = view.queue.regime, view.queue.jobs

    def rank(job: Job, length: float | None, now: float) -> float:
        entry = jobs[job.id]
        if _alike(job, entry.job):
            return entry.rank
        typical = regime.foresight.typical(entry.job, entry.job.request)
        better = regime.rank(entry.job, typical, now) - regime.rank(job, length, now)
        return entry.rank - max(0.0, better)  # those of the others are of an earlier instant

    known: Rank = rank
    return regime._replace(
        rank=known,
        timely=False,
        rights=None,
        sharing=None,
        ledger=None,
        foresight=foresight or regime.foresight,
        bounds=None if view.bounds is None else Settled(view.bounds),
    )


def _alike(one: Job, other: Job) -> bool:
    """Whether both ask for the same at the same place."""
    same = one.partition == other.partition and one.qos == other.qos
    return same and one.request == other.request


def _runs(view: View, ends: Ends) -> list[tuple[Claim, float | None]]:
    runs = [(claim, ends(claim)) for claim in view.claims.values()]
    return [(claim, end) for claim, end in runs if end != NOW or claim.suspended is not None]


def _put(small: View, entry: Entry, ahead: bool, most: int) -> None:
    """The job as far as it is ready; of one that is not ahead only that it is there."""
    if not ahead or entry.late:
        waiting = IndexSet()
    elif entry.freed is None:
        waiting = entry.waiting
    else:
        waiting = IndexSet.of(islice(entry.freed, most))
    small.put_job(_ready(entry.job), waiting)
    for line in entry.all_lines() if ahead else ():  # the first met is met first
        for index in islice(line.again or (), most):
            small.put_task(entry.tasks[index][0])


def _ready(job: Job) -> Job:
    """The job without what keeps it out of the line."""
    return replace(job, dependencies=None, begin=0.0, deadline=None, held="")
