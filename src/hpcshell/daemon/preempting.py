"""Runs that the decider lets make room, and until when their work is safe.

A run that stands still to make room is to go on by itself, but not before it is decided what starts
in its place: it would be the first to have the room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, cast

from hpcshell.core.records import State
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.succession import recall
from hpcshell.daemon.suspending import Mode, can_be_suspended, preempt, suspend, wake
from hpcshell.machine import clock
from hpcshell.machine.checkpoints import last_checkpoints
from hpcshell.policy.plan import Preempt

LOOK: Final = 1.0
"""Seconds between two looks at the checkpoints."""


def note_checkpoints(engine: Engine) -> None:
    """Tell the view until when the work of runs is safe, where that may decide who makes room."""
    now = clock.monotonic()
    if engine.regime.rights is None or not engine.view.queue.turn.heads or not engine.runs:
        return
    if engine.looked is not None and now < engine.looked + LOOK:
        return
    engine.looked = now
    for run, time in last_checkpoints(engine.host.places.checkpoints).items():
        if run in engine.runs:
            engine.view.checkpointed(run, time)


def make_room(engine: Engine, plans: Iterable[Preempt], now: float) -> Iterator[int]:
    """Record that runs make room, and order it; those that stand still are named."""
    for plan in plans:
        run = engine.runs[plan.run]
        live = engine.live[run.job]
        task = live.tasks[run.index]
        if task.state is not State.RUNNING:
            continue
        if plan.mode != "suspend":
            preempt(engine, live, task, cast(Mode, plan.mode), plan.cause, now)
        elif can_be_suspended(engine, task):
            suspend(engine, live, task, plan.cause, now)
            yield run.id
        else:
            recall(engine)


def wake_all(engine: Engine, runs: Iterable[int], now: float) -> None:
    """What started in the place of these has started: they go on in their turn."""
    for run_id in runs:
        run = engine.runs[run_id]
        live = engine.live[run.job]
        task = live.tasks[run.index]
        if task.state is State.SUSPENDED and not task.waking:
            wake(engine, live, task, f"{task.cause}; it goes on when its CPUs are free", now)
