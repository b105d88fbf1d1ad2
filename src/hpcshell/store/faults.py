"""A disk that fails, for tests: `Store.open(path, on_write=failing(17, "FULL"))`."""

from __future__ import annotations

import sqlite3
from typing import Final

from hpcshell.store.change import OnWrite

_WORDS: Final = {
    "FULL": (sqlite3.SQLITE_FULL, "database or disk is full"),
    "IOERR": (sqlite3.SQLITE_IOERR_WRITE, "disk I/O error"),
    "FSYNC": (sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error"),
    "BUSY": (sqlite3.SQLITE_BUSY, "database is locked"),
    "CORRUPT": (sqlite3.SQLITE_CORRUPT, "database disk image is malformed"),
    "READONLY": (sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
}


def disk_error(name: str) -> sqlite3.OperationalError:
    """The error SQLite raises when the disk fails in the way of this name (FULL, IOERR, ...)."""
    code, words = _WORDS[name]
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    error.sqlite_errorname = f"SQLITE_{name}"
    return error


def failing(number: int, name: str, *, times: int = 1) -> OnWrite:
    """A disk that fails at the write of this number, and at the next ones up to `times`."""

    def on_write(when: str, count: int, kind: str) -> None:
        if when == "before" and number <= count < number + times:
            raise disk_error(name)

    return on_write
