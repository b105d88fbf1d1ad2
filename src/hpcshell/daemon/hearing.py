"""What the runner says, put into the engine's words. Every report may come twice and must do no
harm."""

from __future__ import annotations

from hpcshell.core.records import Run, State, Usage
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.orders import limit_of, stop_order, suspend_order
from hpcshell.daemon.runner import wire
from hpcshell.daemon.runs import run_ended, start_again
from hpcshell.daemon.succession import begin, prepared_run, recall_anew, recalled, succeed
from hpcshell.machine import clock
from hpcshell.policy.retry import End


def hear(engine: Engine, event: wire.AnyEvent) -> None:
    """Take one report in."""
    if isinstance(event, wire.Report) and event.run not in engine.runs:
        prepared = prepared_run(engine, event.run)
        if prepared is not None:
            begin(engine, prepared, event.time or clock.now())
    match event:
        case wire.Started() if event.run in engine.runs:
            engine.pids[event.run] = event.pid
        case wire.Started():
            _disown(engine, event)
        case wire.Recalled():
            recalled(engine, event)
        case wire.Ended() | wire.FailedToStart() | wire.Lost():
            _ended(engine, event)
        case wire.Standing():
            _standing(engine, event)
        case wire.Complaint():
            engine.complaints.append(event.message)
        case wire.Unknown():
            _unknown(engine, event.run)


def _ended(engine: Engine, event: wire.Ended | wire.FailedToStart | wire.Lost) -> None:
    if isinstance(event, wire.FailedToStart) and event.transient:
        engine.complaints.append(event.message)
        if event.run in engine.runs:
            engine.deferred.append(event.run)
        return
    end = _end(event)
    run_ended(engine, event.run, end)
    engine.acks.append(event.run)
    if not isinstance(event, wire.FailedToStart) and event.successor:
        succeed(engine, event.run, event.successor, end.time)


def _end(event: wire.Ended | wire.FailedToStart | wire.Lost) -> End:
    time = event.time or clock.now()
    match event:
        case wire.Ended():
            return End(
                time=time,
                exit_code=event.exit_code,
                signal=event.signal,
                stopped_by=event.stopped_by or "",
                usage=Usage(
                    cpu_user=event.cpu_user,
                    cpu_system=event.cpu_system,
                    max_rss=event.max_rss,
                    max_rss_at_most=event.max_rss_at_most,
                ),
            )
        case wire.FailedToStart():
            return End(time=time, exit_code=event.exit_code, message=event.message)
        case wire.Lost():
            return End(
                time=time, lost=True, message=event.reason, stopped_by=event.stopped_by or ""
            )


def _standing(engine: Engine, standing: wire.Standing) -> None:
    """Make the runner's world and ours equal: the live path and the recovery path are this one."""
    engine.protocol = standing.protocol
    engine.runner_pid = standing.runner_pid
    engine.keeper_pid = standing.keeper_pid
    known = {report.run: report for report in standing.runs}
    for report in standing.runs:
        if report.run not in engine.runs and prepared_run(engine, report.run) is None:
            _disown(engine, report)
        else:
            hear(engine, report)
    if engine.followers or engine.recalling:
        recall_anew(engine)  # what was ordered before we heard this may be kept all the same
    for run in [run for run in engine.runs.values() if run.id not in known]:
        start_again(engine, run, clock.now())
    for run_id in known.keys() & engine.runs.keys():
        _remind(engine, engine.runs[run_id], known[run_id])
    engine.change.skip_runs(max(known, default=0))
    engine.met = engine.dirty = True


def _remind(engine: Engine, run: Run, report: wire.Report) -> None:
    """The runner may have missed that this run is to stop, to stand still or to go on, or has
    another time limit."""
    live = engine.live[run.job]
    task = live.tasks[run.index]
    if task.state is State.STOPPING:
        engine.orders.append(stop_order(live.job, task))
        return
    engine.orders.append(wire.Limit(run=run.id, time_limit=limit_of(run.claim)))
    if task.state is State.SUSPENDED:
        engine.orders.append(suspend_order(live.job, task, clock.now()))
    elif isinstance(report, wire.Started) and report.suspended:
        engine.orders.append(wire.Resume(run=run.id))


def _unknown(engine: Engine, run_id: int) -> None:
    """A stop reached the runner for a run it never started (its start had been deferred)."""
    run = engine.runs.get(run_id)
    if run is not None and engine.live[run.job].tasks[run.index].state is State.STOPPING:
        start_again(engine, run, clock.now())


def _disown(engine: Engine, report: wire.Report) -> None:
    """A run whose end is recorded: the runner may forget it, and must not keep it alive.

    One that is not recorded at all belongs to a later state of the queue, which is lost (a copy of
    the database was put back): its job may be started again, and it must not go on, too.
    """
    if engine.store.run(report.run) is None:
        engine.strangers.append(report)
    if isinstance(report, wire.Started):
        engine.orders.append(wire.Stop(run=report.run, cause="unknown to the daemon", grace=0.0))
    else:
        engine.acks.append(report.run)
