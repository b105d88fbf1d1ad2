"""Verbs about the daemon itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import hpcshell
from hpcshell.core.lifecycle import Event, Kind
from hpcshell.core.records import Outcome, State
from hpcshell.daemon.admission import user_name
from hpcshell.daemon.runner import wire
from hpcshell.daemon.verbs.apart import node_view
from hpcshell.daemon.views import resources_view
from hpcshell.machine import clock
from hpcshell.store.opening import SCHEMA

if TYPE_CHECKING:
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer

PROTOCOL = 1


def hello(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Who answers: versions, process ids, and how many elements are in which state."""
    engine = daemon.engine
    return {
        "name": "hpcd",
        "version": hpcshell.__version__,
        "protocol": PROTOCOL,
        "pid": os.getpid(),
        "runner_pid": engine.runner_pid or None,
        "keeper_pid": engine.keeper_pid or None,
        "started": daemon.started,
        "state_dir": engine.host.places.state,
        "schema": SCHEMA,
        "jobs": engine.roll.counts(),
        "last_event": engine.store.ids.event,
        "node": node_view(engine, clock.now()),
        "trouble": daemon.trouble.message if daemon.trouble else None,
    }


def stop(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any] | None:
    """Leave. Without `cancel` running jobs go on, and the next daemon finds them; with it the
    answer comes when they have ended, or when it is certain that nobody can end them.
    """
    if ask.args.get("dry_run"):
        return {"stopping": False, "jobs": daemon.engine.roll.counts()}
    daemon.leave(cancel=bool(ask.args.get("cancel")))
    if ask.args.get("cancel"):
        _cancel_everything(daemon, f"the daemon was stopped by {user_name(peer.uid)}")
        if daemon.engine.runs:
            daemon.farewells.append((peer, ask.id))
            return None
    return stopped_view(daemon)


def stopped_view(daemon: Daemon) -> dict[str, Any]:
    """What a daemon that leaves leaves behind: `running` are the jobs with a run that has not
    ended, `runner` whether there is one to end it.
    """
    engine = daemon.engine
    return {
        "stopping": True,
        "jobs": engine.roll.counts(),
        "running": sorted({run.job for run in engine.runs.values()}),
        "runner": daemon.runner.silent_since is None,
    }


def _cancel_everything(daemon: Daemon, cause: str) -> None:
    engine, now = daemon.engine, clock.now()
    for live in list(engine.live.values()):
        engine.drop_waiting(live, Outcome.CANCELLED, cause, now)
        for task in list(live.tasks.values()):
            if task.state is State.PENDING:
                event = Event(kind=Kind.CANCEL, time=now, cause=cause, outcome=Outcome.CANCELLED)
                engine.apply(live, task, event)
            else:
                engine.stop(live, task, "cancel", cause, now)
    engine.orders.append(wire.Inventory())


def reload(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Read the configuration again; a file that is wrong is refused and changes nothing."""
    before = daemon.engine.host.total
    daemon.configure(daemon.engine)
    daemon.notices.settle(daemon.engine.host.settings.notify)
    return {"before": resources_view(before), "now": resources_view(daemon.engine.host.total)}
