"""A log through the very view and decisions of the daemon: slower than the kernel, and able to do
all that the daemon can.

    Replay(jobs, runs, machine, policy, regime).play()      -> the starts, by job

The kernel is held to this by a law; whatever the kernel does not know is simulated here: several
nodes, promises in any order of the line and by any prediction.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from msgspec.structs import replace

from hpcshell.core.records import NO_INDEX, Claim, Job, Launch, Outcome, Resources
from hpcshell.policy.cluster import Cluster
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.line import Key
from hpcshell.policy.queue import repass
from hpcshell.policy.regime import Regime
from hpcshell.policy.room import Room
from hpcshell.policy.view import PLAIN, View
from hpcshell.sim.faults import Fault
from hpcshell.sim.outage import on, outage

NOTHING: Final = Launch(argv=("true",), cwd="/")
OFTEN: Final = 256
"""Progress is told after so many instants."""


class Replay:
    """The state of a replay. Jobs come in the order of their submit times; found is, for each,
    when it starts (`inf`: not yet, or lost), how long it was then expected to run, and whether it
    passed one that stood before it in line.

    `stepwise`: a decision after each event. `repass`: the order of those that pass changes with
    time. Where faults strike, the numbers of the jobs leave gaps for those that are submitted
    again.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        runs: Sequence[float],
        machine: Resources | Room,
        policy: Policy,
        regime: Regime,
        *,
        stepwise: bool = False,
        repass: bool = False,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.view = View(machine, regime)
        self.policy = policy
        self.regime = regime
        self.jobs = jobs
        self.runs = runs
        self.starts: list[float] = [inf] * len(jobs)
        self.estimates: list[float] = [inf] * len(jobs)
        self.passed = [False] * len(jobs)
        self.killed = self.lost = 0
        self._stepwise = stepwise
        self._repass = repass
        self._faults = sorted(faults, key=lambda fault: fault.at)[::-1]
        self._place = {job.id: at for at, job in enumerate(jobs)}
        self._ends: list[tuple[float, int]] = []
        self._submitted = 0
        self._last = 0
        self._begun = 0
        self._of_run: dict[int, Job] = {}

    def play(self, progress: Callable[[int], None] | None = None) -> list[float]:
        """Run to the end; the starts."""
        instants = 0
        while (now := self._next()) < inf:
            at = self._faults[-1].at if self._faults else inf
            if at >= now:
                self._instant(now)
            if at <= now:
                self._strike(self._faults.pop())
            instants += 1
            if progress is not None and instants % OFTEN == 0:
                progress(min(self._begun, len(self.jobs)))
        if progress is not None:
            progress(len(self.jobs))
        return self.starts

    def _next(self) -> float:
        now = self.jobs[self._submitted].submit_time if self._submitted < len(self.jobs) else inf
        if self._ends:
            now = min(now, self._ends[0][0])
        wake = self.view.next_wake()
        return now if wake is None else min(now, wake)

    # -- what happens ----------------------------------------------------------------------------

    def _instant(self, now: float) -> None:
        """All that happens at an instant, then one decision; or, `stepwise`, first those that come
        and then those that end, each with a decision."""
        if self._stepwise:
            self._expire(now)
        self.view.advance(now)
        if self._stepwise:
            while self._comes(now):
                self._submit()
                self._decide(now)
            while self._ends and self._ends[0][0] <= now:
                self._end(heapq.heappop(self._ends)[1], now)
                self._decide(now)
            return
        while self._ends and self._ends[0][0] <= now:
            self._end(heapq.heappop(self._ends)[1], now)
        while self._comes(now):
            self._submit()
        self._decide(now)

    def _expire(self, now: float) -> None:
        """What was expected to have ended by now, and has, is out of the way of those that come."""
        for run in [run for end, run in self._ends if end <= now]:
            end = self.view.end_of(self.view.claims[run])
            if end is not None and end <= now:
                self.view.release(run)

    def _comes(self, now: float) -> bool:
        jobs, at = self.jobs, self._submitted
        return at < len(jobs) and jobs[at].submit_time <= now

    def _submit(self) -> None:
        job = self.jobs[self._submitted]
        self.view.put_job(job, PLAIN)
        self._last = job.id
        self._submitted += 1

    def _end(self, run: int, now: float) -> None:
        self.view.release(run)
        job = self._of_run.pop(run, None)
        if job is None:
            return
        self.regime.foresight.ended(job, job.request, self.runs[self._place[job.id]])
        self._over(job, Outcome.COMPLETED, now)

    def _over(self, job: Job, outcome: Outcome, now: float) -> None:
        self.view.task_ended(job.id, NO_INDEX, outcome, now)
        self.view.job_finished(job.id)

    def _decide(self, now: float) -> None:
        if self.regime.timely:
            self.view.rerank()
        elif self._repass:
            repass(self.view.queue)
        plan = decide(self.view, self.policy, now)
        self.view.keep(plan.promises, plan.spots)
        begun: list[tuple[int, Key | None]] = []
        for start in plan.starts:
            entry = self.view.queue.jobs[start.job]
            at = self._place[start.job]
            begun.append((at, entry.place))
            self.estimates[at] = inf if entry.shape.length is None else entry.shape.length
            self.starts[at] = now
            self._hold(start.claim(self._begun + 1, now), now + self.runs[at])
            self._of_run[self._begun] = entry.job
        if begun and (heads := self.view.queue.turn.heads):
            first = heads.first[0]
            for at, key in begun:
                self.passed[at] = key is not None and first < key

    def _hold(self, claim: Claim, end: float) -> None:
        """A run, the next by number, begins and will have ended then."""
        self._begun += 1
        self.view.claim(claim)
        heapq.heappush(self._ends, (end, self._begun))

    # -- faults ----------------------------------------------------------------------------------

    def _strike(self, fault: Fault) -> None:
        """The fault happens, after all else of that instant: what ran there is killed, and what is
        gone is held by nobody's run until it is there again."""
        now = fault.at
        self.view.advance(now)
        killed = [self._kill(run, now) for run in self._victims(fault)]
        claim = outage(self.view.room, fault, self._begun + 1)
        if claim is not None:
            self._hold(claim, now + fault.span)
        self.killed += len(killed)
        for job in sorted(killed, key=lambda job: job.id):
            at = self._place[job.id]
            self.starts[at] = self.estimates[at] = inf
            self.passed[at] = False
            if fault.lose:
                self.lost += 1
            else:
                self._last += 1
                self._place[self._last] = at
                self.view.put_job(replace(job, id=self._last, submit_time=now), PLAIN)
        self._decide(now)

    def _victims(self, fault: Fault) -> list[int]:
        """The runs on the node; or those that were started last, until enough is free."""
        room = self.view.room
        if isinstance(room, Cluster) and fault.node:
            return [run for run in on(room, fault.node) if run in self._of_run]
        found, free = [], room.free[1]
        for run in sorted(self._of_run, reverse=True):
            if free >= fault.cpus:
                break
            found.append(run)
            free += room.claims[run].cpus
        return found

    def _kill(self, run: int, now: float) -> Job:
        self.view.release(run)
        self._ends = [end for end in self._ends if end[1] != run]
        heapq.heapify(self._ends)
        job = self._of_run.pop(run)
        self._over(job, Outcome.NODE_FAIL, now)
        return job
