"""Verbs that answer later: wait for ends, follow events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hpcshell.core.errors import Wrong
from hpcshell.daemon.finding import find
from hpcshell.daemon.views import entry_document
from hpcshell.daemon.watchers import Follower, Target, Wait, end_of

if TYPE_CHECKING:
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer

BACKLOG = 10_000


def wait(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any] | None:
    """Answer when all (or `any`) of the named jobs have ended, or after `timeout` seconds."""
    timeout = ask.args.get("timeout")
    if timeout is not None and not (isinstance(timeout, int | float) and math.isfinite(timeout)):
        raise Wrong("timeout must be a number of seconds", "leave it out to wait for ever")
    waiting = Wait(peer, ask.id, any_one=bool(ask.args.get("any")))
    for found in find(daemon.engine, ask.args, peer.uid):
        targets: list[Target] = [(found.job.id, None)]
        if found.elements is not None:
            targets = [(found.job.id, index) for index in found.elements]
        for target in targets:
            line = end_of(daemon.engine, target)
            if line is None:
                waiting.pending.add(target)
            else:
                waiting.done.append(line)
    if waiting.satisfied or (timeout is not None and timeout <= 0):
        return waiting.report(timed_out=not waiting.satisfied)
    daemon.watchers.wait(waiting, timeout)
    return None


def events(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any] | None:
    """Tell past events since a cursor, then (with `follow`) the coming ones as they are
    recorded."""
    jobs = None
    if ask.args.get("ids"):
        jobs = frozenset(found.job.id for found in find(daemon.engine, ask.args, peer.uid))
    follow = bool(ask.args.get("follow"))
    since = ask.args.get("since")
    store = daemon.engine.store
    cursor = store.ids.event if since is None and follow else int(since or 0)
    only = next(iter(jobs)) if jobs is not None and len(jobs) == 1 else None
    entries = store.events(cursor, job=only, limit=BACKLOG)
    for entry in entries:
        cursor = entry.seq
        if jobs is None or entry.job in jobs:
            peer.tell(ask.id, entry_document(entry))
    if follow and len(entries) < BACKLOG:
        daemon.watchers.follow(Follower(peer, ask.id, jobs, cursor))
        return None
    return {"cursor": cursor, "more": len(entries) == BACKLOG}
