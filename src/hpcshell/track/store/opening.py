"""Opening the tracker's database: SQLite unless a URL says PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from typing import Any, Final

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from hpcshell.core.errors import Broken, NotYet, Wrong
from hpcshell.core.words import quote
from hpcshell.machine.paths import Places
from hpcshell.track.store.migrating import migrate, version
from hpcshell.track.store.room import check_room
from hpcshell.track.store.store import Store
from hpcshell.track.store.trouble import translated

READERS: Final = 12
"""Connections that read at the same time; there is one more, which sees that others wrote."""
CACHE: Final = 32 << 10
"""Kibibytes of pages that all readers keep, and that the writer keeps."""
LOCKED: Final = 5.0
"""Seconds that SQLite waits for another process's lock."""
PAUSE: Final = 0.02
"""Seconds between two tries where SQLite does not wait itself."""
HINT: Final = "write postgresql://user@host/name or sqlite:////path/to/file.db"


def url_of(configured: str, places: Places) -> URL:
    """The URL of the database that the configuration means. Raises `Wrong`."""
    if not configured:
        return URL.create("sqlite", database=places.track.database)
    try:
        url = make_url(configured)
    except ArgumentError:
        raise Wrong("track.url is no URL of a database", HINT) from None
    if url.get_backend_name() == "sqlite":
        return url
    if url.get_backend_name() != "postgresql":
        raise Wrong(f"track.url names {url.get_backend_name()}, which is not supported", HINT)
    return url.set(drivername="postgresql+psycopg")


def open_store(url: URL, *, make: bool = True) -> Store:
    """The store behind this URL, its tables as this version has them; with `make` the directory of
    a file of SQLite, too. Raises `HpcError`."""
    lite = url.get_backend_name() == "sqlite" and url.database != ":memory:"
    if lite and url.database:
        _in_directory(os.path.dirname(os.path.abspath(url.database)), make)
        _make_private(url.database)
    try:
        readers = _engine(url, "BEGIN", pool_size=READERS + 1)
        writer = _engine(url, "BEGIN IMMEDIATE", pool_size=1)
    except NoSuchModuleError as error:
        raise Wrong(f"track.url: {error}", HINT) from None
    except ImportError:
        raise Wrong(
            "the driver of PostgreSQL is not installed", "pip install 'hpcshell[postgres]'"
        ) from None
    try:
        migrate(readers, writer)
    except SQLAlchemyError as error:
        told = translated(error)
        if lite and url.database and type(told) is Broken:
            check_room(url.database)  # SQLite says only that a file beside it cannot be made
        raise told from error
    return Store(readers, writer)


def _make_private(path: str) -> None:
    """Make the file, empty, for its owner alone: SQLite gives those beside it the same mode. One
    that anybody may read, as the umask had it, is no longer."""
    with contextlib.suppress(FileExistsError, OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for each in (path, path + "-wal", path + "-shm"):
        with contextlib.suppress(OSError):
            found = os.stat(each)
            if found.st_mode & stat.S_IRWXO and found.st_uid == os.geteuid():
                os.chmod(each, stat.S_IMODE(found.st_mode) & ~0o077)


def _in_directory(path: str, make: bool) -> None:
    try:
        if make:
            os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise Wrong(
            f"track.url: {quote(path, 200)} cannot be made: {error.strerror}", HINT
        ) from None
    if not os.path.isdir(path):
        raise Wrong(
            f"track.url: there is no directory {quote(path, 200)}",
            "is it written right? hpc web makes it",
        )


def version_of(url: URL) -> str | None:
    """The version of the tables there; `None`: there are none. Raises `HpcError`."""
    if url.get_backend_name() == "sqlite" and not os.path.exists(url.database or ""):
        return None
    engine = _engine(url, "BEGIN", pool_size=1)
    try:
        with engine.connect() as connection:
            return version(connection)
    except SQLAlchemyError as error:
        raise translated(error) from error
    finally:
        engine.dispose()


def _write_ahead(connection: Any) -> None:
    """Keep changes in a log beside the database. To begin with that, SQLite does not wait for
    others who are at it, whatever time-out it has: so we do."""
    deadline = time.monotonic() + LOCKED
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)


class _File:
    """The file of a database: as long as it is open it must be there, and be the same."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: tuple[int, int] | None = None

    def check(self) -> None:
        """Raises `NotYet` where it was deleted or replaced: what is written then would be lost."""
        try:
            found = os.stat(self._path)
            seen = (found.st_dev, found.st_ino)
        except OSError:
            seen = None
        if self._known is None:
            self._known = seen
        if seen is None or seen != self._known:
            raise NotYet(
                f"the tracker's database {self._path} was deleted or replaced while it was in use",
                "put it back, and start the server again",
            )


def _engine(url: URL, begin: str, *, pool_size: int) -> Engine:
    options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": 30}
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, **options)
    from sqlalchemy.pool import QueuePool

    arguments = {"timeout": LOCKED, "check_same_thread": False}
    engine = create_engine(url, poolclass=QueuePool, connect_args=arguments, **options)
    file = _File(url.database) if url.database and url.database != ":memory:" else None

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # we say ourselves when a transaction begins
        _write_ahead(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(f"PRAGMA cache_size=-{CACHE // pool_size}")
        connection.execute("PRAGMA mmap_size=268435456")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        if file is not None:
            file.check()
        connection.exec_driver_sql(begin)

    return engine
