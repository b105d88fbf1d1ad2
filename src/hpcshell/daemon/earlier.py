"""What is left of a queue whose database is lost: files, and jobs that still run."""

from __future__ import annotations

from typing import Final

from hpcshell.daemon.runner.journal import Journal
from hpcshell.machine.paths import Places
from hpcshell.machine.processes import Identity, alive

SHOWN: Final = 5


def signs_of_earlier(where: Places) -> list[str]:
    """What shows that there was a database, in words; nothing in a state directory that is new."""
    signs = where.left_of_earlier()
    running = _running(where)
    signs += [f"process {pid} (running)" for pid in running[:SHOWN]]
    if len(running) > SHOWN:
        signs.append(f"{len(running) - SHOWN:,} more processes")
    return signs


def _running(where: Places) -> list[int]:
    """The first processes of the runs that the runner has noted and that are alive."""
    if not where.runs_journal.exists():
        return []
    journal = Journal(where.runs_journal)
    try:
        boot, runs = journal.load()
    finally:
        journal.close()
    begun = [entry.spawned for entry in runs.values() if entry.spawned and not entry.ended]
    return [each.pid for each in begun if alive(Identity(each.pid, each.ticks, boot))]
