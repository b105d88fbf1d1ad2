"""Runs that take the place of others without a tick in between: recorded and ordered ahead.

A *prepared* run is on record while its element still waits. Some of them are *lent*: the runner
keeps them, each to follow one that is alive or kept itself, and starts them when that is over; then
their elements begin, here too. Those it gives back are started in the ordinary way, under the id
they have: the runner says that it never started them.

`policy.succeed` says what may follow a run, so that it comes to the same as deciding. Elements of
arrays are lent while they are so brief that a tick is long beside them. All are taken back before
anybody changes what is in the queue, and when something that goes before them comes into it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from hpcshell.core.lifecycle import Event, Kind, step
from hpcshell.core.records import Claim, Run, State, Task
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.orders import start_order
from hpcshell.daemon.runner import wire
from hpcshell.policy.succeed import Successor, successor, to_be_taken_back

BRIEF: Final = 1.0
"""Seconds; an element that took longer has no other of its array lent behind it, and nothing is
lent for longer."""
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
        if run.id in engine.runs:
            _fill(engine, engine.runs[run.id], now)


def _fill(engine: Engine, run: Run, now: float) -> None:
    """Make the line behind a run as long as it may be.

    A run that was given back may still have followers here, which are on their way back, too.
    """
    ahead, length = run, 0
    while (follower := engine.followers.get(ahead.id)) is not None:
        ahead, length = follower, length + 1
    while length < DEPTH and ahead.id not in engine.followers:
        next_one = successor(engine.view, ahead.claim)
        if next_one is None or not _worth_it(engine, next_one):
            return
        ahead = _follow(engine, ahead, next_one, now)
        length += 1


def _worth_it(engine: Engine, successor: Successor) -> bool:
    live = engine.live[successor.job]
    return live.brief or live.job.array is None


def _follow(engine: Engine, ahead: Run, unit: Successor, now: float) -> Run:
    live = engine.live[unit.job]
    task = live.task(unit.index)
    assert task is not None, f"lent {unit.job}_{unit.index}, which does not wait"
    prepared = engine.prepared.get((task.job, task.index))
    run_id = engine.change.next_run_id() if prepared is None else prepared.id
    limit = live.job.request.time_limit
    end = None if limit is None else now + limit
    held = ahead.claim
    claim = replace(held, run=run_id, job=task.job, index=task.index, start=now, end=end)
    coming = step(task, Event(kind=Kind.START, time=now, run=run_id))
    order = start_order(live.job, coming, claim, engine.host)
    run = new_run(engine, coming, claim, order)
    if prepared is None:
        engine.change.put_task(task)
        engine.change.add_run(run)
        engine.roll.put(live, task, task)
    else:
        engine.change.update_run(run)
    engine.view.lend(task.job, task.index)
    engine.prepared[task.job, task.index] = engine.followers[ahead.id] = run
    engine.orders.append(replace(order, after=ahead.id, if_ok=unit.if_ok))
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
        recall_anew(engine)


def recall_anew(engine: Engine) -> None:
    """Ask, whatever is known of what is lent, and has been asked before: only the answer to the
    last question counts."""
    engine.recalling = True
    engine.recalls += 1
    engine.orders.append(wire.Recall(number=engine.recalls))


def reconsider(engine: Engine) -> None:
    """Take back what is lent if to decide about it would not come to the same any more."""
    jobs = {run.job for run in engine.followers.values()}
    if any(to_be_taken_back(engine.view, job) for job in jobs):
        recall(engine)


def recalled(engine: Engine, answer: wire.Recalled) -> None:
    """The runner keeps these no longer: their elements wait as others do."""
    runs = set(answer.runs)
    settled = answer.answers != 0 and answer.answers == engine.recalls
    for ahead, run in list(engine.followers.items()):
        if settled or run.id in runs:
            del engine.followers[ahead]
            task = engine.live[run.job].tasks.get(run.index) if run.job in engine.live else None
            if task is not None and task.state is State.PENDING:
                engine.view.put_task(task)
    engine.recalling = engine.recalling and not settled
    engine.dirty = True
