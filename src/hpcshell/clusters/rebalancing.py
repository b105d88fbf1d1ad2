"""Who moves jobs, and when: begun moves are gone on with by whoever looks, and better places are
looked for every ten minutes by a process that stays while something waits that may be moved."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.leaving import unfinished
from hpcshell.clusters.moving import Moving
from hpcshell.clusters.polls import exclusive
from hpcshell.core.errors import HpcError, NotFound
from hpcshell.core.sightings import UNKNOWN, Sighting
from hpcshell.core.words import quote
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry

if TYPE_CHECKING:
    from hpcshell.clusters.desk import Desk

EVERY: Final = 600.0
"""Seconds between two looks for better places."""
AGE: Final = 60.0
"""For so long an answer is good enough to see whether something waits still."""
PAUSE: Final = 30.0
"""Seconds between two looks of the process that stays."""
NAME: Final = "any"
"""What stands for all clusters, where the name of one is asked for."""


class Rebalancing:
    """Moves between some desks."""

    def __init__(self, desks: Mapping[str, Desk], pause: Callable[[float], None]) -> None:
        self.desks = desks
        self.pause = pause
        self._sought: float | None = None

    def opened(self, name: str) -> Cluster:
        """The cluster of a name. Raises `NotFound` for one that may not be chosen any more."""
        if name not in self.desks:
            raise NotFound(f"there is no cluster {quote(name)} any more", "hpc cluster list")
        return self.desks[name].cluster

    @property
    def directory(self) -> str:
        """Where the process that stays keeps its files, beside those of the clusters."""
        some = next(iter(self.desks.values())).cluster.polls.directory
        return posixpath.join(posixpath.dirname(some), NAME)

    # --------------------------------------------------------------------------------- what is done

    def rebalance(self, entries: Iterable[Entry], *, named: bool = False) -> list[dict[str, Any]]:
        """Move those that are better off elsewhere; what came of each. What its user holds is only
        moved if it was `named`."""
        moving = Moving(self.opened, self.pause)
        every = {entry.serial: entry for entry in entries}
        return [_moved(moving, entry, named) for entry in every.values()]

    def finish(self) -> None:
        """Go on with moves that were begun, without waiting for anything."""
        moving = Moving(self.opened, self.pause, patience=0.0)
        for entry in self.unfinished():
            with contextlib.suppress(HpcError):
                moving.finish(entry)

    def unfinished(self) -> list[Entry]:
        """Those whose move was begun."""
        return [entry for desk in self.desks.values() for entry in unfinished(desk.cluster)]

    def movable(self) -> list[Entry]:
        """Those that may be moved without being named."""
        return [
            entry
            for name, desk in self.desks.items()
            for entry in desk.cluster.ledger.open_entries(name)
            if entry.movable and not entry.moved
        ]

    # ---------------------------------------------------------------------------------- who stays

    def tend(self) -> int:
        """Go on with moves, and if it is time look for better places; how many submissions may
        still be moved, or are between two clusters."""
        self.finish()
        now = clock.now()
        if self._sought is None or not 0 <= now - self._sought < EVERY:
            self._sought = now
            self.rebalance([*self.unfinished(), *self.movable()])
        return len(self.unfinished()) + sum(map(self._waiting, self.desks.values()))

    def _waiting(self, desk: Desk) -> int:
        return sum(
            known.entry.movable and any(_may_start(one) for one in known.elements.values())
            for known in desk.look(age=AGE).known
            if not known.entry.moved
        )

    def needs_somebody(self) -> bool:
        """Whether something may be moved, and nobody stays."""
        if not self.unfinished() and not self.movable():
            return False
        with self._keeper() as mine:
            return mine()

    def stay(self) -> None:
        """Stay until nothing waits that may be moved; one process does."""
        with self._keeper() as mine:
            while mine() and self._tended():
                self.pause(PAUSE)

    def _tended(self) -> int:
        try:
            return self.tend()
        except HpcError:  # of a cluster that is away: later
            return 1

    def _keeper(self) -> contextlib.AbstractContextManager[Callable[[], bool]]:
        return exclusive(f"{self.directory}/keeper")


def _moved(moving: Moving, entry: Entry, named: bool) -> dict[str, Any]:
    try:
        told = moving.rebalance(entry, held=named)
    except HpcError as error:
        told = f"not now: {error.message}"
    return {"id": entry.number or f"w{entry.serial}", "cluster": entry.cluster, "told": told}


def _may_start(one: Sighting) -> bool:
    return one.state in ("PENDING", UNKNOWN) and not one.held
