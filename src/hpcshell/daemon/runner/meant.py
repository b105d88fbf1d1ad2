"""Whom a signal for a run reaches. What shows a session is none of the job."""

from __future__ import annotations

from hpcshell.daemon.runner.journal import Entry, Spawned
from hpcshell.daemon.runner.roster import Roster
from hpcshell.machine import processes
from hpcshell.machine.processes import Row
from hpcshell.machine.session.words import PART, Session


def meant(roster: Roster, entry: Entry, to: str) -> list[Row]:
    """The processes of a run that `to` names (see `wire.Target`)."""
    spawned = entry.spawned
    if spawned is None:
        return []
    first = _first(roster, entry, spawned)
    if to == "leader":
        return [] if first is None else [first]
    members = roster.members(entry)
    if entry.spawning.session and first is not None:
        members = [row for row in members if not _shows(row, first, spawned.pid)] or [first]
    rest = [row for row in members if first is None or row.pid != first.pid]
    return rest if to == "rest" and rest else members


def _first(roster: Roster, entry: Entry, spawned: Spawned) -> Row | None:
    """The first process of the job itself. The host of a session, as long as it has none: it keeps
    the signal for it."""
    leader = processes.look(spawned.pid)
    if leader is None or leader.ticks != spawned.ticks:
        return None
    if not entry.spawning.session:
        return leader
    try:
        with open(Session("", "", roster.ground.places.session(entry.run)).first, "rb") as file:
            first = processes.look(int(file.read()))
    except (OSError, ValueError):
        return leader
    return first if first is not None and first.ppid == leader.pid else leader


def _shows(row: Row, first: Row, host: int) -> bool:
    """Whether it is the host, or screen (whose environment may be closed to us), or what they and
    tmux have started."""
    if row.pid == first.pid:
        return False
    return host in (row.pid, row.ppid) or processes.environment_names(row.pid, PART)
