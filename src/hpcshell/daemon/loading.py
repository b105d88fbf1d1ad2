"""An engine from what is on disk: at the start, and whenever memory has run ahead of it."""

from __future__ import annotations

from msgspec.structs import replace

from hpcshell.core.records import Run, State, Task
from hpcshell.daemon.apart import restore
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.live import LiveJob
from hpcshell.daemon.parents import parent_facts, parents_of
from hpcshell.daemon.succession import begun_at
from hpcshell.store.rows import LiveJob as StoredLive
from hpcshell.store.store import Store


def load(engine: Engine) -> None:
    """Fill an empty engine from the store; the store is not changed."""
    restore(engine)
    jobs = list(engine.store.live_jobs())
    parents = {parent for stored in jobs for parent in parents_of(stored.job)}
    for stored in jobs:
        if stored.job.id in parents:
            engine.view.know(stored.job.id, parent_facts(engine.store, stored.job.id))
        live = LiveJob(stored.job, stored.waiting)
        live.tasks = {task.index: task for task in stored.tasks}
        _tally(engine.store, live, stored)
        engine.keep(live)
        for task in stored.tasks:
            if task.state is State.PENDING:
                engine.view.put_task(task)
    for run in engine.store.live_runs():
        begun = _begun(run, engine.live[run.job].tasks[run.index])
        engine.runs[run.id] = begun
        engine.view.claim(begun.claim)
        if engine.live[run.job].tasks[run.index].waking:
            engine.view.wake(run.id)
    for run in engine.store.prepared_runs():
        engine.prepared[run.job, run.index] = run


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
