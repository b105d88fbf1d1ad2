"""A database file becomes a connection: new, current, older (brought up), or refused untouched."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

from hpcshell.core.errors import Broken, Refused
from hpcshell.store.failures import backups, damaged, explained, in_words, lost

APPLICATION_ID: Final = 0x48504353
"""`HPCS`, in the header of the file."""

SCHEMA: Final = 2
LOST: Final = ".lost"
OLDEST_SQLITE: Final = (3, 34, 0)

Signs = Callable[[], Sequence[str]]
"""Names what is left of an earlier database. Asked only where there is none."""


def no_signs() -> Sequence[str]:
    return ()


_HERE: Final = Path(__file__).parent

# No mmap_size: a failing disk would be a SIGBUS instead of an error.
SETTINGS: Final = (
    "PRAGMA synchronous = FULL",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA cell_size_check = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16000",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 33554432",
)


def open_database(path: Path, busy: float, signs: Signs = no_signs) -> sqlite3.Connection:
    """The one writer's connection to a database of the current schema.

    Creates a missing one, unless `signs` tells of an earlier one; brings an older one up after a
    copy of it was made beside it. Refuses, before a byte of it changes: a newer schema, another
    program's database, no database at all.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise Broken(
            f"SQLite {sqlite3.sqlite_version} is too old",
            "use a Python that comes with SQLite 3.34 or later",
        )
    fresh = holds_nothing(path)
    if fresh and (left := signs()):
        raise lost(path, left)
    _make_room(path)
    with in_words(path):
        connection = connect(path, busy)
        try:
            _configure(connection, path)
            if fresh:
                _create(connection)
            elif (found := _version(connection)) < SCHEMA:
                _bring_up(connection, path, found)
        except BaseException:
            connection.close()
            raise
    return connection


def connect(path: Path, busy: float, *, how: str = "mode=rw") -> sqlite3.Connection:
    """A bare connection; it never creates the file, and transactions are begun by hand."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=busy,
        isolation_level=None,
        cached_statements=256,
    )


def holds_nothing(path: Path) -> bool:
    """Whether a database would begin here: there is no file, or one with nothing in it yet."""
    _check_place(path)
    return not _size(path) or _inspect(path)


def examine(path: Path) -> None:
    """Read a database through and change nothing. Raises `Broken` for what is wrong with it."""
    if holds_nothing(path):
        return
    how = "mode=ro" if wal_of(path).exists() else "immutable=1"  # nobody has it open
    with in_words(path), contextlib.closing(connect(path, 5.0, how=how)) as connection:
        found = str(_value(connection, "PRAGMA quick_check(1)"))
    if found != "ok":
        raise damaged(path, found.splitlines()[-1])


def set_aside(path: Path) -> None:
    """Give what is left of a lost database (its log, copies of it) other names, so that a new one
    can begin in its place. Raises `Refused` when it is not lost."""
    if _size(path) and not _inspect(path):
        raise Refused(
            f"the database {path} is there: nothing is begun anew", "use it: hpc daemon start"
        )
    for file in sorted(path.parent.glob(f"{path.name}*")):
        if file.suffix != LOST:
            file.rename(_free_name(file))


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.{number}{LOST}") for number in count(1))
    return next(name for name in names if not name.exists())


def wal_of(path: Path) -> Path:
    """Where SQLite keeps what was committed and not yet moved into the database."""
    return path.with_name(path.name + "-wal")


def statements(script: str) -> Iterator[str]:
    """The single statements of an SQL script, triggers whole."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _check_place(path: Path) -> None:
    """Refuse what is no file that could be used, and what has lost its content."""
    if not path.parent.is_dir():
        raise Broken(f"there is no directory {path.parent}", f"make it: mkdir -p {path.parent}")
    try:
        found = path.stat()
    except FileNotFoundError:
        found = None
    except OSError as error:
        raise _cannot_be_made(path, error) from error
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise Broken(f"{path} is not a file", "move it away: the database belongs there")
    # SQLite would open it all the same, and refuse every change until it is opened again.
    if found is not None and not os.access(path, os.R_OK | os.W_OK):
        raise Broken(f"the database {path} cannot be written by you", f"chmod u+rw {path}")
    if not (found and found.st_size) and (_size(wal_of(path)) or backups(path)):
        raise damaged(path, "the file is empty" if found else "the file is missing")


