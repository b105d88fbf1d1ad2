"""An engine from what is on disk: at the start, and whenever memory has run ahead of it."""

from __future__ import annotations

from msgspec.structs import replace

from hpcshell.core.records import Run, State, Task
from hpcshell.daemon.apart import restore
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.live import LiveJob
from hpcshell.daemon.parents import parent_facts, parents_of
from hpcshell.daemon.succession import begun_at
from hpcshell.machine import clock
from hpcshell.policy.preempt import room_after
from hpcshell.policy.retry import MAKE_ROOM
from hpcshell.store.rows import LiveJob as StoredLive
from hpcshell.store.store import Store


def load(engine: Engine) -> None:
    """Fill an empty engine from the store; the store is not changed."""
    for stored in engine.store.live_jobs():
        live = LiveJob(stored.job, stored.waiting)
        live.tasks = {task.index: task for task in stored.tasks}
        _tally(engine.store, live, stored)
        engine.hold(live)
    for run in engine.store.live_runs():
        engine.runs[run.id] = _begun(run, engine.live[run.job].tasks[run.index])
    for run in engine.store.prepared_runs():
        engine.prepared[run.job, run.index] = run
    draw(engine)


def draw(engine: Engine) -> None:
    """Show an empty view all that the engine holds."""
    view = engine.view
    restore(engine)
    parents = {parent for live in engine.live.values() for parent in parents_of(live.job)}
    for job, live in sorted(engine.live.items()):
        if job in parents:
            view.know(job, parent_facts(engine.store, job))
        engine.introduce_parents(live.job)
        view.put_job(live.job, live.waiting)
        for task in live.tasks.values():
            if task.state is State.PENDING:
                view.put_task(task)
    for run in engine.runs.values():
        view.claim(run.claim)
        _draw_run(engine, run)
    for run in engine.followers.values():
        view.lend(run.job, run.index)
    if view.bounds is not None:  # what has begun has been shown after its job
        for entry in view.queue.jobs.values():
            view.bounds.submitted(entry.job, entry.alive())


def _draw_run(engine: Engine, run: Run) -> None:
    live = engine.live[run.job]
    task = live.tasks[run.index]
    if task.waking:
        engine.view.wake(run.id)
    if task.state is State.STOPPING and task.stopping in MAKE_ROOM:
        engine.view.leave(run.id, clock.now() + room_after(live.job))


def _begun(run: Run, task: Task) -> Run:
    """The run as of the instant at which its element began: it may have been recorded before."""
    if task.start_time is None or run.start_time == task.start_time:
        return run
    claim = begun_at(run.claim, task.start_time)
    return replace(run, start_time=task.start_time, claim=claim)


def _tally(store: Store, live: LiveJob, stored: StoredLive) -> None:
    """Add up the elements of a live job that have ended already."""
    if stored.ended:
        for task in store.ended_tasks(live.job.id):
            live.tally.add(task)
    if stored.dropped and live.job.dropped is not None:
        cause, time = _why_dropped(store, live.job.id)
        live.tally.add_never_begun(stored.dropped, live.job.dropped, cause, time)


def _why_dropped(store: Store, job: int) -> tuple[str, float]:
    for entry in store.story(job, None):
        if entry.kind == "drop":
            return entry.cause, entry.time
    return "", 0.0
