"""What can be written into the ledger, within one transaction.

Several processes are at one submission at a time, so what changes the state of a part says in which
state it was found, and is not done if somebody else has changed it meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import NO_INDEX
from hpcshell.core.sightings import Sighting
from hpcshell.store.ledger.entries import Entry, Part, PartState
from hpcshell.store.ledger.parting import Parting

_encode: Final = msgspec.json.Encoder().encode
_AS_FOUND: Final = (
    " WHERE serial = ? AND number = ? AND state = ? AND (state != 'asking' OR since = ?)"
    " AND indices = ?"
)
"""A part that is asked for belongs to whoever asked last: `since` tells."""


class Change(Parting):
    """What can be written; within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._many = connection.executemany

    # ------------------------------------------------------------------------------ submissions

    def enter(
        self, entry: Entry, parts: Sequence[tuple[str, str, int]]
    ) -> tuple[Entry, list[Part]]:
        """A new entry and its parts (key, indices and offset of each), all of them planned."""
        row = self._execute(
            "INSERT INTO entry (key, cluster, name, submitted, document) VALUES (?, ?, ?, ?, ?)",
            (entry.key, entry.cluster, entry.name, entry.submitted, _encode(entry)),
        )
        serial, since = int(row.lastrowid or 0), entry.submitted
        planned = [
            Part(
                serial=serial,
                number=number,
                key=key,
                indices=indices,
                offset=offset,
                state="planned",
                since=since,
            )
            for number, (key, indices, offset) in enumerate(parts)
        ]
        self._many(
            "INSERT INTO part (serial, number, key, indices, offset, state, since)"
            " VALUES (?, ?, ?, ?, ?, 'planned', ?)",
            [(serial, each.number, each.key, each.indices, each.offset, since) for each in planned],
        )
        return replace(entry, serial=serial), planned

    def rewrite(self, entry: Entry) -> None:
        """The entry with what is wanted of it now. Its number and whether it is open are not
        touched: others may have changed them."""
        self._execute(
            "UPDATE entry SET name = ?, document = ? WHERE serial = ?",
            (entry.name, _encode(entry), entry.serial),
        )

    def remove(self, serial: int) -> None:
        """As if it had never been: it was refused."""
        self._execute("DELETE FROM entry WHERE serial = ?", (serial,))

    def close(self, serials: Iterable[int]) -> None:
        """Nothing of them is to come."""
        self._many("UPDATE entry SET open = 0 WHERE serial = ?", [(each,) for each in serials])

    # ------------------------------------------------------------------------------------ parts

    def claim(self, part: Part, now: float) -> Part | None:
        """The part marked as being asked for (again), unless somebody else has."""
        wanted = part.state in ("planned", "asking")
        if not wanted or not self._found(part, "SET state = 'asking', since = ?, reason = ''", now):
            return None
        return replace(part, state="asking", since=now, reason="")

    def mark(self, part: Part, state: PartState, now: float, reason: str = "") -> bool:
        """A part that is not at the site; False: somebody else has changed it."""
        return self._found(part, "SET state = ?, since = ?, reason = ?", state, now, reason)

    def withdraw(self, serial: int, now: float, reason: str, *, asked: bool = False) -> None:
        """What is not at the site will never be. `asked`: nor what may be there."""
        self._execute(
            "UPDATE part SET state = 'withdrawn', since = ?, reason = ?"
            " WHERE serial = ? AND state IN ('planned', ?)",
            (now, reason, serial, "asking" if asked else "planned"),
        )

    def known(self, part: Part, native: str, site: str, now: float) -> bool:
        """The site took it, and calls it so; False: it is there under another number already."""
        taken = self._execute(
            "UPDATE part SET state = 'known', native = ?, site = ?, since = ?, reason = ''"
            " WHERE serial = ? AND number = ? AND state IN ('planned', 'asking')",
            (native, site, now, part.serial, part.number),
        )
        if taken.rowcount:
            self._execute(
                "UPDATE entry SET number = ? WHERE serial = ? AND number IS NULL",
                (site, part.serial),
            )
        row = self._execute(
            "SELECT site FROM part WHERE serial = ? AND number = ?", (part.serial, part.number)
        ).fetchone()
        return row is not None and row[0] == site

    def there(self, cluster: str) -> int:
        """How many parts the site has, or may have, and has not ended."""
        row = self._execute(
            "SELECT COUNT(*) FROM part JOIN entry USING (serial) WHERE cluster = ? AND open = 1"
            " AND (state = 'asking' OR (state = 'known' AND over = 0))",
            (cluster,),
        ).fetchone()
        return int(row[0])

    def cancelled(self, parts: Iterable[Part], now: float) -> None:
        """The site agreed to end them."""
        self._each("cancelled", [(now, part) for part in parts])

    def unwanted(self, part: Part, elements: Iterable[int]) -> None:
        """The site agreed to end these elements of it."""
        which = (part.serial, part.number)
        row = self._execute("SELECT unwanted FROM part WHERE serial = ? AND number = ?", which)
        (known,) = row.fetchone() or ("",)
        every = {*elements, *(IndexSet.parse(known) if known else ())}
        self._each("unwanted", [(str(IndexSet.of(every)), part)])

    def seen(self, parts: Iterable[Part], when: float) -> None:
        """The site showed them alive."""
        self._each("seen", [(when, part) for part in parts])

    def missed(self, parts: Iterable[Part], when: float | None) -> None:
        """The site gave a whole answer without them; None: it mentions them again."""
        self._each("missed", [(when, part) for part in parts])

    def over(self, parts: Iterable[Part], over: bool) -> None:
        """All of them has ended, or something of them is alive again."""
        self._each("over", [(int(over), part) for part in parts])

    def _each(self, column: str, values: Sequence[tuple[object, Part]]) -> None:
        self._many(
            f"UPDATE part SET {column} = ? WHERE serial = ? AND number = ?",
            [(value, part.serial, part.number) for value, part in values],
        )

    def _found(self, part: Part, what: str, *values: object) -> bool:
        found = (part.serial, part.number, part.state, part.since, part.indices)
        return self._execute(f"UPDATE part {what}{_AS_FOUND}", (*values, *found)).rowcount == 1

    # ------------------------------------------------------------------------------------- ends

    def end(self, serial: int, endings: Sequence[tuple[int | None, Sighting]]) -> None:
        """How elements ended (None: a plain job)."""
        self._many(
            "INSERT INTO ending (serial, element, state, ended, document) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET state = excluded.state, ended = excluded.ended,"
            " document = excluded.document",
            [
                (
                    serial,
                    NO_INDEX if element is None else element,
                    sighting.state,
                    sighting.end_time,
                    _encode(sighting),
                )
                for element, sighting in endings
            ],
        )

    def forget_endings(self, serial: int, elements: Iterable[int | None]) -> None:
        """They run again."""
        self._many(
            "DELETE FROM ending WHERE serial = ? AND element = ?",
            [(serial, NO_INDEX if element is None else element) for element in elements],
        )

    def tell(self, cluster: str, document: bytes | None, now: float) -> None:
        """What a site told of itself; None: it is as if it had told nothing."""
        if document is None:
            self._execute("DELETE FROM site WHERE cluster = ?", (cluster,))
            return
        self._execute(
            "INSERT INTO site VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET told = excluded.told,"
            " document = excluded.document",
            (cluster, now, document),
        )
