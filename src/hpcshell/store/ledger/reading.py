"""What can be asked of the ledger."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from hpcshell.core.records import NO_INDEX, Record
from hpcshell.core.sightings import Sighting
from hpcshell.store.decoding import decoder
from hpcshell.store.ledger.entries import Entry, Part

_FIELDS: Final = Part.__struct_fields__
PART: Final = ", ".join(_FIELDS)
UNSENT: Final = "state IN ('planned', 'asking')"
"""As the index of what is not at the site has it."""
_OF_UNSENT: Final = "INDEXED BY part_planned"
_ITS_CLUSTER: Final = "(SELECT cluster FROM entry WHERE entry.serial = part.serial)"
"""Few parts wait, and many submissions are on record: it is asked for each of those parts."""


class Wish(Record, frozen=True):
    """Of an entry only what is asked at every step of its submission."""

    cancelled: float | None = None
    moved: str = ""
    held: bool = False


Endings = Mapping[int | None, Sighting]
InWords = Callable[[], contextlib.AbstractContextManager[None]]


class Rows:
    """One connection; `in_words` makes errors of SQLite's readable. Threads take turns: one that
    reads would see what another has written by halves."""

    def __init__(self, connection: sqlite3.Connection, in_words: InWords) -> None:
        self._connection = connection
        self._in_words = in_words
        self._turn = threading.RLock()

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._turn, self._in_words():
            return self._connection.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def one_moment(self) -> Iterator[None]:
        """All that is asked within is as it was at one moment, whatever others write meanwhile."""
        with self._turn, self._in_words():
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")


class Submissions(Rows):
    """Questions about entries."""

    def _entries(self, where: str, values: Sequence[Any]) -> list[Entry]:
        rows = self._rows(f"SELECT serial, number, open, document FROM entry {where}", values)
        if not rows:
            return []
        with self._in_words():
            entry = decoder(Entry)
            return [
                replace(entry(document), serial=serial, number=number, open=bool(is_open))
                for serial, number, is_open, document in rows
            ]

    def entry(self, serial: int) -> Entry | None:
        found = self._entries("WHERE serial = ?", (serial,))
        return found[0] if found else None

    def wish(self, serial: int) -> Wish | None:
        """What is wanted of an entry; None: there is no such."""
        rows = self._rows("SELECT document FROM entry WHERE serial = ?", (serial,))
        with self._in_words():
            return decoder(Wish)(rows[0][0]) if rows else None

    def wanted(self, serial: int) -> bool:
        """Whether there is such an entry, and nobody has asked for its end."""
        wish = self.wish(serial)
        return wish is not None and wish.cancelled is None

    def keyed(self, key: str) -> Entry | None:
        """The entry of this key, which also names its directory."""
        found = self._entries("WHERE key = ?", (key,))
        return found[0] if found else None

    def open_entries(self, cluster: str) -> list[Entry]:
        """Those of which something is still to come, oldest first."""
        return self._entries("WHERE cluster = ? AND open = 1 ORDER BY serial", (cluster,))

    def last(self, cluster: str, back: int = 0) -> Entry | None:
        """The latest submission, or the one `back` before it."""
        where = "WHERE cluster = ? ORDER BY serial DESC LIMIT 1 OFFSET ?"
        found = self._entries(where, (cluster, back))
        return found[0] if found else None

    def latest(self, clusters: Sequence[str], back: int = 0) -> Entry | None:
        """The latest submission to any of some clusters, or the one `back` before it. One that was
        moved counts as it was first submitted."""
        marks = ", ".join("?" * len(clusters))
        moves = "json_extract(CAST(document AS TEXT), '$.moves')"
        which = f"cluster IN ({marks}) AND {moves} IS NULL"
        where = f"WHERE {which} ORDER BY serial DESC LIMIT 1 OFFSET ?"
        found = self._entries(where, (*clusters, back))
        return found[0] if found else None

    def named(self, cluster: str, name: str) -> list[Entry]:
        return self._entries("WHERE cluster = ? AND name = ? ORDER BY serial", (cluster, name))

    def numbered(self, cluster: str, first: int, last: int) -> list[Entry]:
        """Entries one of whose parts has such a number at the site; of one number the latest, for
        a site may begin to count anew."""
        which = "site = ?1" if first == last else "CAST(site AS INTEGER) BETWEEN ?1 AND ?2"
        found = self._rows(
            f"SELECT MAX(serial) FROM part JOIN entry USING (serial)"
            f" WHERE {which} AND cluster = ?3 GROUP BY site ORDER BY 1",
            (str(first) if first == last else first, last, cluster),
        )
        entries = [self.entry(serial) for serial in dict.fromkeys(serial for (serial,) in found)]
        return [entry for entry in entries if entry is not None]

    def ended_entries(self, cluster: str, limit: int, offset: int) -> list[Entry]:
        """Those of which nothing is to come, latest first."""
        where = "WHERE cluster = ? AND open = 0 ORDER BY serial DESC LIMIT ? OFFSET ?"
        return self._entries(where, (cluster, limit if limit else -1, offset))

    def clusters(self) -> list[str]:
        """Names under which something was submitted."""
        return [name for (name,) in self._rows("SELECT DISTINCT cluster FROM entry ORDER BY 1")]

    def count_ended(self, cluster: str) -> int:
        """How many there are of which nothing is to come."""
        which = "SELECT COUNT(*) FROM entry WHERE cluster = ? AND open = 0"
        return int(self._rows(which, (cluster,))[0][0])


class Reading(Submissions):
    """Questions about all that there is."""

    # ------------------------------------------------------------------------------------ parts

    def parts(self, serial: int) -> list[Part]:
        return self._parts("WHERE serial = ? ORDER BY number", (serial,))

    def open_parts(self, cluster: str) -> dict[int, list[Part]]:
        """The parts of all open entries of a cluster, by entry."""
        found: dict[int, list[Part]] = {}
        where = (
            "WHERE serial IN (SELECT serial FROM entry WHERE cluster = ? AND open = 1)"
            " ORDER BY serial, number"
        )
        for part in self._parts(where, (cluster,)):
            found.setdefault(part.serial, []).append(part)
        return found

    def unsent(self, cluster: str) -> list[Part]:
        """The parts that the site does not have, or may not have, oldest first."""
        where = f"{_OF_UNSENT} WHERE {UNSENT} AND {_ITS_CLUSTER} = ? ORDER BY serial, number"
        return self._parts(where, (cluster,))

    def wait_before(self, cluster: str, serial: int) -> bool:
        """Whether something that was submitted earlier was not taken, and waits to be sent. What
        another process is just about to send waits for nothing."""
        return bool(
            self._rows(
                f"SELECT 1 FROM part {_OF_UNSENT} WHERE {UNSENT} AND state = 'planned'"
                f" AND reason != '' AND serial < ? AND {_ITS_CLUSTER} = ? LIMIT 1",
                (serial, cluster),
            )
        )

    def have(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that are a part's."""
        sql = "SELECT 1 FROM part WHERE key = ?"
        return {key for key in set(keys) if self._rows(sql, (key,))}

    def _parts(self, where: str, values: Sequence[Any]) -> list[Part]:
        rows = self._rows(f"SELECT {PART} FROM part {where}", values)
        return [_part(*row) for row in rows]

    # ------------------------------------------------------------------------------------- ends

    def endings(self, serial: int) -> dict[int | None, Sighting]:
        """How elements ended, by index (None: a plain job)."""
        rows = self._rows("SELECT element, document FROM ending WHERE serial = ?", (serial,))
        with self._in_words():
            sighting = decoder(Sighting)
            return {_element(element): sighting(document) for element, document in rows}

    def open_endings(self, cluster: str) -> dict[int, dict[int | None, Sighting]]:
        """How elements of open entries ended, by entry."""
        rows = self._rows(
            "SELECT serial, element, ending.document FROM ending JOIN entry USING (serial)"
            " WHERE cluster = ? AND open = 1",
            (cluster,),
        )
        found: dict[int, dict[int | None, Sighting]] = {}
        with self._in_words():
            for serial, element, document in rows:
                found.setdefault(serial, {})[_element(element)] = decoder(Sighting)(document)
        return found

    def past_waits(self, cluster: str, most: int) -> list[Sighting]:
        """The latest ends that were recorded, for what they tell of waits: since the submission
        here, where the site does not tell of its own."""
        rows = self._rows(
            "SELECT entry.submitted, ending.document FROM ending JOIN entry USING (serial)"
            " WHERE cluster = ? ORDER BY ended DESC LIMIT ?",
            (cluster, most),
        )
        with self._in_words():
            return [_since(submitted, decoder(Sighting)(document)) for submitted, document in rows]

    def site(self, cluster: str) -> tuple[float, bytes] | None:
        """When a site last told of itself, and what, as it was given."""
        rows = self._rows("SELECT told, document FROM site WHERE cluster = ?", (cluster,))
        return (rows[0][0], rows[0][1]) if rows else None


def _since(submitted: float, sighting: Sighting) -> Sighting:
    return sighting if sighting.submit_time else replace(sighting, submit_time=submitted)


def _part(*values: Any) -> Part:
    row = dict(zip(_FIELDS, values, strict=True))
    row |= {"native": row["native"] or "", "site": row["site"] or "", "over": bool(row["over"])}
    return Part(**row)


def _element(stored: int) -> int | None:
    return None if stored == NO_INDEX else stored
