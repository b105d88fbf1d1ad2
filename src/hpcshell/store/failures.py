"""What SQLite says, in words for a person: what is wrong with which file, and what to do."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from hpcshell.core.errors import Broken, HpcError, NotYet

ANEW: Final = "begin anew with: hpc daemon start --new"
"""What is left to do where no copy of a database can be had."""

_ROOM: Final = 1 << 20
"""With less than this free, an input/output error is a full disk."""


def backups(path: Path) -> list[Path]:
    """The copies that were made of a database, newest first."""
    found = path.parent.glob(path.name + "*.backup")
    return sorted(found, key=lambda copy: copy.stat().st_mtime, reverse=True)


def damaged(path: Path, what: str) -> Broken:
    """The database cannot be trusted; names the newest copy, if there is one."""
    copies = backups(path)
    if copies:
        hint = f"stop the daemon, keep the file aside, and put {copies[0]} in its place"
    else:
        hint = f"there is no backup beside it: keep it under another name, then {ANEW}"
    return Broken(f"the database {path} is damaged: {what}", hint)


def lost(path: Path, left: Sequence[str]) -> Broken:
    """Where a database should be there is none, and there was one, by what is left of it."""
    what = "holds nothing" if path.exists() else "is missing"
    return Broken(
        f"the database {path} {what}, and there was one: left of it are {', '.join(left)}",
        f"put a copy of it back; without one, {ANEW}",
    )


def explained(error: Exception, path: Path) -> HpcError:
    """The error to raise instead. Ours to read are the primary codes, in the low byte."""
    if isinstance(error, HpcError):
        return error
    if isinstance(error, UnicodeDecodeError):  # what SQLite would say quotes the damage itself
        return damaged(path, "text in it is no text")
    if isinstance(error, msgspec.MsgspecError):
        return damaged(path, f"a record in it cannot be read ({error})")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return NotYet(
            f"the disk that holds {path} is full: nothing was recorded",
            f"make room on it (df -h {path.parent}), then try again",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return NotYet(
            f"another program keeps the database {path} locked: nothing was recorded",
            f"find it with: fuser {path}",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error))
    return _machine(error, code, path)


def _machine(error: Exception, code: int, path: Path) -> HpcError:
    if code == sqlite3.SQLITE_IOERR:
        return Broken(
            f"the disk that holds {path} fails ({error}): nothing was recorded",
            "look at the kernel's log (dmesg) and at the health of the disk",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return Broken(
            f"the database {path} cannot be written ({error})",
            f"check who owns {path.parent} and that it is not mounted read-only",
        )
    return Broken(f"the database {path} refused a change: {error}", "nothing was recorded")


def _is_full(path: Path) -> bool:
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _ROOM


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Errors of SQLite and of decoding leave the block as errors for a person."""
    try:
        yield
    except (sqlite3.Error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise explained(error, path) from error
