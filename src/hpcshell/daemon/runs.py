"""Attempts in the engine: over, ordered again, lost with the machine, given another limit."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from hpcshell.core.lifecycle import Event, Kind
from hpcshell.core.records import Run, State, Task, Usage
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.orders import limit_of, start_order, suspend_order
from hpcshell.daemon.runner import wire
from hpcshell.daemon.succession import BRIEF, begin
from hpcshell.policy.plan import held_to
from hpcshell.policy.retry import End, after_end

LEFT_ALONE: Final = ("", "timeout")
"""What has stopped a run of which the length tells something of the next one like it."""


def run_ended(engine: Engine, run_id: int, end: End) -> None:
    """Record the end of a run and what becomes of its element; unknown and ended runs are
    ignored."""
    run = engine.runs.pop(run_id, None)
    engine.pids.pop(run_id, None)
    if run is None:
        return
    live = engine.live[run.job]
    task = live.tasks[run.index]
    if end.stopped_by == "timeout" and run.claim.end == live.job.deadline is not None:
        end = replace(end, stopped_by="deadline")
    live.brief = end.time - run.start_time < BRIEF
    engine.view.release(run_id, end.time)
    if not end.lost and end.stopped_by in LEFT_ALONE:
        length = end.time - run.start_time - run.claim.paused
        engine.regime.foresight.ended(live.job, task.request or live.job.request, length)
    end = _seen_on_cards(engine, run, end)
    engine.change.end_run(ended_run(run, end))
    total, lost_limit = engine.host.total, engine.host.lost_limit
    engine.apply(live, task, after_end(live.job, task, end, total=total, lost_limit=lost_limit))


def _seen_on_cards(engine: Engine, run: Run, end: End) -> End:
    """The end with what was measured on the run's cards, which learn of it."""
    claim, cards = run.claim, engine.host.cards
    if not (claim.gpus or claim.shared):
        return end
    peak = cards.peaks.get(run.id, 0)
    job = engine.live[run.job].job
    if end.lost or end.message or end.stopped_by not in LEFT_ALONE:
        cards.forget(run.id)  # what never started, or was stopped, says nothing of a card
    else:
        failed = bool(end.exit_code or end.signal)
        cards.ended(claim, failed=failed, time=end.time, kind=f"{job.uid} {job.name}")
    if not peak:
        return end
    engine.model_runs.add(job, peak, engine.change)
    return replace(end, usage=replace(end.usage or Usage(), gpu_memory=peak))


def ended_run(run: Run, end: End) -> Run:
    """The run with its end filled in."""
    return replace(
        run,
        end_time=end.time,
        exit_code=end.exit_code,
        signal=end.signal,
        stopped_by=end.stopped_by,
        usage=end.usage,
    )


def start_again(engine: Engine, run: Run, now: float) -> None:
    """Order a recorded run once more: the runner has not got it. Its id makes this harmless."""
    live = engine.live[run.job]
    task = live.tasks[run.index]
    if task.state is State.STOPPING:
        end = End(time=now, stopped_by=task.stopping, message="it was never started")
        run_ended(engine, run.id, end)
    else:
        order = start_order(live.job, task, run.claim, engine.host)
        engine.orders.append(replace(order, time_limit=limit_of(run.claim)))
        if task.state is State.SUSPENDED:
            engine.orders.append(suspend_order(live.job, task, now))


def change_limit(engine: Engine, task: Task, limit: float | None) -> None:
    """Give a running element another time limit: its claim ends with it."""
    run = engine.runs[task.run]
    end = None if limit is None else run.claim.start + limit + run.claim.paused
    run = replace(run, claim=held_to(engine.live[run.job].job, replace(run.claim, end=end)))
    engine.change.update_run(run)
    engine.runs[task.run] = run
    engine.view.change(run.claim)
    engine.orders.append(wire.Limit(run=task.run, time_limit=limit_of(run.claim)))


def lose_runs_of_other_boots(engine: Engine, now: float) -> None:
    """The machine went down under the runs that were alive then.

    A prepared run may have begun in the place of another, and nothing of that have reached the
    disk: it counts as lost, too, so that no run is started twice.
    """
    for run in [run for run in engine.prepared.values() if run.boot != engine.host.boot]:
        begin(engine, run, now)
    for run in [run for run in engine.runs.values() if run.boot != engine.host.boot]:
        run_ended(engine, run.id, End(time=now, lost=True, message="the machine restarted"))


def forgive_back_offs(engine: Engine, now: float) -> None:
    """What waits to be tried again since an instant that has not come yet waits no longer.

    Somebody has set the clock back; waiting on might take as long as it was wrong.
    """
    for live in list(engine.live.values()):
        for task in list(live.tasks.values()):
            if task.not_before > now and (task.end_time or 0.0) > now + 1.0 and not task.held:
                event = Event(kind=Kind.RELEASE, time=now, cause="the clock was set back")
                engine.apply(live, task, event)
