"""What waits here is sent as soon as the site takes it, and what was not answered is cleared up.

Done by whoever looks at a cluster, one at a time, and by `hpc cluster tend`, which goes on until
nothing is left to do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from typing import Final

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.submitting import Submitting, shown
from hpcshell.core.errors import HpcError
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Part

EVERY: Final = 15.0
"""Seconds between two tries."""
DOUBT: Final = 60.0
"""A whole answer that was asked for so long after a submission, and does not show it, and nothing
on record of its beginning: it was not taken."""


def to_do(cluster: Cluster) -> list[Part]:
    """The parts that the site does not have, or may not have."""
    parts = cluster.ledger.open_parts(cluster.name)
    return [
        part
        for several in parts.values()
        for part in several
        if part.state in ("planned", "asking")
    ]


def tend(cluster: Cluster, pause: Callable[[float], None]) -> int:
    """One try at everything that is left to do, unless it was tried just now; how much is left."""
    left = to_do(cluster)
    if not left:
        return 0
    with _alone(cluster) as mine:
        if mine:
            submitting = Submitting(cluster, pause)
            with contextlib.suppress(HpcError):
                _clear_up(submitting, [part for part in left if part.state == "asking"])
            _send(submitting, sorted({part.serial for part in to_do(cluster)}))
    return len(to_do(cluster))


def _clear_up(submitting: Submitting, asking: list[Part]) -> None:
    """Find out what became of submissions that were not answered."""
    cluster = submitting.cluster
    if not asking:
        return
    look = cluster.queue()
    seen = cluster.read_queue(look)
    if look.trouble or not seen.whole or look.snapshot is None:
        return
    for part in asking:
        native = shown(part, seen) or submitting.begun(part)
        if native:
            submitting.take_note(part, native)
        elif look.snapshot.at > part.since + DOUBT:
            with cluster.ledger.change() as change:
                change.mark(part, "planned", clock.now(), "it was sent once, and was not taken")


def _send(submitting: Submitting, serials: list[int]) -> None:
    """Hand over what waits, the oldest first, until the site takes no more."""
    cluster = submitting.cluster
    for serial in serials:
        entry = cluster.ledger.entry(serial)
        if entry is None:
            continue
        try:
            waits = submitting.hand_over(entry)
        except HpcError as error:
            with cluster.ledger.change() as change:
                for part in cluster.ledger.parts(serial):
                    if part.state == "planned":
                        change.mark(part, "refused", clock.now(), error.message)
            continue
        if waits:
            return


@contextlib.contextmanager
def _alone(cluster: Cluster) -> Iterator[bool]:
    """Whether it is this process's turn: nobody else is at it, or was just now."""
    directory = cluster.polls.directory
    os.makedirs(directory, mode=0o700, exist_ok=True)
    lock = os.open(f"{directory}/tending", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        tried = os.fstat(lock).st_mtime if os.fstat(lock).st_size else 0.0
        mine = not 0 <= clock.now() - tried < min(EVERY, cluster.settings.poll * 3)
        yield mine
        if mine:
            os.pwrite(lock, b".", 0)
    finally:
        os.close(lock)
