"""Runs that stand still, go on, and make room for others: recorded here, ordered with the commit.

Who is suspended, resumed or preempted is decided elsewhere: by a person (`verbs.change`) or the
decider. Every order may be given again, so what a crash has left undone is ordered once more when
the runner is met (`hearing`).
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from hpcshell.core.lifecycle import Event, Kind
from hpcshell.core.records import Claim, State, Task
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.live import LiveJob
from hpcshell.daemon.orders import limit_of, suspend_order
from hpcshell.daemon.runner import wire
from hpcshell.policy.plan import held_to
from hpcshell.policy.preempt import room_after

SPEAKS: Final = 3
"""The protocol from which on a runner knows how to suspend."""

Mode = Literal["suspend", "requeue", "cancel", "down"]
MODES: Final[tuple[Mode, ...]] = ("suspend", "requeue", "cancel")
"""How a run makes room: it stands still and goes on by itself, it goes back into the queue if its
job may (and else ends as PREEMPTED), or it ends as PREEMPTED. With the machine (`down`) it goes
back or ends as NODE_FAIL; nobody asks for that of one run."""


def can_be_suspended(engine: Engine, task: Task) -> bool:
    """Whether the runner is able to, and nothing is lent to follow the run on what it holds."""
    speaks = engine.protocol >= SPEAKS or not engine.protocol
    return speaks and task.run not in engine.followers


def suspend(engine: Engine, live: LiveJob, task: Task, cause: str, now: float) -> Task:
    """Let a running element stand still until somebody resumes it; or one that is suspended go on
    standing still though it was to go on."""
    fresh = task.state is not State.SUSPENDED
    task = engine.apply(live, task, Event(kind=Kind.SUSPEND, time=now, cause=cause))
    if fresh:
        _record(engine, engine.view.suspend(task.run, now))
        engine.orders.append(suspend_order(live.job, task, now))
    else:
        engine.view.sleep(task.run)
    return task


def resume(engine: Engine, live: LiveJob, task: Task, cause: str, now: float) -> Task:
    """Let a suspended element go on now; what it needs for that must be free."""
    claim = held_to(live.job, engine.view.resume(task.run, now))
    engine.view.change(claim)
    _record(engine, claim)
    task = engine.apply(live, task, Event(kind=Kind.RESUME, time=now, cause=cause))
    # With a deadline there is less time left than there was.
    engine.orders.append(wire.Limit(run=claim.run, time_limit=limit_of(claim)))
    engine.orders.append(wire.Resume(run=claim.run))
    return task


def wake(engine: Engine, live: LiveJob, task: Task, cause: str, now: float) -> Task:
    """Let a suspended element go on as soon as it is its turn and its CPUs are free."""
    engine.view.wake(task.run)
    return engine.apply(live, task, Event(kind=Kind.WAKE, time=now, cause=cause))


def preempt(
    engine: Engine,
    live: LiveJob,
    task: Task,
    mode: Mode,
    cause: str,
    now: float,
    *,
    grace: float | None = None,
) -> Task:
    """Let an element that runs (or is suspended) make room. `grace` replaces the job's own; its
    checkpoint signal comes before that. `can_be_suspended` must hold for mode `suspend`."""
    if mode == "suspend":
        if task.state is not State.SUSPENDED:
            task = suspend(engine, live, task, cause, now)
        return wake(engine, live, task, cause, now)
    back = mode != "cancel" and live.job.requeue
    word = "preempt" if back else "down" if mode == "down" else "evict"
    engine.view.leave(task.run, now + room_after(live.job, grace))
    return engine.stop(live, task, word, cause, now, grace=grace)


def _record(engine: Engine, claim: Claim) -> None:
    run = replace(engine.runs[claim.run], claim=claim)
    engine.change.update_run(run)
    engine.runs[run.id] = run
