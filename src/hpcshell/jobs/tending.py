"""Somebody who stays with what waits here for a cluster, in the background.

It is one process for each cluster, which ends when nothing is left. What it does is on record in
the ledger: if it is killed nothing is lost, and whoever submits or looks next goes on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hpcshell.clusters.cluster import Cluster
    from hpcshell.jobs.doors import Door

ANY: Final = "any"
_DETACHED: Final = '"$@" </dev/null >>"$0" 2>&1 &'
"""It is nobody's child: a program that submits for days gets no zombie of it."""


def see_to(door: Door) -> list[str]:
    """Start somebody for each cluster behind a door for which jobs wait here, unless one is there,
    and for what may be moved; the names of those for which one was started."""
    if not hasattr(door, "cluster") and not hasattr(door, "desks"):
        return []  # this machine's own scheduler keeps what waits itself
    from hpcshell.clusters.tending import needs_somebody

    started = []
    for cluster in _clusters(door):
        if needs_somebody(cluster):
            _start(cluster.name, cluster.polls.directory)
            started.append(cluster.name)
    moves = getattr(door, "moves", None)
    if moves is not None and moves.needs_somebody():
        _start(ANY, moves.directory)
    return started


def _clusters(door: Door) -> Iterator[Cluster]:
    desks = getattr(door, "desks", None)
    if desks is not None:
        yield from (desk.cluster for desk in desks.values())
    elif hasattr(door, "cluster"):
        yield door.cluster


def _start(name: str, directory: str) -> None:
    import subprocess

    log = f"{directory}/tend.log"
    os.close(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    tending = ("-m", "hpcshell", "cluster", "tend", "--stay", name)
    argv = ("/bin/sh", "-c", _DETACHED, log, sys.executable, *tending)
    subprocess.run(argv, cwd="/", stdin=subprocess.DEVNULL, start_new_session=True, check=False)
