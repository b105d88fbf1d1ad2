"""The ledger on disk: what was submitted to clusters. Any number of processes use it at once.

    ledger = Ledger.open(path, shared=False)
    with ledger.change() as change:
        entry = change.enter(entry, parts)
    with ledger.change() as change:
        change.known(part, native="12", site="12", now=now)

A submission is entered before its command is said and marked when the answer is read: what a
crash leaves between the two is `asking`, and is looked for at the site by its key.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from hpcshell.core.records import NO_INDEX
from hpcshell.core.sightings import Sighting
from hpcshell.store.failures import explained
from hpcshell.store.ledger.entries import Entry, Part, PartState

SCHEMA: Final = 1
_ID: Final = 0x4850434C
"""`HPCL`, in the header of the file."""
_PART: Final = "serial, number, key, indices, offset, state, since, native, site, seen, reason"

_encode: Final = msgspec.json.Encoder().encode
_entry: Final = msgspec.json.Decoder(Entry).decode
_sighting: Final = msgspec.json.Decoder(Sighting).decode


class Ledger:
    """One connection. `shared`: the file lies where several machines see it, so the log that needs
    shared memory is not used, and every change is synced."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, *, shared: bool = False, busy: float = 10.0) -> Ledger:
        """Open or create it. Raises an `HpcError` that says what is wrong with the file."""
        with _in_words(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(
                path, timeout=busy, isolation_level=None, check_same_thread=False
            )
            connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if shared else 'WAL'}")
            connection.execute(f"PRAGMA synchronous = {'FULL' if shared else 'NORMAL'}")
            connection.execute("PRAGMA foreign_keys = ON")
            ledger = cls(path, connection)
            ledger._prepare()
        return ledger

    def _prepare(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA:
            return
        if version > SCHEMA:
            from hpcshell.core.errors import Refused

            raise Refused(f"{self.path} was written by a newer hpcshell", "update this one")
        with self._begun():
            if self._connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                schema = (Path(__file__).parent / "schema.sql").read_text()
                for statement in schema.split(";\n"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA application_id = {_ID}")
                self._connection.execute(f"PRAGMA user_version = {SCHEMA}")

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[Change]:
        """The only way to write; nothing of it is written if the block raises."""
        with _in_words(self.path), self._begun():
            yield Change(self._connection)

    @contextlib.contextmanager
    def _begun(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    # ---------------------------------------------------------------------------------- reading

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with _in_words(self.path):
            return self._connection.execute(sql, values).fetchall()

    def _entries(self, where: str, values: Sequence[Any]) -> list[Entry]:
        rows = self._rows(f"SELECT serial, number, open, document FROM entry {where}", values)
        return [
            replace(_entry(document), serial=serial, number=number, open=bool(is_open))
            for serial, number, is_open, document in rows
        ]

    def entry(self, serial: int) -> Entry | None:
        found = self._entries("WHERE serial = ?", (serial,))
        return found[0] if found else None

    def keyed(self, key: str) -> Entry | None:
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

    def latest(self, clusters: Sequence[str], most: int) -> list[Entry]:
        """The latest submissions to any of some clusters, latest first; what was moved counts only
        where it is."""
        marks = ", ".join("?" * len(clusters))
        where = f"WHERE cluster IN ({marks}) ORDER BY serial DESC LIMIT ?"
        found = self._entries(where, (*clusters, most * 2))
        return [entry for entry in found if not entry.moved][:most]

    def named(self, cluster: str, name: str) -> list[Entry]:
        return self._entries("WHERE cluster = ? AND name = ? ORDER BY serial", (cluster, name))

    def numbered(self, cluster: str, first: int, last: int) -> list[Entry]:
        """Entries one of whose parts has such a number at the site; of one number the latest, for
        a site may begin to count anew."""
        which = "site = ?1" if first == last else "CAST(site AS INTEGER) BETWEEN ?1 AND ?2"
        found = self._rows(
            f"SELECT DISTINCT serial FROM part JOIN entry USING (serial)"
            f" WHERE {which} AND cluster = ?3 ORDER BY serial",
            (str(first) if first == last else first, last, cluster),
        )
        serials = [serial for (serial,) in found]
        entries = [self.entry(serial) for serial in (serials[-1:] if first == last else serials)]
        return [entry for entry in entries if entry is not None]

    def ended_entries(self, cluster: str, limit: int, offset: int) -> list[Entry]:
        """Those of which nothing is to come, latest first."""
        where = "WHERE cluster = ? AND open = 0 ORDER BY serial DESC LIMIT ? OFFSET ?"
        return self._entries(where, (cluster, limit if limit else -1, offset))

    def clusters(self) -> list[str]:
        """Names under which something was submitted."""
        return [name for (name,) in self._rows("SELECT DISTINCT cluster FROM entry ORDER BY 1")]

    def have(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that are a part's."""
        known = (
            self._rows("SELECT 1 FROM part WHERE key = ?", (key,)) and key for key in set(keys)
        )
        return {key for key in known if key}

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

    def _parts(self, where: str, values: Sequence[Any]) -> list[Part]:
        return [
            Part(
                serial=serial,
                number=number,
                key=key,
                indices=indices,
                offset=offset,
                state=state,
                since=since,
                native=native or "",
                site=site or "",
                seen=seen,
                reason=reason,
            )
            for serial, number, key, indices, offset, state, since, native, site, seen, reason in (
                self._rows(f"SELECT {_PART} FROM part {where}", values)
            )
        ]

    def endings(self, serial: int) -> dict[int | None, Sighting]:
        """How elements ended, by index (None: a plain job)."""
        rows = self._rows("SELECT element, document FROM ending WHERE serial = ?", (serial,))
        return {
            None if element == NO_INDEX else element: _sighting(document)
            for element, document in rows
        }

    def ended_elements(self, serial: int) -> set[int]:
        rows = self._rows("SELECT element FROM ending WHERE serial = ?", (serial,))
        return {element for (element,) in rows}

    def past_waits(self, cluster: str, most: int) -> list[Sighting]:
        """The latest ends that were recorded, for what they tell of waits."""
        rows = self._rows(
            "SELECT ending.document FROM ending JOIN entry USING (serial)"
            " WHERE cluster = ? ORDER BY ended DESC LIMIT ?",
            (cluster, most),
        )
        return [_sighting(document) for (document,) in rows]

    def site(self, cluster: str) -> tuple[float, bytes] | None:
        """When a site last told of itself, and what, as it was given."""
        rows = self._rows("SELECT told, document FROM site WHERE cluster = ?", (cluster,))
        return (rows[0][0], rows[0][1]) if rows else None


class Change:
    """What can be written; within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._many = connection.executemany

    def enter(self, entry: Entry, parts: Sequence[tuple[str, str, int]]) -> Entry:
        """A new entry and its parts (key, indices and offset of each), all of them planned."""
        row = self._execute(
            "INSERT INTO entry (key, cluster, name, submitted, document) VALUES (?, ?, ?, ?, ?)",
            (entry.key, entry.cluster, entry.name, entry.submitted, b"{}"),
        )
        entry = replace(entry, serial=int(row.lastrowid or 0))
        self.rewrite(entry)
        self._many(
            "INSERT INTO part (serial, number, key, indices, offset, state, since)"
            " VALUES (?, ?, ?, ?, ?, 'planned', ?)",
            [
                (entry.serial, number, key, indices, offset, entry.submitted)
                for number, (key, indices, offset) in enumerate(parts)
            ],
        )
        return entry

    def rewrite(self, entry: Entry) -> None:
        """The entry as it is now."""
        self._execute(
            "UPDATE entry SET name = ?, number = ?, open = ?, document = ? WHERE serial = ?",
            (entry.name, entry.number, int(entry.open), _encode(entry), entry.serial),
        )

    def mark(self, part: Part, state: PartState, now: float, reason: str = "") -> None:
        """A part that is not (or may not be) at the site."""
        self._execute(
            "UPDATE part SET state = ?, native = NULL, site = NULL, since = ?, reason = ?"
            " WHERE serial = ? AND number = ?",
            (state, now, reason, part.serial, part.number),
        )

    def withdraw(self, serial: int, now: float, reason: str) -> None:
        """What is not at the site will never be."""
        self._execute(
            "UPDATE part SET state = 'withdrawn', since = ?, reason = ?"
            " WHERE serial = ? AND state = 'planned'",
            (now, reason, serial),
        )

    def claim(self, part: Part, now: float) -> bool:
        """Mark a planned part as being asked for, unless somebody else has."""
        done = self._execute(
            "UPDATE part SET state = 'asking', since = ?, reason = ''"
            " WHERE serial = ? AND number = ? AND state = 'planned'",
            (now, part.serial, part.number),
        )
        return done.rowcount == 1

    def known(self, part: Part, native: str, site: str, now: float) -> None:
        """The site took it, and calls it so."""
        self._execute(
            "UPDATE part SET state = 'known', native = ?, site = ?, since = ?, seen = NULL,"
            " reason = '' WHERE serial = ? AND number = ?",
            (native, site, now, part.serial, part.number),
        )
        self._execute(
            "UPDATE entry SET number = ? WHERE serial = ? AND (number IS NULL OR ? = 0)",
            (site, part.serial, part.number),
        )

    def seen(self, parts: Sequence[Part], when: float) -> None:
        """The site showed them."""
        self._many(
            "UPDATE part SET seen = ? WHERE serial = ? AND number = ?",
            [(when, part.serial, part.number) for part in parts],
        )

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

    def forget_ending(self, serial: int, elements: Sequence[int]) -> None:
        """They run again."""
        self._many(
            "DELETE FROM ending WHERE serial = ? AND element = ?",
            [(serial, element) for element in elements],
        )

    def remove(self, serial: int) -> None:
        """As if it had never been: it was refused."""
        self._execute("DELETE FROM entry WHERE serial = ?", (serial,))

    def close(self, serial: int) -> None:
        """Nothing of it is to come."""
        self._execute("UPDATE entry SET open = 0 WHERE serial = ?", (serial,))

    def reopen(self, serial: int) -> None:
        self._execute("UPDATE entry SET open = 1 WHERE serial = ?", (serial,))

    def tell(self, cluster: str, document: bytes, now: float) -> None:
        """What a site told of itself."""
        self._execute(
            "INSERT INTO site VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET told = excluded.told,"
            " document = excluded.document",
            (cluster, now, document),
        )


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, msgspec.MsgspecError, OSError) as error:
        raise explained(error, path) from error
