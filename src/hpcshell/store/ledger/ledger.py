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
import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from typing import Final

import msgspec

from hpcshell.core.errors import Broken, HpcError, NotYet, Refused
from hpcshell.store.ledger.reading import Reading
from hpcshell.store.ledger.writing import Change

SCHEMA: Final = 1
_ID: Final = 0x4850434C
"""`HPCL`, in the header of the file."""
_MOMENT: Final = 0.02
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Ledger(Reading):
    """One connection. `shared`: the file lies where several machines see it, so the log that needs
    shared memory is not used, and every change is synced. Threads of one process may share it."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        super().__init__(connection, partial(_in_words, path))
        self.path = path

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, shared: bool = False, busy: float = 10.0
    ) -> Ledger:
        """Open or create it. Raises an `HpcError` that says what is wrong with the file."""
        path = os.fspath(path)
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
            raise Refused(f"{self.path} is no list of jobs on clusters", _ASIDE)
        if version > SCHEMA:
            raise Refused(f"{self.path} was written by a newer hpcshell", "update this one")
        return version

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[Change]:
        """The only way to write; nothing of it is written if the block raises."""
        with self._turn, self._in_words(), self._begun():
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


# -------------------------------------------------------------------------------- in people's words

_ASIDE: Final = (
    "keep it under another name: a new one is begun, and jobs that are at their sites go on there"
)


@contextlib.contextmanager
def _in_words(path: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
        raise _explained(error, path) from error


def _explained(error: Exception, path: str) -> HpcError:
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NotYet(f"there is no room for {path}: nothing was recorded", "make room there")
        why = os.strerror(error.errno or 0)
        return Broken(f"{path} cannot be opened: {why}", f"check who owns {os.path.dirname(path)}")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGE or not isinstance(error, sqlite3.Error) or code == sqlite3.SQLITE_ERROR:
        return Broken(f"the list of jobs on clusters, {path}, is damaged: {error}", _ASIDE)
    from pathlib import Path

    from hpcshell.store.failures import explained  # of hardly any use to a command

    return explained(error, Path(path))
