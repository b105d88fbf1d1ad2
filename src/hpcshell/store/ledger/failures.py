"""What is wrong with the ledger, in words for a person."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import Final

from hpcshell.core.errors import Broken, HpcError, NotYet

ASIDE: Final = (
    "keep it under another name: a new one is begun, and jobs that are at their sites go on there"
)
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CLOSED: Final = frozenset(
    {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
)


class Full(NotYet):
    """There is no room for what is to be written."""


class Closed(Broken):
    """It may be read, and not be written."""


UNWRITABLE: Final = (Full, Closed)
"""What stands against writing, and not against reading."""


def explained(error: Exception, path: str) -> HpcError:
    """The error to raise instead."""
    if isinstance(error, OSError):
        if error.errno in _FULL:
            return Full(f"there is no room for {path}: nothing was recorded", "make room there")
        why = os.strerror(error.errno or 0)
        return Closed(f"{path} cannot be opened: {why}", f"check who owns {os.path.dirname(path)}")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGE or not isinstance(error, sqlite3.Error) or code == sqlite3.SQLITE_ERROR:
        return Broken(f"the list of jobs on clusters, {path}, is damaged: {error}", ASIDE)
    from pathlib import Path

    from hpcshell.store import failures  # of hardly any use to a command

    told = failures.explained(error, Path(path))
    if code in _CLOSED:
        return Closed(told.message, told.hint)
    full = code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) and isinstance(told, NotYet)
    return Full(told.message, told.hint) if full else told
