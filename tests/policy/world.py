"""A pure world for tests: time, work that takes as long as it is told to, and the scheduler
deciding.

Everything goes through the same calls as in the daemon: `step`, `after_end`, the view, `decide`.
After every decision the laws that need no context are checked: nothing is over-allocated, GPUs are
held once, who asked to be alone is alone, throttles hold, dependencies are true, and nothing
starts that is held, too early, or unable to end by its deadline.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.lifecycle import Event, Kind, step
from hpcshell.core.records import (
    NO_INDEX,
    Claim,
    Job,
    Outcome,
    Resources,
    State,
    Task,
)
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.host import Host
from hpcshell.policy.regime import Regime
from hpcshell.policy.retry import End, after_end
from hpcshell.policy.room import Room
from hpcshell.policy.view import ParentFacts, Unit, View
from tests.policy.made import elements_of
from tests.policy.pauses import end_later, resume
from tests.policy.truth import check, check_start
from tests.policy.yields import Yielded, make_room


class Act(NamedTuple):
    """How one attempt of an element goes, left alone. `overstays`: how long it lives on after its
    limit, if it gets as far."""

    runs: float = 1.0
    exit_code: int = 0
    overstays: float = 0.0


Script = Callable[[int, int], Act]
"""(index, attempt from 1) -> how it goes."""


def same(act: Act) -> Script:
    """Every attempt of every element goes like this."""
    return lambda _index, _attempt: act


class World:
    """See the module. `starts` tells when each element first started."""

    def __init__(
        self,
        total: Resources | Room,
        policy: Policy | None = None,
        regime: Regime | None = None,
        host: Host | None = None,
    ) -> None:
        self.regime = regime or Regime()
        self.view = View(total, self.regime, host)
        self.policy = policy or Policy()
        self.now = 0.0
        self.jobs: dict[int, Job] = {}
        self.scripts: dict[int, Script] = {}
        self.tasks: dict[Unit, Task] = {}
        self.left: dict[int, int] = {}
        self.runs: dict[int, Claim] = {}
        self.ends: dict[int, End] = {}
        """How each run is to end, and when if it is not suspended any more."""
        self.starts: dict[Unit, float] = {}
        self.restarts: list[tuple[float, Unit]] = []
        self.resumed: list[tuple[float, int, int]] = []
        """When runs went on that had been suspended, and of which element."""
        self.yielded = Yielded()
        self.watch: list[Callable[[World], None]] = []
        self._agenda: list[tuple[float, int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._run_ids = count(1)

    # -- what happens ----------------------------------------------------------------------------

    def at(self, time: float, happens: Callable[[], None], order: int = 1) -> None:
        heapq.heappush(self._agenda, (time, order, next(self._numbers), happens))

    def submit(self, job: Job, script: Script | None = None) -> None:
        """At its submit time."""
        self.at(job.submit_time, lambda: self.arrive(job, script or (lambda _i, _a: Act())))

    def run(self, steps: int = 100_000) -> World:
        """Until nothing can happen any more."""
        while (time := self._next()) is not None:
            steps -= 1
            assert steps, "this world does not come to an end"
            self.now = max(self.now, time)
            self.tick()
        return self

    def tick(self) -> None:
        """All that is due now happens; then decisions until nothing more starts."""
        while self._agenda and self._agenda[0][0] <= self.now:
            heapq.heappop(self._agenda)[3]()
        while self.end_impossible():
            pass
        if self.regime.timely:
            self.view.rerank()
        again = 1000
        while self.decide_once():  # again: a start may be what another waited for
            check(self)
            again -= 1
            assert again, "this instant does not come to an end"
        for look in self.watch:
            look(self)

    def decide_once(self) -> bool:
        """One decision carried out; whether anything started."""
        plan = decide(self.view, self.policy, self.now)
        for start in plan.starts:
            self._start((start.job, start.index), start.claim(next(self._run_ids), self.now))
        for run in plan.resumes:
            resume(self, run)
        self.view.keep(plan.promises, plan.spots)
        make_room(self, plan)
        return bool(plan.starts or plan.resumes or plan.preempts)

    def _next(self) -> float | None:
        times = [self._agenda[0][0]] if self._agenda else []
        wake = self.view.next_wake()
        return min([*times, wake] if wake is not None else times, default=None)

    # -- facts -----------------------------------------------------------------------------------

    def arrive(self, job: Job, script: Script) -> None:
        """The job is submitted now."""
        self.jobs[job.id] = job
        self.scripts[job.id] = script
        self.left[job.id] = len(elements_of(job))
        for parent in self.view.needs(job):
            self.view.know(parent, self.facts(parent))
        self.view.put_job(job, elements_of(job))

    def facts(self, parent: int) -> ParentFacts:
        """What a store would say of a parent."""
        begun = [task for task in self.tasks.values() if task.job == parent]
        return ParentFacts.of_live(len(elements_of(self.jobs[parent])), begun)

    def task(self, unit: Unit) -> Task:
        return self.tasks.get(unit) or Task(job=unit[0], index=unit[1])

    def _start(self, unit: Unit, claim: Claim) -> None:
        check_start(self, unit)
        job = self.jobs[unit[0]]
        task = step(self.task(unit), Event(kind=Kind.START, time=self.now, run=claim.run))
        self.tasks[unit] = task
        self.view.claim(claim)
        self.runs[claim.run] = claim
        self.starts.setdefault(unit, self.now)
        self.restarts.append((self.now, unit))
        act = self.scripts[job.id](unit[1], task.attempt)
        limit = (task.request or job.request).time_limit
        out = limit is not None and act.runs > limit
        end = End(
            time=self.now + (limit + act.overstays if out and limit is not None else act.runs),
            exit_code=None if out else act.exit_code,
            signal=15 if out else None,
            stopped_by="timeout" if out else "",
        )
        end_later(self, claim.run, end)

    def end_run(self, run: int, end: End) -> None:
        claim = self.runs.pop(run, None)
        self.ends.pop(run, None)
        if claim is None:
            return
        unit = (claim.job, claim.index)
        self.view.release(run, self.now)
        job, request = self.jobs[claim.job], self.tasks[unit].request
        ran = self.now - claim.start - claim.paused
        self.regime.foresight.ended(job, request or job.request, ran)
        event = after_end(self.jobs[claim.job], self.tasks[unit], end, total=self.view.total)
        self.put(step(self.tasks[unit], event))

    def waiting(self, job: int) -> IndexSet:
        entry = self.view.entry(job)
        return IndexSet() if entry is None else entry.waiting

    def put(self, task: Task) -> None:
        """The element is as `task` says from now on."""
        self.tasks[task.job, task.index] = task
        if task.state is State.PENDING:
            self.view.put_task(task)
        elif task.state is State.ENDED and task.outcome is not None and task.end_time is not None:
            self.view.task_ended(task.job, task.index, task.outcome, task.end_time)
            self._fewer(task.job, 1)

    def drop(self, job: int, outcome: Outcome) -> None:
        """All of the job that has never begun ends."""
        gone = self.waiting(job)
        for index in gone:
            self.tasks[job, index] = Task(
                job=job, index=index, state=State.ENDED, outcome=outcome, end_time=self.now
            )
        self.view.elements_dropped(job, gone, outcome, self.now)
        self._fewer(job, len(gone))

    def cancel(self, unit: Unit, outcome: Outcome = Outcome.CANCELLED) -> None:
        """A waiting element ends; one that does not wait is left alone."""
        if self.task(unit).state is State.PENDING and unit[0] in self.left:
            event = Event(kind=Kind.CANCEL, time=self.now, outcome=outcome)
            self.put(step(self.task(unit), event))

    def amend(self, job: int, **fields: object) -> None:
        """Fields of the submission change."""
        if job in self.left:
            self.jobs[job] = replace(self.jobs[job], **fields)
            self.view.put_job(self.jobs[job], self.waiting(job))

    def _fewer(self, job: int, number: int) -> None:
        self.left[job] -= number
        if not self.left[job]:
            del self.left[job]
            self.view.job_finished(job)

    def end_impossible(self) -> bool:
        """What can never start ends, or is held; whether there was any."""
        found = self.view.impossible(self.now)
        for job, index, outcome, sentence in found:
            assert sentence, "whatever ends says why"
            if job not in self.left:
                continue
            terms = self.jobs[job].dependencies
            if terms is not None and terms.on_never == "hold" and outcome is Outcome.CANCELLED:
                self.amend(job, held="dependency")
            elif index is None:
                for unit in [unit for unit in self.tasks if unit[0] == job]:
                    self.cancel(unit, outcome)
                if job in self.left:
                    self.drop(job, outcome)
            else:
                self.cancel((job, index), outcome)
        return bool(found)

    def outcome(self, job: int, index: int = NO_INDEX) -> Outcome | None:
        return self.tasks[job, index].outcome
