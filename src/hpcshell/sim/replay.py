"""A log through the very view and decisions of the daemon: slower than the kernel, and able to do
all that the daemon can.

    Replay(jobs, runs, machine, policy, regime).play()      -> the starts, by job

The kernel is held to this by a law; whatever the kernel does not know is simulated here: several
nodes, promises in any order of the line and by any prediction, preemption and time slices, gangs,
reservations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, inf
from typing import Final, NamedTuple

from msgspec.structs import replace

from hpcshell.core.records import NO_INDEX, Claim, Job, Launch, Outcome, Record, Resources, Task
from hpcshell.policy.decide import Plan, Policy, Start, decide
from hpcshell.policy.line import Key
from hpcshell.policy.plan import Preempt
from hpcshell.policy.queue import repass
from hpcshell.policy.regime import Regime
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.room import Room
from hpcshell.policy.view import PLAIN, View
from hpcshell.sim.apart import Uses, sent_in
from hpcshell.sim.bouts import Bouts, Span
from hpcshell.sim.faults import Fault
from hpcshell.sim.outage import NOBODY, outage, victims

NOTHING: Final = Launch(argv=("true",), cwd="/")
OFTEN: Final = 256
"""Progress is told after so many instants."""


class Manner(NamedTuple):
    """How a log is replayed. `stepwise`: a decision after each event. `repass`: the order of those
    that pass changes with time. `saves`: see `Workload`."""

    stepwise: bool = False
    repass: bool = False
    saves: float = 0.0


AT_ONCE: Final = Manner()


class Toll(Record, frozen=True, kw_only=True):
    """What preemption has cost: how many runs stood still for others, were put back into the queue,
    or ended for good; and the cpu-seconds of work that came to nothing."""

    suspended: int = 0
    requeued: int = 0
    cancelled: int = 0
    lost_work: float = 0.0


class Replay:
    """The state of a replay. Jobs come in the order of their submit times; found is, for each,
    when it starts first (`inf`: not yet, or lost), how long it was then expected to run, and
    whether it passed one that stood before it in line. `runs` is what is left of each to run.

    Where faults strike, the numbers of the jobs leave gaps for those that are submitted again.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        runs: list[float],
        machine: Resources | Room,
        policy: Policy,
        regime: Regime,
        *,
        manner: Manner = AT_ONCE,
        faults: Sequence[Fault] = (),
        reservations: Sequence[Reservation] = (),
    ) -> None:
        self.view = View(machine, regime)
        self.policy = policy
        self.regime = regime
        self.jobs = jobs
        self.runs = runs
        self._whole = tuple(runs)
        self.manner = manner
        self.starts: list[float] = [inf] * len(jobs)
        self.estimates: list[float] = [inf] * len(jobs)
        self.passed = [False] * len(jobs)
        self.killed = self.lost = 0
        self.toll = Toll()
        self._bouts = Bouts(self.view, counting=regime.preempting)
        self._faults = sorted(faults, key=lambda fault: fault.at)[::-1]
        self._place = {job.id: at for at, job in enumerate(jobs)}
        self._tasks: dict[int, Task] = {}
        """Those that have been put back into the queue, by their jobs."""
        self._submitted = 0
        self._last = 0
        self._begun = 0
        self._of_run: dict[int, Job] = {}
        for one in reservations:
            self.view.reserve(one)
        self.uses = Uses(reservations)
        self._again = regime.preempting or bool(reservations)

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

    def pieces(self) -> list[tuple[int, Span]]:
        """What each job has held, by its place; what runs still, until it will be over. Only where
        runs make room for others."""
        due = self._bouts.due
        going = (span._replace(end=due[run]) for run, span in self._bouts.open.items())
        spans = (*self._bouts.spans, *going)
        return [(self._place[span.job], span) for span in spans if span.job != NOBODY]

    def left(self) -> list[int]:
        """The places of the jobs that have come and not ended."""
        return [self._place[job] for job in self.view.queue.jobs]

    def _next(self) -> float:
        coming = self._submitted < len(self.jobs)
        times = (
            self.jobs[self._submitted].submit_time if coming else None,
            self._bouts.next(),
            self.view.next_wake(),
        )
        return min((time for time in times if time is not None), default=inf)

    # -- what happens ----------------------------------------------------------------------------

    def _instant(self, now: float) -> None:
        """All that happens at an instant, then one decision; or, `stepwise`, first those that come
        and then those that end, each with a decision."""
        if self.manner.stepwise:
            expire(self.view, self._bouts, now)
        self.view.advance(now)
        if self.manner.stepwise:
            while self._comes(now):
                self._submit(now)
                self._decide(now)
            for run in self._bouts.over(now):
                self._end(run, now)
                self._decide(now)
            if self._again:
                self._decide(now)
            return
        for run in self._bouts.over(now):
            self._end(run, now)
        while self._comes(now):
            self._submit(now)
        self._decide(now)

    def _comes(self, now: float) -> bool:
        jobs, at = self.jobs, self._submitted
        return at < len(jobs) and jobs[at].submit_time <= now

    def _submit(self, now: float) -> None:
        job = sent_in(self.view.book, self.view.room, self.jobs[self._submitted], now)
        self.view.put_job(job, PLAIN)
        self._last = job.id
        self._submitted += 1

    def _end(self, run: int, now: float) -> None:
        self._bouts.leave(run, now)
        job = self._of_run.pop(run, None)
        if job is None:
            return
        self.regime.foresight.ended(job, job.request, self.runs[self._place[job.id]])
        self._over(job, Outcome.COMPLETED, now)

    def _over(self, job: Job, outcome: Outcome, now: float) -> None:
        self._tasks.pop(job.id, None)
        self.view.task_ended(job.id, NO_INDEX, outcome, now)
        self.view.job_finished(job.id)

    # -- decisions -------------------------------------------------------------------------------

    def _decide(self, now: float) -> None:
        if self.regime.timely:
            self.view.rerank()
        elif self.manner.repass:
            repass(self.view.queue)
        self.view.book.advance(now)  # who has ended now uses no reservation any more
        self.uses.released(self.view, now)
        while self._carry_out(self._plan(now), now) and self._again:
            pass

    def _plan(self, now: float) -> Plan:
        if self.manner.saves and self.regime.rights is not None:
            for claim in self.view.claims.values():
                if claim.suspended is None and claim.job != NOBODY:
                    done = saved(claim, now, self.manner.saves)
                    self.view.checkpointed(claim.run, claim.start + claim.paused + done)
        plan = decide(self.view, self.policy, now)
        self.view.keep(plan.promises, plan.spots)
        return plan

    def _carry_out(self, plan: Plan, now: float) -> bool:
        """Whether that changed anything."""
        for run in plan.resumes:
            self._bouts.go_on(run, now)
        self._begin(plan.starts, now)
        for one in plan.preempts:
            self._make_room(one, now)
        return bool(plan.starts or plan.resumes or plan.preempts)

    def _begin(self, starts: Sequence[Start], now: float) -> None:
        begun: list[tuple[int, Key | None]] = []
        for start in starts:
            entry = self.view.queue.jobs[start.job]
            at = self._place[start.job]
            if self.starts[at] == inf:
                begun.append((at, entry.place))
                self.estimates[at] = inf if entry.shape.length is None else entry.shape.length
                self.starts[at] = now
            self._hold(start.claim(self._begun + 1, now), now + self.runs[at])
            self._of_run[self._begun] = entry.job
            self.uses.began(start.reservation, at)
        if begun and (heads := self.view.queue.turn.heads):
            first = heads.first[0]
            for at, key in begun:
                self.passed[at] = key is not None and first < key

    def _hold(self, claim: Claim, end: float) -> None:
        """A run, the next by number, begins and will have ended then."""
        self._begun += 1
        self._bouts.begin(claim, end)

    # -- preemption ------------------------------------------------------------------------------

    def _make_room(self, one: Preempt, now: float) -> None:
        """A run is preempted: it stands still, goes back into the queue, or ends."""
        claim = self._bouts.make_room(one, now)
        toll = self.toll
        if claim is None:
            self.toll = replace(toll, suspended=toll.suspended + 1)
            return
        job = self._of_run.pop(one.run)
        at, done = self._place[job.id], now - claim.start - claim.paused
        if one.mode == "requeue":
            kept = saved(claim, now, self.manner.saves)
            lost = toll.lost_work + (done - kept) * claim.cpus
            self.toll = replace(toll, requeued=toll.requeued + 1, lost_work=lost)
            self.runs[at] -= kept
            known = self._tasks.get(job.id) or Task(job=job.id)
            again = known.preempted + 1
            self._tasks[job.id] = replace(known, attempt=again, preempted=again)
            self.view.put_task(self._tasks[job.id])
        else:
            lost = toll.lost_work + (done + self._whole[at] - self.runs[at]) * claim.cpus
            self.toll = replace(toll, cancelled=toll.cancelled + 1, lost_work=lost)
            self._forget(at)
            self._over(job, Outcome.PREEMPTED, now)

    def _forget(self, at: int) -> None:
        """It has not started after all."""
        self.starts[at] = self.estimates[at] = inf
        self.passed[at] = False

    # -- faults ----------------------------------------------------------------------------------

    def _strike(self, fault: Fault) -> None:
        """The fault happens, after all else of that instant: what ran there is killed, and what is
        gone is held by nobody's run until it is there again."""
        now = fault.at
        self.view.advance(now)
        killed = [self._kill(run, now) for run in victims(self.view.room, fault, self._of_run)]
        claim = outage(self.view.room, fault, self._begun + 1)
        if claim is not None:
            self._hold(claim, now + fault.span)
        self.killed += len(killed)
        for job in sorted(killed, key=lambda job: job.id):
            at = self._place[job.id]
            self._forget(at)
            if fault.lose:
                self.lost += 1
            else:
                self._last += 1
                self._place[self._last] = at
                alone = replace(job, id=self._last, submit_time=now, gang=None, reservation="")
                self.view.put_job(alone, PLAIN)
        self._decide(now)

    def _kill(self, run: int, now: float) -> Job:
        self._bouts.leave(run, now)
        job = self._of_run.pop(run)
        self._over(job, Outcome.NODE_FAIL, now)
        return job


def saved(claim: Claim, now: float, saves: float) -> float:
    """How many seconds of what a run has done are safe, if it saves every so many; 0: never."""
    done = now - claim.start - claim.paused
    return floor(done / saves) * saves if saves else 0.0


def expire(view: View, bouts: Bouts, now: float) -> None:
    """What was expected to have ended by now, and has, is out of the way of those that come."""
    for run, over in list(bouts.due.items()):
        claim = view.claims.get(run)
        end = None if claim is None or over > now else view.end_of(claim)
        if end is not None and end <= now:
            view.release(run)
