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
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec

from hpcshell.core.errors import HpcError, Refused
from hpcshell.store.ledger.failures import ASIDE, UNWRITABLE, explained
from hpcshell.store.ledger.reading import Reading
from hpcshell.store.ledger.writing import Change

SCHEMA: Final = 1
_ID: Final = 0x4850434C
"""`HPCL`, in the header of the file."""
_MOMENT: Final = 0.02


class Ledger(Reading):
    """One connection. `shared`: the file lies where several machines see it, so the log that needs
    shared memory is not used, and every change is synced. Threads of one process may share it.

    One that cannot be written (a full disk, somebody else's) can still be read, where there is
    none as if nothing was on record. `unkept`: why something that was learned is not kept.
    """

    unkept = ""
    _closed: HpcError | None = None

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        super().__init__(connection, partial(_in_words, path))
        self.path = path

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, shared: bool = False, busy: float = 10.0
    ) -> Ledger:
        """Open or create it. Raises an `HpcError` that says what is wrong with the file."""
        path = os.fspath(path)
        try:
            return cls._open(path, shared, busy)
        except UNWRITABLE as error:
            return cls._open_to_read(path, error)

    @classmethod
    def _open(cls, path: str, shared: bool, busy: float) -> Ledger:
        with _in_words(path):
            os.makedirs(os.path.dirname(path), exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(
                path, timeout=busy, isolation_level=None, check_same_thread=False
            )
            try:
                _choose_journal(connection, "TRUNCATE" if shared else "WAL", busy)
                connection.execute(f"PRAGMA synchronous = {'FULL' if shared else 'NORMAL'}")
                connection.execute("PRAGMA foreign_keys = ON")
                ledger = cls(path, connection)
                ledger._prepare()
            except BaseException:
                connection.close()
                raise
        return ledger

    @classmethod
    def _open_to_read(cls, path: str, why: HpcError) -> Ledger:
        """What can be read of one that cannot be written."""
        with _in_words(path):
            ledger = cls(path, _connected_to_read(path))
            try:
                ledger._prepare()
            except BaseException:
                ledger.close()
                raise
        ledger._closed = why
        return ledger

    def _prepare(self) -> None:
        if self._version() == SCHEMA:
            return
        with self._begun():
            if self._version() == 0:
                with open(f"{os.path.dirname(__file__)}/schema.sql", encoding="utf-8") as file:
                    schema = file.read()
                for statement in schema.split(";\n"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA application_id = {_ID}")
                self._connection.execute(f"PRAGMA user_version = {SCHEMA}")

    def _version(self) -> int:
        """The version of what is in the file; 0: nothing is."""
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        whose = self._connection.execute("PRAGMA application_id").fetchone()[0]
        tables = self._connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0]
        if whose != _ID and (version or tables):
            raise Refused(f"{self.path} is no list of jobs on clusters", ASIDE)
        if version > SCHEMA:
            raise Refused(f"{self.path} was written by a newer hpcshell", "update this one")
        return version

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[Change]:
        """The only way to write; nothing of it is written if the block raises."""
        self.require()
        with self._turn, self._in_words(), self._begun():
            yield Change(self._connection)

    def require(self) -> None:
        """Raises the error that says why nothing can be written, where that is known."""
        if self._closed is not None:
            raise self._closed

    def learn(self, write: Callable[[Change], None]) -> None:
        """Write what can be learned once more: where that cannot be, it is not, and goes on."""
        try:
            with self.change() as change:
                write(change)
        except UNWRITABLE as error:
            self.unkept = error.message

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


def _choose_journal(connection: sqlite3.Connection, mode: str, busy: float) -> None:
    """SQLite does not wait for others when it changes the journal of a new file, so we do."""
    until = time.monotonic() + busy
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode = {mode}")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(_MOMENT)


def _connected_to_read(path: str) -> sqlite3.Connection:
    """To a file that may not be changed, nor others made beside it."""
    if not os.path.exists(path) or not os.path.getsize(path):
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    from urllib.parse import quote

    def connected(how: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(path)}?{how}", uri=True, isolation_level=None, check_same_thread=False
        )

    connection = connected("mode=ro")
    try:
        connection.execute("SELECT COUNT(*) FROM sqlite_schema")
    except sqlite3.OperationalError:  # not even the log beside it can be opened
        connection.close()
        return connected("immutable=1")
    return connection


@contextlib.contextmanager
def _in_words(path: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
        raise explained(error, path) from error
