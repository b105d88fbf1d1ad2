"""What is on record of a submission that is moved to another cluster, and who may touch it then."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.known import Element
from hpcshell.clusters.polls import exclusive
from hpcshell.core.errors import NotYet
from hpcshell.core.sightings import ENDED, Sighting
from hpcshell.store.ledger.entries import Entry, Part
from hpcshell.store.ledger.reading import Reading

MOVING: Final = "Moving"
"""The code of what was ended at its site and is not on record at the next yet."""


def moved_key(entry: Entry) -> str:
    """The key of the entry that follows when this one is moved: there can be only one."""
    first = entry.key.removesuffix(f"m{entry.moves}") if entry.moves else entry.key
    return f"{first}m{entry.moves + 1}"


def follower(ledger: Reading, entry: Entry) -> Entry | None:
    """The entry in the place of one that was moved."""
    return ledger.keyed(moved_key(entry)) if entry.moved else None


def turned_away(entry: Entry, parts: Iterable[Part]) -> bool:
    """Whether its site takes none of it after all: it is to go on to another, or back."""
    wanted = entry.elsewhere and not entry.moved and entry.cancelled is None
    return bool(wanted) and all(part.state == "refused" for part in parts)


def under_way(ledger: Reading, entry: Entry, parts: Sequence[Part]) -> str:
    """Where it is being moved to; "": it is not, or is there, or its user wants no more of it."""
    if turned_away(entry, parts):
        return next(iter(entry.elsewhere))
    return entry.moved if begun(ledger, entry) and entry.cancelled is None else ""


def may_leave(entry: Entry) -> bool:
    """Whether it may be moved, or is being moved: it may be on its way back from the last other."""
    return bool(entry.elsewhere or entry.moved)


def begun(ledger: Reading, entry: Entry) -> bool:
    """Whether a move of it was begun and has not come to an end: it may be held at its site, even
    if its user has cancelled it meanwhile."""
    return bool(entry.moved) and follower(ledger, entry) is None


def is_to_go_on(ledger: Reading, entry: Entry) -> bool:
    """Whether there is something left to do of its move, be it only to end it for its user."""
    if begun(ledger, entry):
        return True
    return bool(entry.elsewhere) and turned_away(entry, ledger.parts(entry.serial))


def unfinished(cluster: Cluster) -> list[Entry]:
    """Those of a cluster whose move is to be gone on with."""
    ledger = cluster.ledger
    return [entry for entry in ledger.open_entries(cluster.name) if is_to_go_on(ledger, entry)]


def as_moving(
    entry: Entry, elements: Mapping[Element, Sighting], where: str
) -> dict[Element, Sighting]:
    """Elements as they are while it is between two sites: what was ended for that still waits."""
    return {
        element: replace(
            one,
            state="PENDING",
            reason=f"it is being moved to {where}",
            reason_code=MOVING,
            end_time=None,
        )
        if one.state in ENDED and not one.start_time and (entry.left or not one.native)
        else one
        for element, one in elements.items()
    }


def turn(cluster: Cluster) -> contextlib.AbstractContextManager[Callable[[], bool]]:
    """The right to move jobs away from a cluster: tells, when called, whether it could be had."""
    return exclusive(f"{cluster.polls.directory}/moving")


@contextlib.contextmanager
def staying(cluster: Cluster, entries: Iterable[Entry]) -> Iterator[None]:
    """Nobody moves these meanwhile. Raises `NotYet` for one that is being moved."""
    movable = [entry for entry in entries if may_leave(entry)]
    if not movable:
        yield
        return
    with turn(cluster) as mine:
        if not mine():
            raise NotYet(f"{cluster.name}: jobs there are being moved", "try again in a moment")
        for entry in movable:
            now = cluster.ledger.entry(entry.serial)
            if now is not None and now.moved:
                raise moved(now)
        yield


def moved(entry: Entry) -> NotYet:
    """The error for one that is not, or not for long, where it was."""
    label = entry.number or f"w{entry.serial}"
    return NotYet(
        f"job {label} is moved from {entry.cluster} to {entry.moved}",
        "try again in a moment, with --on any",
    )
