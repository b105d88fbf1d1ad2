"""The queue on disk: one writer, one transaction at a time, durable when `change` ends."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from hpcshell.core.errors import Broken, HpcError
from hpcshell.store import opening
from hpcshell.store.change import Change, Ids, OnWrite
from hpcshell.store.failures import explained, in_words
from hpcshell.store.purging import JOBS_LEFT, UNUSED_BLOBS, Purged, purge_jobs, purge_rest
from hpcshell.store.reading import Reader

_BLOBS_REMEMBERED: Final = 10_000

_VOID: Final = (
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA synchronous = OFF",
    "UPDATE meta SET value = value + 1 WHERE key = 'failed_syncs'",
)


class Store(Reader):
    """The queue of one daemon, for one thread; others read with a `Reader` of their own."""

    schema: Final = opening.SCHEMA

    def __init__(
        self, path: Path, connection: sqlite3.Connection, on_write: OnWrite | None, busy: float
    ) -> None:
        super().__init__(path, connection)
        self._busy = busy
        self.blobs: set[str] = set()
        self._on_write = on_write
        self._writes = 0
        self._cursor = connection.cursor()
        self._change: Change | None = None
        self._begun = False
        self._doubt = False
        self._failure: HpcError | None = None
        self._names = (str(path), str(opening.wal_of(path)))
        self._identity = self._files()
        self.ids = self._last_ids()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        on_write: OnWrite | None = None,
        busy: float = 2.0,
        signs: opening.Signs = opening.no_signs,
    ) -> Store:
        """Open, create or bring up to date the database at `path`.

        `signs` names what is left of an earlier one; if there is anything, none is created.
        `on_write` is called around every statement that writes; it may kill the process or raise
        `sqlite3.Error`, as the disk might. `busy` is how long another program's lock is waited for.
        """
        connection = opening.open_database(path, busy, signs)
        try:
            with in_words(path):
                return cls(path, connection, on_write, busy)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Move the log into the database and let go of it."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[Change]:
        """The only way to write. Nothing is written if the block raises; durable when it ends.

        Raises `NotYet` (disk full, locked) or `Broken`; then nothing was recorded, the ids it gave
        out were not used, and the store can be used again. A block without a write costs nothing.
        """
        if self._change is not None:
            raise RuntimeError("a change is open already")
        self._begun, self._failure = False, None
        change = self._change = Change(self)
        try:
            yield change
            change.settle()
            if self._failure is not None:  # somebody caught it, but the change is lost all the same
                raise self._failure
            if self._begun:
                self._doubt = True
                self._execute("commit", "COMMIT", ())
                self._doubt = False
        except BaseException:
            self._undo()
            raise
        finally:
            self._change = None
        self.ids = change.ids
        if len(self.blobs) > _BLOBS_REMEMBERED:
            self.blobs.clear()
        self.blobs |= change.blobs

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Whoever reads sees what the open change has recorded so far."""
        if self._change is not None:
            self._change.settle()
        return super()._all(sql, values)

    def write(self, kind: str, sql: str, row: tuple[Any, ...]) -> int:
        """Carry out one statement of the open transaction. For `Change` alone."""
        if self._failure is not None:
            raise self._failure
        if not self._begun:
            self._begin()
        return self._execute(kind, sql, row)

    def purge(self, before: float, rows: int = 5000) -> Purged:
        """Remove jobs that ended before an instant, and what only they used.

        About `rows` rows a call, so that the daemon can do other things between calls; the last
        one, with `more` false, names the blobs of which copies may be deleted, too.
        """
        with self.change():
            purged = purge_jobs(self, before, rows)
        if purged.more:
            return purged
        with self.change():
            unused = [row[0] for row in self._all(UNUSED_BLOBS)] if self._all(JOBS_LEFT) else []
            purged = purge_rest(self, before, unused)
            self.blobs.clear()
        return purged

    def check(self) -> list[str]:
        """What is wrong with the file, as SQLite words it; empty if nothing. Reads all of it."""
        with in_words(self.path):
            found = [str(row[0]) for row in self._connection.execute("PRAGMA quick_check")]
        return [] if found == ["ok"] else found

    def backup(self, target: Path) -> None:
        """A consistent copy, whole or not at all."""
        opening.copy(self._connection, target)

    def _begin(self) -> None:
        if self._change is None:
            raise RuntimeError("writing is possible within change() only")
        try:
            if self._files() != self._identity:
                self._save()
            if self._doubt:
                self._settle()
            self._connection.execute("BEGIN IMMEDIATE")
            self._begun = True
        except (sqlite3.Error, HpcError) as error:
            raise self._failed(error) from error

    def _execute(self, kind: str, sql: str, row: tuple[Any, ...]) -> int:
        try:
            if self._on_write is None:
                return self._cursor.execute(sql, row).rowcount
            self._writes += 1
            self._on_write("before", self._writes, kind)
            touched = self._cursor.execute(sql, row).rowcount
            self._on_write("after", self._writes, kind)
            return touched
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error | HpcError) -> HpcError:
        """The change is lost, whatever its block does from here on."""
        self._failure = explained(error, self.path)
        return self._failure

    def _undo(self) -> None:
        """Forget the transaction; with a new connection if the old one will not."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            with contextlib.suppress(HpcError, sqlite3.Error):
                self._save()
        if self._doubt:
            with contextlib.suppress(sqlite3.Error):
                self._settle()

    def _settle(self) -> None:
        """Make sure that a commit that failed never comes back.

        If it was the sync that failed, the change lies whole in the log, and after a crash SQLite
        would take it for committed. Another commit in its place, without a sync, makes it void.
        """
        try:
            for statement in _VOID:
                self._connection.execute(statement)
        finally:
            for setting in opening.SETTINGS:
                self._connection.execute(setting)
        self.ids = self._last_ids()
        self._doubt = False

    def _save(self) -> None:
        """The files are not those that were opened; if the database is, nothing is lost yet."""
        busy = 0
        if _inode(self._names[0]) != self._identity[0]:
            raise Broken(
                f"the database {self.path} was deleted or replaced while it was in use",
                "stop the daemon, put the file back, and start it again",
            )
        with contextlib.suppress(sqlite3.ProgrammingError):  # closed: it could not be opened again
            # What a deleted log holds is still ours to read: move it into the database.
            [busy, *_] = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise Broken(
                f"the log of the database {self.path} was deleted while another program reads it",
                f"end that program (fuser {self.path}); nothing is lost so far",
            )
        self._reopen()

    def _reopen(self) -> None:
        self._connection.close()
        self._connection = opening.open_database(self.path, self._busy)
        self._cursor = self._connection.cursor()
        self._identity = self._files()

    def _files(self) -> tuple[int, int]:
        """Which files the database is made of: a log deleted under SQLite swallows commits."""
        return _inode(self._names[0]), _inode(self._names[1])

    def _last_ids(self) -> Ids:
        job, run, event = self._connection.execute(
            "SELECT max(ifnull((SELECT max(id) FROM job), 0),"
            "  (SELECT value FROM meta WHERE key = 'purged_job')),"
            " max(ifnull((SELECT max(id) FROM run), 0),"
            "  (SELECT value FROM meta WHERE key = 'purged_run')),"
            " max(ifnull((SELECT max(seq) FROM event), 0),"
            "  (SELECT value FROM meta WHERE key = 'purged_event'))"
        ).fetchone()
        return Ids(job, run, event)


def _inode(name: str) -> int:
    try:
        return os.stat(name).st_ino
    except OSError:
        return 0
