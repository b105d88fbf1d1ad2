"""What waits here is sent as soon as the site takes it, and what was not answered is cleared up.

Done by whoever looks at a cluster, one at a time, and by `hpc cluster tend`, which goes on until
nothing is left to do.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from msgspec.structs import replace

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.doubt import shown
from hpcshell.clusters.lookout import picture
from hpcshell.clusters.parents import still_wanted
from hpcshell.clusters.polls import exclusive
from hpcshell.clusters.submitting import Submitting
from hpcshell.core.errors import HpcError
from hpcshell.machine import clock
from hpcshell.machine.link import LinkDown
from hpcshell.store.ledger.entries import Entry, Part
from hpcshell.store.ledger.failures import UNWRITABLE

EVERY: Final = 15.0
"""Seconds between two tries."""
LONGEST: Final = 120.0
"""Seconds between two tries where nothing moves, at the most."""
DOUBT: Final = 60.0
"""A whole answer that was asked for so long after a submission, and does not show it, and nothing
on record of its beginning: it was not taken."""


def tend(cluster: Cluster, pause: Callable[[float], None]) -> int:
    """One try at everything that is left to do, unless it was tried just now; how much is left."""
    left = cluster.ledger.unsent(cluster.name)
    if not left:
        return 0
    with _alone(cluster) as mine:
        if mine and _is_there(cluster):
            submitting = Submitting(cluster, pause)
            _clear_up(submitting, [part for part in left if part.state == "asking"])
            _send(submitting)
    return len(cluster.ledger.unsent(cluster.name))


def _is_there(cluster: Cluster) -> bool:
    """Whether the site that was submitted to answers, and no other under its name; and what is
    done can be recorded."""
    try:
        cluster.ledger.require()
        cluster.verify()
    except HpcError:
        return False
    return True


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
        with contextlib.suppress(HpcError):
            native = shown(part, seen) or submitting.begun(part)
            if native:
                submitting.take_note(part, native)
            elif look.snapshot.at > part.since + DOUBT:
                with cluster.ledger.change() as change:
                    change.mark(part, "planned", clock.now(), "it was sent, and was not taken")


def _send(submitting: Submitting) -> None:
    """Hand over what waits, the oldest first, until the site takes no more."""
    cluster = submitting.cluster
    waiting = [part for part in cluster.ledger.unsent(cluster.name) if part.state == "planned"]
    for serial in dict.fromkeys(part.serial for part in waiting):
        entry = cluster.ledger.entry(serial)
        if entry is None:
            continue
        try:
            trouble = submitting.hand_over(_as_wanted(submitting, entry))
        except UNWRITABLE as error:
            cluster.ledger.unkept = error.message
            return
        except LinkDown:
            return
        except HpcError as error:
            _refuse(cluster, serial, error.message)
            continue
        if trouble is not None and trouble.kind in ("limit", "busy", "unset"):
            return


def _as_wanted(submitting: Submitting, entry: Entry) -> Entry:
    """The entry, and its job scripts, as they are to be sent now. Raises `Refused` if what it waits
    for can never be any more."""
    parents, any_one = still_wanted(submitting.cluster, entry)
    now = replace(entry, parents=parents, any=any_one)
    fewer = any(part.state == "withdrawn" for part in submitting.cluster.ledger.parts(entry.serial))
    if now != entry or fewer or entry.held != entry.spec.submission.hold:
        submitting.orders.write_scripts(now)
    return now


def _refuse(cluster: Cluster, serial: int, why: str) -> None:
    with cluster.ledger.change() as change:
        for part in cluster.ledger.parts(serial):
            if part.state == "planned":
                change.mark(part, "refused", clock.now(), why)


def needs_somebody(cluster: Cluster) -> bool:
    """Whether something waits here that nobody stays with."""
    if not cluster.ledger.unsent(cluster.name):
        return False
    with exclusive(_keeper(cluster)) as mine:
        return mine()


def stay(cluster: Cluster, pause: Callable[[float], None], say: Callable[[str], None]) -> None:
    """Stay until nothing waits here; one process does that for a cluster. Whoever submits looks
    after that whether somebody stays, so what waits is looked for once more after that."""
    while cluster.ledger.unsent(cluster.name):
        with exclusive(_keeper(cluster)) as mine:
            if not mine():
                return
            _stay(cluster, pause, say)


def _stay(cluster: Cluster, pause: Callable[[float], None], say: Callable[[str], None]) -> None:
    shortest = min(EVERY, cluster.settings.poll * 3)
    wait, before = shortest, 0
    while True:
        try:
            picture(cluster)  # what has ended since makes room
            left = tend(cluster, pause)
        except HpcError as error:
            left = len(cluster.ledger.unsent(cluster.name))
            say(error.message)
        if not left:
            return
        if left != before:
            say(f"{left} wait here")
        wait = shortest if left != before else min(wait * 1.5, LONGEST)
        before = left
        pause(wait)


def _keeper(cluster: Cluster) -> str:
    return _of_this_way(cluster, "keeper")


def _of_this_way(cluster: Cluster, name: str) -> str:
    """A file of those whom the same leads to the site: others may not reach it, and hold nobody
    back."""
    return f"{cluster.polls.directory}/{name}-{zlib.crc32(os.fsencode(cluster.way)):08x}"


@contextlib.contextmanager
def _alone(cluster: Cluster) -> Iterator[bool]:
    """Whether it is this one's turn: nobody else is at it, or was just now."""
    path = _of_this_way(cluster, "tending")
    with exclusive(path) as lock:
        mine = lock() and not 0 <= clock.now() - _tried(path) < min(
            EVERY, cluster.settings.poll * 3
        )
        yield mine
        if mine:
            now = clock.now()
            with contextlib.suppress(OSError):
                os.truncate(path, 1)
                os.utime(path, (now, now))


def _tried(path: str) -> float:
    """When it was last done; long ago if never."""
    try:
        found = os.stat(path)
    except OSError:
        return 0.0
    return found.st_mtime if found.st_size else 0.0
