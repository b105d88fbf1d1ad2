"""Runs that take the place of others without a tick in between: recorded and ordered ahead.

A *prepared* run is on record while its element still waits. Some of them are *lent*: the runner
keeps them, each to follow one that is alive or kept itself, and starts them when that is over; then
their elements begin, here too. Those it gives back are started in the ordinary way, under the id
they have: the runner says that it never started them.

Lent are only the next elements of arrays whose elements take no longer than a tick is worth
waiting for; `policy.succeed` says when that comes to the same as deciding. Before anybody changes
the queue they are taken back.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from hpcshell.core.lifecycle import Event, Kind, step
from hpcshell.core.records import Claim, Run, State, Task
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.orders import start_order
from hpcshell.daemon.runner import wire
from hpcshell.policy.succeed import could_start, successor

BRIEF: Final = 1.0
"""Seconds; an element that took longer has none lent behind it, and none is lent for longer."""
DEPTH: Final = 8
"""How many are lent to follow one run, one after the other."""
SPEAKS: Final = 2
"""The protocol from which on a runner knows of followers."""


def lend(engine: Engine, now: float) -> None:
    """Let the next elements follow the runs that have begun in this tick."""
    begun, engine.begun = engine.begun, []
    if engine.recalling or engine.protocol < SPEAKS:
        return
    for run in begun:
        if run.id in engine.runs and engine.live[run.job].brief:
            _fill(engine, run, now)


def _fill(engine: Engine, run: Run, now: float) -> None:
    """Make the line behind a run as long as it may be.

    A run that was given back may still have followers here, which are on their way back, too.
    """
    ahead, length = run, 0
    while (follower := engine.followers.get(ahead.id)) is not None:
        ahead, length = follower, length + 1
    while length < DEPTH and ahead.id not in engine.followers:
        index = successor(engine.view, run.claim)
        if index is None:
            return
        ahead = _follow(engine, ahead, index, now)
        length += 1


def _follow(engine: Engine, ahead: Run, index: int, now: float) -> Run:
    live = engine.live[ahead.job]
    task = live.task(index)
    assert task is not None, f"lent {ahead.job}_{index}, which does not wait"
    prepared = engine.prepared.get((task.job, index))
    run_id = engine.change.next_run_id() if prepared is None else prepared.id
    claim = begun_at(replace(ahead.claim, run=run_id, index=index), now)
    coming = step(task, Event(kind=Kind.START, time=now, run=run_id))
    order = start_order(live.job, coming, claim, engine.host)
    run = new_run(engine, coming, claim, order)
    if prepared is None:
        engine.change.put_task(task)
        engine.change.add_run(run)
        engine.roll.put(live, task, task)
    else:
        engine.change.update_run(run)
    engine.view.lend(task.job, index)
    engine.prepared[task.job, index] = engine.followers[ahead.id] = run
    engine.orders.append(replace(order, after=ahead.id))
    return run


def new_run(engine: Engine, task: Task, claim: Claim, order: wire.Start) -> Run:
    """The record of an attempt that is to start."""
    return Run(
        id=claim.run,
        job=task.job,
        index=task.index,
        attempt=task.attempt,
        claim=claim,
        start_time=claim.start,
        boot=engine.host.boot,
        stdout=order.stdout or "",
        stderr=order.stderr or "",
    )


def begun_at(claim: Claim, time: float) -> Claim:
    """The claim, held from that instant on for as long as it is held."""
    end = None if claim.end is None else time + (claim.end - claim.start)
    return replace(claim, start=time, end=end)


def begin(engine: Engine, run: Run, time: float) -> None:
    """The runner has started a prepared run: its element begins."""
    live = engine.live[run.job]
    run = replace(run, start_time=time, claim=begun_at(run.claim, time))
    engine.view.claim(run.claim)
    engine.apply(live, live.tasks[run.index], Event(kind=Kind.START, time=time, run=run.id))
    engine.runs[run.id] = run
    engine.begun.append(run)


def succeed(engine: Engine, over: int, successor: int, time: float) -> None:
    """The runner has started a run in the place of one that is over."""
    run = engine.followers.get(over)
    if run is not None and run.id == successor:
        del engine.followers[over]
        if engine.prepared.get((run.job, run.index)) is not run:
            return
    else:
        run = prepared_run(engine, successor)
    if run is not None:
        begin(engine, run, time)


def prepared_run(engine: Engine, run_id: int) -> Run | None:
    """The prepared run of this id, if its element still waits."""
    return next((run for run in engine.prepared.values() if run.id == run_id), None)


def recall(engine: Engine) -> None:
    """Ask the runner for what is lent; `recalled` is its answer."""
    if engine.followers and not engine.recalling:
        engine.recalling = True
        engine.orders.append(wire.Recall())


def recall_if_idle(engine: Engine) -> None:
    """Take back what would wait for a run to end although there is room beside it."""
    jobs = {run.job for run in engine.followers.values()}
    if any(could_start(engine.view, job) for job in jobs):
        recall(engine)


def recalled(engine: Engine, runs: set[int]) -> None:
    """The runner keeps these no longer: their elements wait as others do."""
    for ahead, run in list(engine.followers.items()):
        if run.id in runs:
            del engine.followers[ahead]
            task = engine.live[run.job].tasks.get(run.index) if run.job in engine.live else None
            if task is not None and task.state is State.PENDING:
                engine.view.put_task(task)
    engine.recalling = engine.recalling and bool(engine.followers)
    engine.dirty = True
