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

from collections.abc import Callable
from math import inf
from typing import Any, Final

from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.lifecycle import Event, Kind, step
from hpcshell.core.records import Job, Outcome, Resources, State, Task
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.depend import ParentFacts
from hpcshell.policy.plan import Plan, held_to
from hpcshell.policy.regime import Regime
from hpcshell.policy.snapshot import elements_of
from hpcshell.sim.lengths import assumed_end
from hpcshell.sim.runs import Runs, index_set

CHANGING: Final = ("request", "partition", "qos")
"""Fields of a job that somebody may change so that it starts sooner."""


class Forward(Runs):
    """See the module."""

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

    def _next(self) -> float | None:
        times = (self.bouts.next(), self.view.next_wake())
        return min((time for time in times if time is not None), default=None)

    def _tick(self) -> None:
        """All that is due now; then decisions until none of them changes anything."""
        for run in self.bouts.over(self.now):
            self._run_over(run)
        self.view.advance(self.now)
        if self.view.queue.regime.timely and self.now >= self._ranked + self._age:
            self._ranked = self.now
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
            before = self.waits(number)
            self._drop(number, None if index is None else (index,), outcome)
            self.forgone[number] = self.forgone.get(number, 0) + before - self.waits(number)
        return bool(found)

    def _hold_hopeless(self, number: int, index: int | None) -> None:
        if index is None:
            self.amend(number, held="dependency")
        else:
            self.hold(number, IndexSet.of((index,)))

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
                self.bouts.leave(claim.run, self.now)
                self._tasks.pop((number, claim.index), None)
                self._over((number, claim.index), Outcome.CANCELLED)

    def amend(self, number: int, **fields: Any) -> None:
        """Fields of the submission change."""
        entry = self.view.entry(number)
        if entry is not None:
            self.jobs[number] = replace(self.jobs[number], **fields)
            self.view.put_job(self.jobs[number], entry.waiting)

    def change(self, job: Job) -> None:
        """The job is this one from now on; elements that ask for something of their own ask for
        the same."""
        own = [t for unit, t in self._tasks.items() if unit[0] == job.id and t.request is not None]
        self.amend(job.id, **{name: getattr(job, name) for name in CHANGING})
        for task in own:
            if task.state is State.PENDING:
                self._put(replace(task, request=job.request))

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
                self.bouts.end_at(claim.run, over)
            else:
                self.bouts.rest[claim.run] = over - at

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
            indices = index_set(held)
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

    def order(self, regime: Regime) -> None:
        """The line has the order of that regime from now on."""
        queue = self.view.queue
        own = queue.regime._replace(rank=regime.rank, timely=regime.timely, rows=regime.rows)
        queue.regime = own
        self.view.rerank()
        self.view.keep({})
