"""Verbs for what is to stand still, to go on, or to make room: suspend, resume, preempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcshell.core.errors import NotYet
from hpcshell.core.lifecycle import word
from hpcshell.core.records import State
from hpcshell.daemon import suspending
from hpcshell.daemon.finding import Found, find
from hpcshell.daemon.verbs.change import chosen, each, line_of
from hpcshell.machine import clock

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.live import LiveJob
    from hpcshell.daemon.server import Ask, Peer


def suspend(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Let what runs stand still until somebody resumes it."""
    _check_suspend(daemon.engine, ask, peer)

    def act(engine: Engine, live: LiveJob, found: Found, cause: str) -> list[dict[str, Any]]:
        return [
            line_of(suspending.suspend(engine, live, task, cause, clock.now()), word(task))
            for task in chosen(live, found)
            if task.state is State.RUNNING or task.waking
        ]

    return each(daemon, peer, ask, "suspend", act)


def resume(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Let what is suspended go on: at once where its CPUs are free, else as soon as it is its turn
    and they are."""
    return each(daemon, peer, ask, "resume", _resume)


def _resume(engine: Engine, live: LiveJob, found: Found, cause: str) -> list[dict[str, Any]]:
    now = clock.now()
    lines = []
    for task in chosen(live, found):
        if task.state is not State.SUSPENDED:
            continue
        if engine.view.may_resume(task.run) and not engine.view.book.known:
            lines.append(line_of(suspending.resume(engine, live, task, cause, now), word(task)))
        else:
            why = f"{cause}; it goes on as soon as its CPUs are free"
            line = line_of(suspending.wake(engine, live, task, why, now), word(task))
            lines.append({**line, "later": "goes on as soon as its CPUs are free"})
    return lines


def preempt(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Let what runs make room for what goes before it, in one of the modes."""
    mode: suspending.Mode = ask.args.get("mode") or "requeue"
    grace = ask.args.get("grace")
    if mode == "suspend":
        _check_suspend(daemon.engine, ask, peer)

    def act(engine: Engine, live: LiveJob, found: Found, cause: str) -> list[dict[str, Any]]:
        lines = []
        for task in chosen(live, found):
            if task.state in (State.RUNNING, State.SUSPENDED):
                now = clock.now()
                after = suspending.preempt(engine, live, task, mode, cause, now, grace=grace)
                lines.append(line_of(after, word(task)))
        return lines

    return each(daemon, peer, ask, "preempt", act)


def _check_suspend(engine: Engine, ask: Ask, peer: Peer) -> None:
    """Raise `NotYet` if anything of what is named runs and cannot be suspended now."""
    for found in find(engine, ask.args, peer.uid):
        live = engine.live.get(found.job.id)
        for task in () if live is None else chosen(live, found):
            if task.state is State.RUNNING and not suspending.can_be_suspended(engine, task):
                raise NotYet(
                    f"job {found.job.id} cannot be suspended now: its runner does not answer, or is"
                    " that of an earlier version, which stays as long as anything runs",
                    "try again later",
                )
