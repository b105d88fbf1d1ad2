"""A live queue played forward through the very view and decisions of the daemon.

    forward = Forward(snapshot, lengths)
    forward.play(until)         as if nothing but what waits and runs now came along
    forward.cancel(17)          something is done to it at the instant it has come to
    forward.play()              and on, to the end
    forward.starts, forward.spans

Every run is taken to complete after the seconds that `lengths` says, never later than it may. What
can never start ends, as in the daemon.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.lifecycle import Event, Kind, step
from hpcshell.core.records import Claim, Job, Outcome, Resources, State, Task
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.depend import ParentFacts
from hpcshell.policy.plan import Plan, Preempt, Start, held_to
from hpcshell.policy.profile import LATE
from hpcshell.policy.regime import Rank, Regime
from hpcshell.policy.retry import End, after_end
from hpcshell.policy.snapshot import Snapshot, elements_of, view_of, waiting_of
from hpcshell.policy.view import Unit, View
from hpcshell.predict.runtimes import PREDICTORS, Features

Lengths = Callable[[Job, int, float | None], float]
"""(job, cpus, its time limit or None) -> the seconds that a run of it is taken to take."""
UNLIMITED: Final = 3600.0
"""Seconds for which what has no time limit is taken to run, unless something else is said."""


class Span(NamedTuple):
    """A run held so many cpus from `start` to `end`."""

    start: float
    end: float
    cpus: int


def part_of_limit(part: float = 1.0, unlimited: float = UNLIMITED) -> Lengths:
    """Every run takes this part of its time limit; one without a limit `unlimited` seconds."""

    def length(job: Job, cpus: int, limit: float | None) -> float:
        return unlimited if limit is None else limit * part

    return length


def as_before(rows: Iterable[Mapping[str, Any]], unlimited: float = UNLIMITED) -> Lengths:
    """Every run takes as long as those of the same user, limit and cpus that have ended did, by the
    median; else as long as its limit. `rows`: documents of what has ended."""
    predictor = PREDICTORS["median"].make()
    for row in sorted(rows, key=lambda row: row["end_time"] or 0.0):
        if row["start_time"] is not None and row["end_time"] is not None:
            asked = inf if row["time_limit"] is None else row["time_limit"]
            features = Features(row["user"], asked, row["cpus"], row["submit_time"])
            predictor.ended(features, max(0.0, row["end_time"] - row["start_time"]))

    def length(job: Job, cpus: int, limit: float | None) -> float:
        asked = inf if limit is None else limit
        found = predictor.predict(Features(job.user, asked, cpus, job.submit_time))
        return found if found < inf else unlimited

    return length


def assumed_end(claim: Claim, length: float, now: float) -> float:
    """When a run that was found running is over, if it takes `length` seconds.

    One that has taken longer already is given as long again as it has run, and none goes on after
    the latest instant at which it may.
    """
    end = claim.start + claim.paused + length
    if end <= now:
        end = now + max(LATE, now - claim.start - claim.paused)
    if claim.end is not None:
        end = min(end, claim.end) if claim.end > now else now + LATE
    return end


class Forward:
    """See the module. `starts`: when what waits starts for the first time from now on; `ends`: when
    each job is over; `ended`: why elements ended that could never start; `cancelled`: the jobs of
    which somebody cancelled anything; `cut`: more would have happened after the instant to which it
    was played, `stopped`: before it; `sizes`: what the machine has, since when."""

    def __init__(self, snapshot: Snapshot, lengths: Lengths, regime: Regime | None = None) -> None:
        self.view: View = view_of(snapshot, regime)
        self.policy = snapshot.policy
        self.began_at = self.now = snapshot.now
        self.lengths = lengths
        self.jobs: dict[int, Job] = {one.job.id: one.job for one in snapshot.jobs}
        self.starts: dict[Unit, float] = {}
        self.ends: dict[int, float] = {}
        self.ended: dict[int, str] = {}
        self.cancelled: set[int] = set()
        self.spans: list[Span] = []
        self.sizes: list[tuple[float, Resources]] = [(self.now, snapshot.total)]
        self.cut = self.stopped = False
        self._tasks: dict[Unit, Task] = {}
        self._left: dict[int, int] = {}
        self._since: dict[int, float] = {}
        self._due: dict[int, float] = {}
        self._rest: dict[int, float] = {}
        """Of each suspended run, the seconds it takes once it goes on."""
        self._agenda: list[tuple[float, int]] = []
        self._last_run = max((claim.run for claim in snapshot.runs), default=0)
        self._take_over(snapshot)

    def _take_over(self, snapshot: Snapshot) -> None:
        for one in snapshot.jobs:
            self._left[one.job.id] = len(waiting_of(one))
            for task in one.tasks:
                self._tasks[one.job.id, task.index] = task
                self._left[one.job.id] += task.state is State.PENDING
        for claim in snapshot.runs:
            if claim.job in self._left:
                self._left[claim.job] += 1
                self._found_running(claim)
            else:
                self.view.release(claim.run)

    def _found_running(self, claim: Claim) -> None:
        task = self._tasks.get((claim.job, claim.index))
        at = self.now if claim.suspended is None else claim.suspended
        if task is not None and task.state is State.STOPPING:
            end = self.view.leaving.get(claim.run, self.now + self.jobs[claim.job].grace)
        else:
            end = assumed_end(claim, self._length(claim), at)
        if claim.suspended is not None:
            self._rest[claim.run] = end - at
            return
        self._since[claim.run] = self.now
        self._end_at(claim.run, max(end, self.now))

    def _length(self, claim: Claim) -> float:
        limit = None if claim.end is None else claim.end - claim.start - claim.paused
        return max(0.0, self.lengths(self.jobs[claim.job], claim.cpus, limit))

    # -- time ------------------------------------------------------------------------------------

    def play(self, until: float = inf, enough: Callable[[], bool] = lambda: False) -> Forward:
        """All that happens until then; `enough` asks after each instant whether to stop there."""
        self._tick()
        while (time := self._next()) is not None and time <= until:
            if enough():
                self.cut = self.stopped = True
                return self
            self.now = max(self.now, time)
            self._tick()
        if until < inf:
            self.now = max(self.now, until)
        self.cut = self._next() is not None
        return self

    @property
    def waiting(self) -> bool:
        """Whether anything is still to start, or to end."""
        return self._next() is not None

    def _next(self) -> float | None:
        while self._agenda and self._due.get(self._agenda[0][1]) != self._agenda[0][0]:
            heapq.heappop(self._agenda)
        wake = self.view.next_wake()
        if not self._agenda:
            return wake
        return self._agenda[0][0] if wake is None else min(wake, self._agenda[0][0])

    def _tick(self) -> None:
        """All that is due now; then decisions until none of them changes anything."""
        while self._agenda and self._agenda[0][0] <= self.now:
            time, run = heapq.heappop(self._agenda)
            if self._due.get(run) == time:
                self._run_over(run)
        self.view.advance(self.now)
        if self.view.queue.regime.timely:
            self.view.rerank()
        while True:
            while self._end_hopeless():
                pass
            plan = decide(self.view, self.policy, self.now)
            self.view.keep(plan.promises)
            if not self._carry_out(plan):
                return

    def _carry_out(self, plan: Plan) -> bool:
        for run in plan.resumes:
            self._go_on(run)
        for start in plan.starts:
            self._start(start)
        for one in plan.preempts:
            self._make_room(one)
        return bool(plan.starts or plan.resumes or plan.preempts)

    def open_spans(self) -> list[Span]:
        """What the runs that are not over have held until now."""
        claims = self.view.claims
        return [Span(since, self.now, claims[run].cpus) for run, since in self._since.items()]

    # -- runs ------------------------------------------------------------------------------------

    def _start(self, start: Start) -> None:
        self._last_run += 1
        unit, job = (start.job, start.index), self.jobs[start.job]
        claim = held_to(job, start.claim(self._last_run, self.now))
        self.view.claim(claim)
        self.starts.setdefault(unit, self.now)
        self._since[claim.run] = self.now
        if (task := self._tasks.get(unit)) is not None:
            event = Event(kind=Kind.START, time=self.now, run=claim.run)
            self._tasks[unit] = step(task, event)
        end = self.now + self._length(claim)
        self._end_at(claim.run, end if claim.end is None else min(end, claim.end))

    def _end_at(self, run: int, end: float) -> None:
        self._due[run] = end
        heapq.heappush(self._agenda, (end, run))

    def _leave(self, run: int) -> Claim:
        """The run holds nothing any more."""
        claim = self.view.claims[run]
        self._stop_counting(claim)
        self._due.pop(run, None)
        self._rest.pop(run, None)
        self.view.release(run)
        return claim

    def _stop_counting(self, claim: Claim) -> None:
        since = self._since.pop(claim.run, None)
        if since is not None:
            self.spans.append(Span(since, self.now, claim.cpus))

    def _run_over(self, run: int) -> None:
        claim = self._leave(run)
        unit = (claim.job, claim.index)
        task = self._tasks.pop(unit, None)
        if task is not None and task.state is State.STOPPING:
            end = End(time=self.now, signal=15, stopped_by=task.stopping)
            event = after_end(self.jobs[claim.job], task, end, total=self.view.total)
            self._put(step(task, event))
        else:
            length = self.now - claim.start - claim.paused
            job = self.jobs[claim.job]
            self.view.queue.regime.foresight.ended(job, job.request, length)
            self._over(unit, Outcome.COMPLETED)

    def _put(self, task: Task) -> None:
        """The element is as this says from now on."""
        if task.state is State.PENDING:
            self._tasks[task.job, task.index] = task
            self.view.put_task(task)
        else:
            self._tasks.pop((task.job, task.index), None)
            self._over((task.job, task.index), task.outcome or Outcome.CANCELLED)

    def _over(self, unit: Unit, outcome: Outcome) -> None:
        self.view.task_ended(*unit, outcome, self.now)
        self._fewer(unit[0], 1)

    def _fewer(self, job: int, count: int) -> None:
        self._left[job] -= count
        if self._left[job] <= 0:
            del self._left[job]
            self.ends[job] = self.now
            self.view.job_finished(job)

    def _go_on(self, run: int) -> None:
        claim = self.view.resume(run, self.now)
        self.view.change(held_to(self.jobs[claim.job], claim))
        self._since[run] = self.now
        self._end_at(run, self.now + self._rest.pop(run))

    def _make_room(self, one: Preempt) -> None:
        """A run is preempted: it stands still, goes back into the queue, or ends."""
        claim = self.view.claims.get(one.run)
        if claim is None or claim.suspended is not None:
            return
        if one.mode == "suspend":
            self._stop_counting(claim)
            self._rest[one.run] = self._due.pop(one.run) - self.now
            self.view.suspend(one.run, self.now)
            self.view.wake(one.run)
            return
        self._leave(one.run)
        unit = (claim.job, claim.index)
        task = self._tasks.get(unit) or Task(job=claim.job, index=claim.index, attempt=1)
        if one.mode == "requeue":
            again = {"state": State.PENDING, "stopping": "", "preempted": task.preempted + 1}
            self._put(replace(task, **again))
        else:
            self._tasks.pop(unit, None)
            self._over(unit, Outcome.PREEMPTED)

    # -- what can never start --------------------------------------------------------------------

    def _end_hopeless(self) -> bool:
        found = self.view.impossible(self.now)
        for number, index, outcome, sentence in found:
            if number not in self._left:
                continue
            terms = self.jobs[number].dependencies
            if terms is not None and terms.on_never == "hold" and outcome is Outcome.CANCELLED:
                self._hold_hopeless(number, index)
                continue
            self.ended.setdefault(number, sentence)
            self._drop(number, None if index is None else (index,), outcome)
        return bool(found)

    def _hold_hopeless(self, number: int, index: int | None) -> None:
        if index is None:
            self.amend(number, held="dependency")
        else:
            self.hold(number, IndexSet.of((index,)))

    def _drop(self, number: int, indices: tuple[int, ...] | None, outcome: Outcome) -> None:
        """What waits of the job (of these of its elements) ends."""
        entry = self.view.entry(number)
        if entry is None:
            return
        for index in [i for i in entry.tasks if indices is None or i in indices]:
            self._tasks.pop((number, index), None)
            self._over((number, index), outcome)
        gone = entry.waiting if indices is None else entry.waiting.within(_set(indices))
        if gone and number in self._left:
            self.view.elements_dropped(number, gone, outcome, self.now)
            self._fewer(number, len(gone))

    # -- what somebody does ----------------------------------------------------------------------

    def submit(self, job: Job) -> None:
        """A new job comes in now. Its id must be above all others."""
        for parent in self.view.needs(job):
            if (facts := self._facts(parent)) is not None:
                self.view.know(parent, facts)
        self.jobs[job.id] = job
        elements = elements_of(job)
        self._left[job.id] = len(elements)
        self.view.put_job(job, elements)

    def _facts(self, number: int) -> ParentFacts | None:
        """What is known of a live job: what has ended of it is taken to have completed."""
        entry = self.view.entry(number)
        if entry is None:
            return None
        begun = [task for task, _ in entry.tasks.values() if task.attempt]
        facts = ParentFacts.of_live(entry.size(), begun)
        runs = {
            claim.index: claim.start for claim in self.view.claims.values() if claim.job == number
        }
        for index, start in runs.items():
            facts.note_begin(index, start, first=True)
        here = {*runs, *entry.tasks}
        for index in elements_of(entry.job):
            if index not in here and index not in entry.waiting:
                facts.note_end(index, Outcome.COMPLETED, self.now, begun=False)
        return facts

    def cancel(self, number: int, indices: IndexSet | None = None) -> None:
        """The job, or these of its elements, end at once, whether they run or wait."""
        if number not in self._left:
            return
        self.cancelled.add(number)
        self._drop(number, None if indices is None else tuple(indices), Outcome.CANCELLED)
        runs = [claim for claim in self.view.claims.values() if claim.job == number]
        for claim in runs:
            if indices is None or claim.index in indices:
                self._leave(claim.run)
                self._tasks.pop((number, claim.index), None)
                self._over((number, claim.index), Outcome.CANCELLED)

    def amend(self, number: int, **fields: Any) -> None:
        """Fields of the submission change."""
        entry = self.view.entry(number)
        if entry is not None:
            self.jobs[number] = replace(self.jobs[number], **fields)
            self.view.put_job(self.jobs[number], entry.waiting)

    def limit(self, number: int, limit: float | None) -> None:
        """The job has another time limit, and so have its runs."""
        if (job := self.jobs.get(number)) is None or number not in self._left:
            return
        self.amend(number, request=replace(job.request, time_limit=limit))
        for task in [task for unit, task in self._tasks.items() if unit[0] == number]:
            if task.request is not None and task.state is State.PENDING:
                self._put(replace(task, request=replace(task.request, time_limit=limit)))
        for claim in [claim for claim in self.view.claims.values() if claim.job == number]:
            end = None if limit is None else claim.start + limit + claim.paused
            claim = held_to(self.jobs[number], replace(claim, end=end))
            self.view.change(claim)
            at = self.now if claim.suspended is None else claim.suspended
            over = assumed_end(claim, self._length(claim), at)
            if claim.suspended is None:
                self._end_at(claim.run, over)
            else:
                self._rest[claim.run] = over - at

    def hold(self, number: int, indices: IndexSet | None = None) -> None:
        """What waits of the job (of these elements) is kept from starting."""
        if indices is None:
            self.amend(number, held="user")
            return
        self._each(number, indices, Kind.HOLD)

    def release(self, number: int, indices: IndexSet | None = None) -> None:
        """What is held of the job may start."""
        if indices is None:
            self.amend(number, held="")
            entry = self.view.entry(number)
            held = [] if entry is None else [i for i, (task, _) in entry.tasks.items() if task.held]
            indices = _set(held)
        self._each(number, indices, Kind.RELEASE)

    def _each(self, number: int, indices: IndexSet, kind: Kind) -> None:
        entry = self.view.entry(number)
        for index in indices if entry is not None else ():
            task = self._tasks.get((number, index))
            if task is None and entry is not None and index in entry.waiting:
                task = Task(job=number, index=index)
            if task is not None and task.state is State.PENDING:
                self._put(step(task, Event(kind=kind, time=self.now)))

    def resize(self, total: Resources) -> None:
        """The machine has so much from now on; what runs, runs on."""
        self.view.set_total(total)
        self.sizes.append((self.now, total))

    def rule(self, policy: Policy) -> None:
        """Another policy decides from now on; its promises begin anew."""
        self.policy = policy
        self.view.keep({})

    def order(self, rank: Rank, *, timely: bool) -> None:
        """The line has another order from now on."""
        queue = self.view.queue
        queue.regime = queue.regime._replace(rank=rank, timely=timely)
        self.view.rerank()
        self.view.keep({})


def _set(indices: list[int] | tuple[int, ...]) -> IndexSet:
    """A set of indices, of which -1, that of a plain job, may be one."""
    if any(index < 0 for index in indices):
        return IndexSet((range(-1, 0),))
    return IndexSet.of(indices)
