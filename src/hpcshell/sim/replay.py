"""A log through the very view and decisions of the daemon: slower than the kernel, and able to do
all that the daemon can.

    replay(workload, Machine..., policy, regime) -> starts by job

The kernel is held to this by a law; whatever the kernel does not know is simulated here.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from math import inf

from hpcshell.core.records import NO_INDEX, Job, Launch, Outcome, Request, Resources
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.regime import Regime
from hpcshell.policy.view import PLAIN, View

NOTHING = Launch(argv=("true",), cwd="/")


class Replay:
    """The state of a replay. Jobs come in the order of their submit times; `starts` is filled."""

    def __init__(
        self,
        jobs: Sequence[Job],
        runs: Sequence[float],
        total: Resources,
        policy: Policy,
        regime: Regime,
    ) -> None:
        self.view = View(total, regime)
        self.policy = policy
        self.regime = regime
        self.jobs = jobs
        self.runs = runs
        self.starts: list[float] = [inf] * len(jobs)
        self._place = {job.id: at for at, job in enumerate(jobs)}
        self._ends: list[tuple[float, int]] = []
        self._submitted = 0
        self._begun = 0
        self._of_run: dict[int, int] = {}

    def play(self) -> list[float]:
        """Run to the end; the starts."""
        while (now := self._next()) < inf:
            self._happen(now)
            self._decide(now)
        return self.starts

    def _next(self) -> float:
        now = self.jobs[self._submitted].submit_time if self._submitted < len(self.jobs) else inf
        if self._ends:
            now = min(now, self._ends[0][0])
        wake = self.view.next_wake()
        return now if wake is None else min(now, wake)

    def _happen(self, now: float) -> None:
        view = self.view
        view.advance(now)
        while self._ends and self._ends[0][0] <= now:
            self._end(heapq.heappop(self._ends)[1], now)
        while self._submitted < len(self.jobs):
            job = self.jobs[self._submitted]
            if job.submit_time > now:
                break
            view.put_job(job, PLAIN)
            self._submitted += 1
        if self.regime.timely:
            view.rerank()

    def _end(self, run: int, now: float) -> None:
        at = self._of_run.pop(run)
        job = self.jobs[at]
        self.view.release(run)
        self.regime.foresight.ended(job, job.request, self.runs[at])
        self.view.task_ended(job.id, NO_INDEX, Outcome.COMPLETED, now)
        self.view.job_finished(job.id)

    def _decide(self, now: float) -> None:
        plan = decide(self.view, self.policy, now)
        self.view.keep(plan.promises)
        for start in plan.starts:
            self._begun += 1
            at = self._place[start.job]
            self.view.claim(start.claim(self._begun, now))
            self._of_run[self._begun] = at
            self.starts[at] = now
            heapq.heappush(self._ends, (now + self.runs[at], self._begun))


def plain_job(number: int, submit: float, cpus: int, limit: float, user: str) -> Job:
    """A job of a log, as the view takes it."""
    return Job(
        id=number,
        name=str(number),
        user=user,
        uid=0,
        submit_time=submit,
        request=Request(cpus=cpus, time_limit=limit),
        launch=NOTHING,
    )
