"""The wall clock was set: what is live goes on as if it had always gone as it goes now.

All instants of what runs and waits move with the clock, on record and in memory: how long it has
waited and run, what it is charged for and when its turn is over stay what they were. What people
ask for by the wall clock (begin times, deadlines, reservations) stays where it is, and so does what
is over.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from hpcshell.core.lifecycle import amend
from hpcshell.core.records import Claim, Job, State, Task
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.orders import limit_of, suspend_order
from hpcshell.daemon.regimes import carry_over, keep_usage
from hpcshell.daemon.runner import wire
from hpcshell.machine import checkpoints, clock
from hpcshell.policy.plan import held_to
from hpcshell.policy.view import View

TOLERANCE: Final = 1.0
"""Seconds by which time servers may correct the clock unnoticed."""


class Pace:
    """The wall clock beside the steady one, as of the last look at both."""

    def __init__(self) -> None:
        self._wall, self._steady = clock.now(), clock.monotonic()

    def leap(self) -> float:
        """For how many seconds the wall clock has been set forward since; 0: it has not been."""
        by = clock.now() - self._wall - (clock.monotonic() - self._steady)
        return by if abs(by) > TOLERANCE else 0.0

    def follow(self) -> None:
        """Both are right as they are now."""
        self._wall, self._steady = clock.now(), clock.monotonic()

    def restamped(self, event: wire.AnyEvent, by: float) -> wire.AnyEvent:
        """What the runner said, by the clock as it is now, whenever it was said."""
        if isinstance(event, wire.Standing):
            return replace(event, runs=[self._restamped(report, by) for report in event.runs])
        return self._restamped(event, by) if isinstance(event, wire.Report) else event

    def _restamped(self, report: wire.Report, by: float) -> wire.Report:
        """By the clock that was set, no instant since the last look is before that look, and none
        is still to come."""
        if not report.time:
            return report
        since_then = self._wall + by - TOLERANCE <= report.time <= clock.now() + TOLERANCE
        return report if since_then else replace(report, time=report.time + by)


def move(engine: Engine, by: float) -> None:
    """Put what is live and what users have used on record as of a clock that was set forward by so
    much. The engine is to be loaded again then."""
    with engine.store.change() as change:
        engine.begin(change)
        _move_runs(engine, by)
        _move_jobs(engine, by)
        keep_usage(engine, change, clock.now() - by, by)


def _move_runs(engine: Engine, by: float) -> None:
    for run in engine.runs.values():
        live = engine.live[run.job]
        task = live.tasks[run.index]
        claim = _moved_claim(live.job, run.claim, task, by)
        engine.change.update_run(replace(run, start_time=run.start_time + by, claim=claim))
        engine.change.put_task(_moved(task, by))


def _move_jobs(engine: Engine, by: float) -> None:
    for live in engine.live.values():
        engine.change.update_job(amend(live.job, submit_time=live.job.submit_time + by))
        for task in live.tasks.values():
            if task.state is State.PENDING:
                again = task.not_before and task.not_before + by
                engine.change.put_task(replace(_moved(task, by), not_before=again))


def _moved(task: Task, by: float) -> Task:
    return replace(
        task,
        start_time=_later(task.start_time, by),
        end_time=_later(task.end_time, by),
        suspended_since=_later(task.suspended_since, by),
    )


def _moved_claim(job: Job, claim: Claim, task: Task, by: float) -> Claim:
    """A deadline does not move: the run has more time or less of what it asked for."""
    end = _later(claim.end, by)
    start = claim.start + by
    if job.deadline is not None and claim.end == job.deadline:
        limit = (task.request or job.request).time_limit
        end = None if limit is None else start + claim.paused + limit
    moved = replace(claim, start=start, end=end, suspended=_later(claim.suspended, by))
    return held_to(job, moved)


def _later(instant: float | None, by: float) -> float | None:
    return None if instant is None else instant + by


def carry_on(engine: Engine, before: View, by: float) -> None:
    """Let an engine that has been loaded since know what is on no record."""
    checkpoints.move(engine.host.places.checkpoints, by)
    carry_over(before, engine.view, by)
    _remind_of_deadlines(engine, clock.now())


def _remind_of_deadlines(engine: Engine, now: float) -> None:
    """Tell the runner, which goes by its own clock, how much time deadlines leave by this one."""
    for run in engine.runs.values():
        live = engine.live[run.job]
        task = live.tasks[run.index]
        if live.job.deadline is None or task.state is State.STOPPING:
            continue
        engine.orders.append(wire.Limit(run=run.id, time_limit=limit_of(run.claim)))
        if task.state is State.SUSPENDED:
            engine.orders.append(suspend_order(live.job, task, now))
