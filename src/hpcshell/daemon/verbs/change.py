"""Verbs that change what is there: cancel, hold, release, requeue, edit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.lifecycle import Event, Kind, word
from hpcshell.core.records import NO_INDEX, Job, Outcome, State, Task
from hpcshell.core.words import signal_number
from hpcshell.daemon.admission import user_name
from hpcshell.daemon.editing import changed_fields, check_edited_gangs, edit_elements, edits
from hpcshell.daemon.finding import Found, find, visible
from hpcshell.daemon.orders import signal_target
from hpcshell.daemon.runner import wire
from hpcshell.daemon.runs import change_limit
from hpcshell.machine import clock

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.live import LiveJob
    from hpcshell.daemon.server import Ask, Peer

DONE: Final = {
    "cancel": "cancelled",
    "hold": "held",
    "release": "released",
    "requeue": "requeued",
    "suspend": "suspended",
    "resume": "resumed",
    "preempt": "preempted",
    "edit": "edited",
}
"""What the story says of a verb that was carried out."""

NOTHING = {
    "cancel": "runs, and only what runs gets a signal",
    "hold": "waits: what runs cannot be held",
    "release": "waits: there is nothing to let go",
    "requeue": "runs, and only what runs can be put back into the queue",
    "suspend": "runs, and only what runs can be suspended",
    "resume": "is suspended: there is nothing to resume",
    "preempt": "runs, and only what runs can make room",
}
"""What keeps a verb from doing anything to a job that has not ended."""

Act = Callable[["Engine", "LiveJob", Found, str], list[dict[str, Any]]]


def each(daemon: Daemon, peer: Peer, ask: Ask, verb: str, act: Act) -> dict[str, Any]:
    """Do something to all that is named; what cannot be done is said, and the rest is done."""
    engine = daemon.engine
    changed: list[dict[str, Any]] = []
    unchanged: list[dict[str, Any]] = []
    cause = f"{DONE[verb]} by {user_name(peer.uid)}"
    named = find(engine, ask.args, peer.uid)
    for found in named:
        visible(found.job, peer.uid, verb)
    for found in named:
        live = engine.live.get(found.job.id)
        if live is None:
            why = f"job {found.job.id} has ended"
            unchanged.append({"id": found.job.id, "why": why, "ended": True})
        elif ask.args.get("dry_run"):
            changed.append(
                {"id": found.job.id, "element": None, "was": live.state().value, "now": None}
            )
        else:
            lines = act(engine, live, found, cause)
            changed.extend(lines)
            if not lines:
                why = f"nothing of job {found.job.id} {NOTHING[verb]}"
                unchanged.append({"id": found.job.id, "why": why, "ended": False})
    return {"jobs": changed, "unchanged": unchanged}


def line_of(task: Task, was: str) -> dict[str, Any]:
    element = None if task.index < 0 else task.index
    return {"id": task.job, "element": element, "was": was, "now": word(task)}


def chosen(live: LiveJob, found: Found) -> list[Task]:
    """The elements meant that have not ended; those that never began only when they are named."""
    if found.elements is None:
        return list(live.tasks.values())
    return [task for index in found.elements if (task := live.task(index)) is not None]


def cancel(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Cancel what waits at once and ask what runs to end; with `signal`, only send the signal."""
    name = ask.args.get("signal")
    number = signal_number(str(name)) if name else 0
    states = {str(state).upper() for state in ask.args.get("states") or ()}

    def act(engine: Engine, live: LiveJob, found: Found, cause: str) -> list[dict[str, Any]]:
        if number:
            return _signal(engine, live, found, number)
        return cancel_job(engine, live, found, cause, states)

    return each(daemon, peer, ask, "cancel", act)


def cancel_job(
    engine: Engine, live: LiveJob, found: Found, cause: str, states: set[str]
) -> list[dict[str, Any]]:
    """Cancel the elements meant; a whole waiting remainder goes as one fact."""
    now = clock.now()
    lines = []
    tasks = [task for task in chosen(live, found) if not states or word(task) in states]
    if found.elements is None and live.waiting and (not states or "PENDING" in states):
        job = live.job
        count = engine.drop_waiting(live, Outcome.CANCELLED, cause, now)
        line = {
            "id": job.id,
            "element": None,
            "was": "PENDING",
            "now": "CANCELLED",
            "elements": count,
        }
        lines.append(line)
    for task in tasks:
        was = word(task)
        if task.state is State.PENDING:
            event = Event(kind=Kind.CANCEL, time=now, cause=cause, outcome=Outcome.CANCELLED)
            lines.append(line_of(engine.apply(live, task, event), was))
        else:
            lines.append(line_of(engine.stop(live, task, "cancel", cause, now), was))
    return lines


