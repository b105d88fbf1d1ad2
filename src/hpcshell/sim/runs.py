"""The elements of a queue as they start, run and end, each told to the view."""

from __future__ import annotations

from math import inf

from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.lifecycle import Event, Kind, step
from hpcshell.core.records import Claim, Job, Outcome, Resources, State, Task
from hpcshell.policy.plan import Preempt, Start, held_to
from hpcshell.policy.regime import Regime
from hpcshell.policy.retry import End, after_end
from hpcshell.policy.snapshot import Snapshot, view_of, waiting_of
from hpcshell.policy.view import PLAIN, Unit, View
from hpcshell.sim.bouts import Bouts, Span
from hpcshell.sim.fates import Fate
from hpcshell.sim.lengths import Lengths, assumed_end


class Runs:
    """What `Forward` plays. `starts`: when what waits starts for the first time from now on;
    `running`: the elements that were found to run; `fates`: what becomes of runs that make room,
    the first time; `resumed`: when what was found suspended goes on (`stood`: the jobs of which
    anything was, `still`: the runs that have not gone on so far); `ends`: when each job is over;
    `ended`: why elements ended that could never start, `forgone`: how many of each job;
    `cancelled`: the jobs of which somebody cancelled anything; `bouts`: the runs; `sizes`: what the
    machine has, since when. `cut`: more would have happened after the instant to which it was
    played, `stopped`: before it."""

    def __init__(self, snapshot: Snapshot, lengths: Lengths, regime: Regime | None = None) -> None:
        self.view: View = view_of(snapshot, regime)
        self.policy = snapshot.policy
        self.began_at = self.now = snapshot.now
        self.lengths = lengths
        self.jobs: dict[int, Job] = {one.job.id: one.job for one in snapshot.jobs}
        self.starts: dict[Unit, float] = {}
        self.running: set[Unit] = set()
        self.fates: dict[Unit, Fate] = {}
        self.resumed: dict[Unit, float] = {}
        suspended = [claim for claim in snapshot.runs if claim.suspended is not None]
        self.stood, self.still = {one.job for one in suspended}, {one.run for one in suspended}
        self.ends: dict[int, float] = {}
        self.ended: dict[int, str] = {}
        self.forgone: dict[int, int] = {}
        self.cancelled: set[int] = set()
        self.bouts = Bouts(self.view)
        self.sizes: list[tuple[float, Resources]] = [(self.now, snapshot.total)]
        self.cut = self.stopped = False
        self._tasks: dict[Unit, Task] = {}
        self._left: dict[int, int] = {}
        self._age = 0.0 if snapshot.settings is None else snapshot.settings.scheduler.rerank
        self._ranked = -inf
        """When ranks that change with time were asked for last; they may be `_age` seconds old."""
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
            if claim.suspended is None:
                self.running.add((claim.job, claim.index))
        if claim.suspended is not None:
            self.bouts.rest[claim.run] = end - at
        else:
            self.bouts.found(claim, self.now, max(end, self.now))

    def _length(self, claim: Claim) -> float:
        limit = None if claim.end is None else claim.end - claim.start - claim.paused
        return max(0.0, self.lengths(self.jobs[claim.job], claim.cpus, limit))

    @property
    def spans(self) -> list[Span]:
        """What runs have held until now."""
        going = (span._replace(end=self.now) for span in self.bouts.open.values())
        return [*self.bouts.spans, *going]

    def _start(self, start: Start) -> None:
        self._last_run += 1
        unit, job = (start.job, start.index), self.jobs[start.job]
        claim = held_to(job, start.claim(self._last_run, self.now))
        end = self.now + self._length(claim)
        self.bouts.begin(claim, end if claim.end is None else min(end, claim.end))
        self.starts.setdefault(unit, self.now)
        self._runs_again(unit)
        if (task := self._tasks.get(unit)) is not None:
            event = Event(kind=Kind.START, time=self.now, run=claim.run)
            self._tasks[unit] = step(task, event)

    def _run_over(self, run: int) -> None:
        claim = self.bouts.leave(run, self.now)
        assert claim is not None, "what is over has begun"
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

    def waits(self, number: int) -> int:
        """How many elements of the job wait that were not found to run."""
        entry = self.view.entry(number)
        if entry is None:
            return 0
        return len(entry.waiting) + sum((number, i) not in self.running for i in entry.tasks)

    def _fewer(self, job: int, count: int) -> None:
        self._left[job] -= count
        if self._left[job] <= 0:
            del self._left[job]
            self.ends[job] = self.now
            self.view.job_finished(job)

    def _go_on(self, run: int) -> None:
        claim = self.bouts.go_on(run, self.now)
        self._runs_again((claim.job, claim.index))
        if run in self.still:
            self.still.discard(run)
            self.resumed[claim.job, claim.index] = self.now
        self.view.change(held_to(self.jobs[claim.job], claim))

    def _runs_again(self, unit: Unit) -> None:
        fate = self.fates.get(unit)
        if fate is not None and fate.again is None:
            self.fates[unit] = fate._replace(again=self.now)

    def _make_room(self, one: Preempt) -> None:
        """A run is preempted: it stands still, goes back into the queue, or ends."""
        held = self.view.claims.get(one.run)
        if held is not None and held.suspended is None:
            self.fates.setdefault((held.job, held.index), Fate(one.mode, self.now))
        claim = self.bouts.make_room(one, self.now)
        if claim is None:
            return
        unit = (claim.job, claim.index)
        task = self._tasks.get(unit) or Task(job=claim.job, index=claim.index, attempt=1)
        if one.mode == "requeue":
            again = {"state": State.PENDING, "stopping": "", "preempted": task.preempted + 1}
            self._put(replace(task, **again))
        else:
            self._tasks.pop(unit, None)
            self._over(unit, Outcome.PREEMPTED)

    def _drop(self, number: int, indices: tuple[int, ...] | None, outcome: Outcome) -> None:
        """What waits of the job (of these of its elements) ends."""
        entry = self.view.entry(number)
        if entry is None:
            return
        for index in [i for i in entry.tasks if indices is None or i in indices]:
            self._tasks.pop((number, index), None)
            self._over((number, index), outcome)
        gone = entry.waiting if indices is None else entry.waiting.within(index_set(indices))
        if gone and number in self._left:
            self.view.elements_dropped(number, gone, outcome, self.now)
            self._fewer(number, len(gone))


def index_set(indices: list[int] | tuple[int, ...]) -> IndexSet:
    """A set of indices, of which -1, that of a plain job, may be one."""
    return PLAIN if any(index < 0 for index in indices) else IndexSet.of(indices)
