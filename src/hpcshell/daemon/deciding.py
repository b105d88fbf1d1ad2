"""What starts now, and what never can: the decider asked, and its answer recorded."""

from __future__ import annotations

from hpcshell.core.lifecycle import Event, Kind
from hpcshell.core.records import Outcome, State
from hpcshell.daemon.apart import retire
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.gpus import one_by_one
from hpcshell.daemon.live import LiveJob
from hpcshell.daemon.orders import start_order
from hpcshell.daemon.preempting import make_room, note_checkpoints, wake_all
from hpcshell.daemon.succession import lend, new_run, reconsider
from hpcshell.daemon.suspending import resume
from hpcshell.policy.decide import Start, decide
from hpcshell.policy.plan import held_to


def decide_now(engine: Engine, now: float) -> None:
    """End what can never start and start what can, until neither leads to more of it.

    An end may make a child hopeless, a start may be what another waits for. Nothing is started
    while it is not known which runs the runner knows.
    """
    engine.dirty = True
    asleep: list[int] = []
    while engine.dirty:
        engine.dirty = False
        _end_impossible(engine, now)
        retire(engine, now)
        if not engine.met:
            return
        note_checkpoints(engine)
        plan = decide(engine.view, engine.policy, now)
        engine.view.keep(plan.promises)
        for run_id in plan.resumes:
            _go_on(engine, run_id, now)
        for start in one_by_one(engine, plan.starts, now):
            _start(engine, start, now)
        asleep += make_room(engine, plan.preempts, now)
    wake_all(engine, asleep, now)
    lend(engine, now)
    if engine.followers:
        reconsider(engine)


def wake_due(engine: Engine, now: float) -> bool:
    """Whether time alone has made something ready, or too late."""
    wake = engine.view.next_wake()
    return wake is not None and wake <= now


def _go_on(engine: Engine, run_id: int, now: float) -> None:
    run = engine.runs[run_id]
    live = engine.live[run.job]
    resume(engine, live, live.tasks[run.index], "its CPUs are free again", now)


def _start(engine: Engine, start: Start, now: float) -> None:
    live = engine.live[start.job]
    task = live.task(start.index)
    assert task is not None, f"decided to start {start.job}_{start.index}, which does not wait"
    prepared = engine.prepared.get((start.job, start.index))
    run_id = engine.change.next_run_id() if prepared is None else prepared.id
    claim = held_to(live.job, start.claim(run_id, now))
    engine.view.claim(claim)
    task = engine.apply(live, task, Event(kind=Kind.START, time=now, run=run_id))
    order = start_order(live.job, task, claim, engine.host)
    run = new_run(engine, task, claim, order)
    if prepared is None:
        engine.change.add_run(run)
    else:
        engine.change.update_run(run)
    engine.runs[run_id] = run
    engine.begun.append(run)
    engine.orders.append(order)


def _end_impossible(engine: Engine, now: float) -> None:
    for job_id, index, outcome, sentence in engine.view.impossible(now):
        live = engine.live.get(job_id)
        if live is None:
            continue
        terms = live.job.dependencies
        if outcome is Outcome.CANCELLED and terms is not None and terms.on_never == "hold":
            _hold_waiting(engine, live, index, sentence, now)
        else:
            _end_waiting(engine, live, index, outcome, sentence, now)


def _hold_waiting(engine: Engine, live: LiveJob, index: int | None, cause: str, now: float) -> None:
    """Hold one waiting element, or (None) the whole job, whose dependency can never be met."""
    if index is None:
        engine.amend(live, cause, now, held="dependency")
    elif (task := live.task(index)) is not None and task.state is State.PENDING:
        engine.apply(live, task, Event(kind=Kind.HOLD, time=now, cause=cause))


def _end_waiting(
    engine: Engine, live: LiveJob, index: int | None, outcome: Outcome, cause: str, now: float
) -> None:
    """End one waiting element, or (None) all that waits of the job."""
    known = live.task(index) if index is not None else None
    tasks = list(live.tasks.values()) if index is None else [known] if known is not None else []
    for task in tasks:
        if task.state is State.PENDING:
            event = Event(kind=Kind.CANCEL, time=now, cause=cause, outcome=outcome)
            engine.apply(live, task, event)
    if index is None:
        engine.drop_waiting(live, outcome, cause, now)