def _signal(engine: Engine, live: LiveJob, found: Found, number: int) -> list[dict[str, Any]]:
    lines = []
    for task in chosen(live, found):
        if task.state in (State.RUNNING, State.SUSPENDED, State.STOPPING):
            engine.orders.append(
                wire.Signal(run=task.run, signal=number, to=signal_target(live.job))
            )
            lines.append(line_of(task, word(task)))
    return lines


def hold(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Keep what has not begun from beginning."""
    return each(daemon, peer, ask, "hold", partial(_hold_or_release, Kind.HOLD))


def release(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Let held work wait for its turn again; ends a retry's back-off, too."""
    for found in find(daemon.engine, ask.args, peer.uid):
        live = daemon.engine.live.get(found.job.id)
        if live is not None:
            _check_release(live.job, found)
    return each(daemon, peer, ask, "release", partial(_hold_or_release, Kind.RELEASE))


def _check_release(job: Job, found: Found) -> None:
    """Refuse what could not let anything go."""
    if job.held == "dependency":
        raise Refused(
            f"job {job.id} is held for a dependency that can never be met",
            f"change that: hpc edit {job.id} --dependency ..., or: hpc cancel {job.id}",
        )
    if job.held and found.elements is not None:
        raise Refused(f"job {job.id} is held as a whole, not by elements", f"hpc release {job.id}")


def _hold_or_release(
    kind: Kind, engine: Engine, live: LiveJob, found: Found, cause: str
) -> list[dict[str, Any]]:
    now = clock.now()
    lines = []
    if found.elements is None and (live.waiting or live.state() is State.PENDING):
        engine.amend(live, cause, now, held="user" if kind is Kind.HOLD else "")
        lines.append({"id": live.job.id, "element": None, "was": "PENDING", "now": "PENDING"})
    for task in chosen(live, found):
        if task.state is State.PENDING:
            after = engine.apply(live, task, Event(kind=kind, time=now, cause=cause))
            if found.elements is not None or not lines or task.index != NO_INDEX:
                lines.append(line_of(after, "PENDING"))
    return lines


def requeue(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Stop what runs and put it back in the queue as a new run."""
    for found in find(daemon.engine, ask.args, peer.uid):
        if found.job.id in daemon.engine.live and not found.job.requeue:
            raise Refused(
                f"job {found.job.id} was submitted with --no-requeue",
                f"cancel it, then: hpc rerun {found.job.id}",
            )

    def act(engine: Engine, live: LiveJob, found: Found, cause: str) -> list[dict[str, Any]]:
        return [
            line_of(engine.stop(live, task, "requeue", cause, clock.now()), word(task))
            for task in chosen(live, found)
            if task.state in (State.RUNNING, State.SUSPENDED)
        ]

    return each(daemon, peer, ask, "requeue", act)


def edit(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Change fields of jobs that have not ended; the time limit also of what runs."""
    changes = ask.args.get("changes")
    if not isinstance(changes, dict) or not changes:
        raise Wrong("nothing to change", "name at least one field, for example --time 2h")
    plans = []
    for found in find(daemon.engine, ask.args, peer.uid):
        live = _editable(daemon.engine, found, peer)
        plans.append((live, edits(daemon.engine, live, changes, peer.uid)))
    after = [(live.job, replace(live.job, **fields)) for live, fields in plans]
    check_edited_gangs(daemon.engine, after)
    done = []
    for live, fields in plans:
        done.append({"id": live.job.id, "changed": changed_fields(live, fields, changes)})
        if not ask.args.get("dry_run"):
            _carry_out(
                daemon.engine, live, changes, fields, f"{DONE['edit']} by {user_name(peer.uid)}"
            )
    return {"jobs": done}


def _editable(engine: Engine, found: Found, peer: Peer) -> LiveJob:
    job = found.job
    visible(job, peer.uid, "edit")
    if found.elements is not None:
        raise Wrong(f"job {job.id} is edited as a whole, not by elements", f"hpc edit {job.id} ...")
    live = engine.live.get(job.id)
    if live is None:
        raise Refused(f"job {job.id} has ended", f"run it again with: hpc rerun {job.id}")
    return live


def _carry_out(
    engine: Engine, live: LiveJob, changes: dict[str, Any], fields: dict[str, Any], cause: str
) -> None:
    engine.amend(live, cause, clock.now(), **fields)
    edit_elements(engine, live, changes, cause)
    if "time_limit" in changes:
        for task in list(live.tasks.values()):
            if task.state in (State.RUNNING, State.SUSPENDED):
                change_limit(engine, task, live.job.request.time_limit)
