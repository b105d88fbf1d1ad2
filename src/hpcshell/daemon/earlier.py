"""What is left of a queue whose database is lost or older: files, running jobs, ids given out."""

from __future__ import annotations

import os
from typing import Final

from hpcshell.daemon.runner.journal import Journal, Table
from hpcshell.machine.paths import Places
from hpcshell.machine.processes import Identity, alive
from hpcshell.store.store import Store

SHOWN: Final = 5


def signs_of_earlier(where: Places) -> list[str]:
    """What shows that there was a database, in words; nothing in a state directory that is new."""
    signs = where.left_of_earlier()
    running = _running(where)
    signs += [f"process {pid} (running)" for pid in running[:SHOWN]]
    if len(running) > SHOWN:
        signs.append(f"{len(running) - SHOWN:,} more processes")
    return signs


def learn_runs(where: Places, store: Store) -> bool:
    """See to it that no run id is given out that the runner knows: the database may be older.

    False: its journal is gone, and one may be there that has to be asked.
    """
    _, runs = _noted(where)
    with store.change() as change:
        change.skip_runs(max(runs, default=0))
    return os.path.isfile(where.runs_journal) or not os.path.exists(where.runner_socket)


def _running(where: Places) -> list[int]:
    """The first processes of the runs that the runner has noted and that are alive."""
    boot, runs = _noted(where)
    begun = [entry.spawned for entry in runs.values() if entry.spawned and not entry.ended]
    return [each.pid for each in begun if alive(Identity(each.pid, each.ticks, boot))]


def _noted(where: Places) -> tuple[str, Table]:
    """The boot, and the runs that the runner has noted in it."""
    if not os.path.isfile(where.runs_journal):
        return "", Table()
    journal = Journal(where.runs_journal)
    try:
        return journal.load()
    finally:
        journal.close()
