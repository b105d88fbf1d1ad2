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

from hpcshell.core.errors import Broken, Wrong
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


def open_store(url: URL) -> Store:
    """The store behind this URL, its tables as this version has them. Raises `HpcError`."""
    lite = url.get_backend_name() == "sqlite"
    if lite and url.database:
        os.makedirs(os.path.dirname(os.path.abspath(url.database)), mode=0o700, exist_ok=True)
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


def _engine(url: URL, begin: str, *, pool_size: int) -> Engine:
    options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": 30}
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, **options)
    from sqlalchemy.pool import QueuePool

    arguments = {"timeout": LOCKED, "check_same_thread": False}
    engine = create_engine(url, poolclass=QueuePool, connect_args=arguments, **options)

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
        connection.exec_driver_sql(begin)

    return engine
