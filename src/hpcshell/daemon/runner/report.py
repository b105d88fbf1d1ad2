"""How one run stands, in the words of the wire."""

from __future__ import annotations

import os

from hpcshell.daemon.runner import wire
from hpcshell.daemon.runner.journal import Entry


def report(entry: Entry) -> wire.Report:
    """How one run stands."""
    tag = entry.spawning.tag
    stopped_by = entry.stopping.cause if entry.stopping else None
    if entry.unable is not None:
        return wire.FailedToStart(
            run=entry.run,
            exit_code=entry.unable.exit_code,
            message=entry.unable.message,
            time=entry.unable.time,
            tag=tag,
        )
    if entry.over and entry.gone is not None:
        return wire.Lost(
            run=entry.run,
            reason=entry.gone.reason,
            time=entry.gone.time,
            stopped_by=stopped_by,
            tag=tag,
            successor=entry.successor,
        )
    if entry.over and entry.exited is not None:
        end = entry.exited
        signalled = os.WIFSIGNALED(end.status)
        return wire.Ended(
            run=entry.run,
            exit_code=None if signalled else os.WEXITSTATUS(end.status),
            signal=os.WTERMSIG(end.status) if signalled else None,
            core=signalled and os.WCOREDUMP(end.status),
            time=end.time,
            cpu_user=end.cpu_user,
            cpu_system=end.cpu_system,
            max_rss=end.max_rss,
            max_rss_at_most=entry.spawned is not None and 0 < end.max_rss <= entry.spawned.floor,
            stopped_by=stopped_by,
            tag=tag,
            successor=entry.successor,
        )
    assert entry.spawned is not None
    return wire.Started(
        run=entry.run,
        pid=entry.spawned.pid,
        start_ticks=entry.spawned.ticks,
        time=entry.spawned.time,
        stopping=stopped_by,
        suspended=entry.stands_still,
        tag=tag,
    )