def _make_room(path: Path) -> None:
    """Make the file if there is none, readable to its owner alone."""
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _cannot_be_made(path, error) from error


def _cannot_be_made(path: Path, error: OSError) -> Broken:
    return Broken(
        f"the database {path} cannot be made: {error.strerror}",
        f"check who owns {path.parent} and that it is not mounted read-only",
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _inspect(path: Path) -> bool:
    """Look at a file without changing it. True if it is a database with nothing in it yet."""
    # `immutable` reads the file alone and makes no other; what is still in the log needs more.
    alone = "mode=ro&immutable=1"
    logged = _size(wal_of(path)) > 0
    for how in (alone, "mode=ro") if logged else (alone,):
        try:
            with contextlib.closing(connect(path, 5.0, how=how)) as connection:
                owner = int(_value(connection, "PRAGMA application_id"))
                version = int(_value(connection, "PRAGMA user_version"))
                empty = _value(connection, "SELECT count(*) FROM sqlite_master") == 0
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if how is alone and logged and _primary_code(error) == sqlite3.SQLITE_CORRUPT:
                continue  # killed while it moved the log into the file: only both together tell
            raise _unreadable(path, error) from error
        if owner not in (APPLICATION_ID, 0) or (owner == 0 and not empty):
            raise Broken(
                f"{path} is a database of another program: nothing in it was changed",
                "move it away, or choose another state directory with HPCSHELL_HOME",
            )
        if version > SCHEMA:
            raise Broken(
                f"the database {path} was written by a newer hpcshell (schema {version}; "
                f"this one knows up to {SCHEMA}): nothing in it was changed",
                "install that version again: pip install --upgrade hpcshell",
            )
    return bool(empty)


def _primary_code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _unreadable(path: Path, error: Exception) -> Exception:
    if _primary_code(error) == sqlite3.SQLITE_NOTADB:
        with path.open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                return damaged(path, "it is not a database at all")
    return explained(error, path)


def _configure(connection: sqlite3.Connection, path: Path) -> None:
    if _value(connection, "PRAGMA journal_mode = WAL") != "wal":
        raise Broken(
            f"the file system that holds {path} cannot keep a database safe (no shared memory)",
            "put the state directory on a local disk with HPCSHELL_HOME",
        )
    for setting in SETTINGS:
        connection.execute(setting)


def _create(connection: sqlite3.Connection) -> None:
    script = _HERE.joinpath("schema.sql").read_text(encoding="utf-8")
    _in_one(connection, script, SCHEMA)


def _bring_up(connection: sqlite3.Connection, path: Path, found: int) -> None:
    copy(connection, path.with_name(f"{path.name}.schema-{found}.backup"))
    for version in range(found + 1, SCHEMA + 1):
        [script] = _HERE.joinpath("migrations").glob(f"{version:04}_*.sql")
        _in_one(connection, script.read_text(encoding="utf-8"), version)
    # So that an older version sees at once, in the file alone, that it is not for it.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _in_one(connection: sqlite3.Connection, script: str, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def copy(connection: sqlite3.Connection, target: Path) -> None:
    """A consistent copy of the database, whole or not at all, durable when this returns."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    with in_words(target), contextlib.closing(sqlite3.connect(partial)) as other:
        connection.backup(other)
        other.execute("PRAGMA journal_mode = DELETE")
    try:
        os.chmod(partial, 0o600)
        _sync(partial)
        partial.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise Broken(
            f"the copy {target} cannot be written: {error.strerror}",
            f"check who owns {target.parent} and that it has room",
        ) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _version(connection: sqlite3.Connection) -> int:
    return int(_value(connection, "PRAGMA user_version"))


def _value(connection: sqlite3.Connection, sql: str) -> Any:
    row = connection.execute(sql).fetchone()
    return row[0] if row else None
