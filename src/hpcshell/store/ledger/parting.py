"""Elements that are taken out of a part which the site does not have."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection

from hpcshell.core.indexset import IndexSet
from hpcshell.store.ledger.entries import Part


class Parting:
    """What can be written of that; within one transaction."""

    _execute: Callable[..., sqlite3.Cursor]

    def take_out(self, part: Part, elements: Collection[int], now: float, reason: str) -> bool:
        """These elements of a planned part will never be at the site; the rest of it is sent. They
        are a part of their own from now on. False: somebody else has changed it."""
        left = [each for each in IndexSet.parse(part.indices) if each not in elements]
        found = (part.serial, part.number, part.indices)
        which = "WHERE serial = ? AND number = ? AND indices = ? AND state = 'planned'"
        if not left:
            ended = "UPDATE part SET state = 'withdrawn', since = ?, reason = ?"
            return self._execute(f"{ended} {which}", (now, reason, *found)).rowcount == 1
        shrunk = self._execute(
            f"UPDATE part SET indices = ? {which}", (str(IndexSet.of(left)), *found)
        )
        if not shrunk.rowcount:
            return False
        self._execute(
            "INSERT INTO part (serial, number, key, indices, offset, state, since, reason)"
            " SELECT serial, MAX(number) + 1, ?1 || '-' || (MAX(number) + 1), ?2, 0, 'withdrawn',"
            " ?3, ?4 FROM part WHERE serial = ?5",
            (part.key, str(IndexSet.of(elements)), now, reason, part.serial),
        )
        return True
