"""`Store`: many readers, one writer, and what was answered is on disk.

    with open_store(url) as store:
        with store.reading() as connection: ...
        run = store.change(lambda connection: runs.create(connection, ...))

Changes queue up and are committed together: a commit costs an fsync, whether of one change or of a
hundred. A change that fails is undone alone, and its error is raised where it was asked for. Nobody
is answered before the commit.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hpcshell.core.errors import Broken, NotYet
from hpcshell.track.store.trouble import translated

TOGETHER: Final = 200
"""Most changes of one commit."""
PATIENCE: Final = 10.0
"""Seconds for which a database that is away is waited for, before a change is refused."""
_PAUSE: Final = 0.1

T = TypeVar("T")
Work = Callable[[Connection], T]
"""A change. It may be run twice, if the database went away meanwhile: it has no other effect."""


class Store:
    """An open database of the tracker. Any number of threads may use it."""

    def __init__(self, readers: Engine, writer: Engine) -> None:
        self._readers = readers
        self._writer = writer
        self._commits = 0
        self._watch = readers.raw_connection() if readers.dialect.name == "sqlite" else None
        self._orders: queue.SimpleQueue[tuple[Work[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._write, name="track-writer", daemon=True)
        self._thread.start()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._readers.dialect.name

    def version(self) -> Hashable:
        """Another one after each change, before whoever asked for it is told; with SQLite also
        after those of other processes. Cheap enough for each request."""
        if self._watch is None:
            return self._commits
        try:
            asked = self._watch.cursor()
            asked.execute("PRAGMA data_version")
            return self._commits, asked.fetchall()[0][0]
        except sqlite3.Error:  # whoever reads is told what is wrong
            return object()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database. Raises `NotYet` or `Broken`."""
        try:
            with self._readers.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise translated(error) from error

    def change(self, work: Work[T]) -> T:
        """Do this and commit it. Raises what `work` raises, `NotYet` or `Broken`."""
        return self.enqueue(work).result()

    def enqueue(self, work: Work[T]) -> Future[T]:
        """The same for those who do not wait."""
        if self._closed:
            raise Broken("the tracker's store is closed", "start the server again: hpc web")
        future: Future[T] = Future()
        self._orders.put((work, future))
        return future

    def close(self) -> None:
        """Carry out what was asked for, and close."""
        if not self._closed:
            self._closed = True
            self._orders.put(None)
            self._thread.join()
            if self._watch is not None:
                self._watch.close()
            self._readers.dispose()
            self._writer.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------ the writer

    def _write(self) -> None:
        while (first := self._orders.get()) is not None:
            group, last = [first], False
            while len(group) < TOGETHER:
                try:
                    order = self._orders.get_nowait()
                except queue.Empty:
                    break
                if order is None:
                    last = True
                    break
                group.append(order)
            self._carry_out([order for order in group if order[1].set_running_or_notify_cancel()])
            if last:
                return

    def _carry_out(self, group: list[tuple[Work[Any], Future[Any]]]) -> None:
        """Commit a group; again, where it is certain that nothing was committed."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                done = self._commit(group)
                self._commits += 1
                for future, value, error in done:
                    future.set_exception(error) if error else future.set_result(value)
                return
            except _Uncertain as error:
                told: Exception = error.told
            except SQLAlchemyError as error:
                told = translated(error)
                if isinstance(told, NotYet) and time.monotonic() < deadline:
                    time.sleep(_PAUSE)
                    continue
            except Exception as error:  # whatever it is, those who wait for it are told
                told = error
            self._commits += 1  # it may have been committed
            for _, future in group:
                future.set_exception(told)
            return

    def _commit(
        self, group: list[tuple[Work[Any], Future[Any]]]
    ) -> list[tuple[Future[Any], Any, Exception | None]]:
        done: list[tuple[Future[Any], Any, Exception | None]] = []
        with self._writer.connect() as connection:
            for work, future in group:
                point = connection.begin_nested()
                try:
                    value = work(connection)
                except Exception as error:  # of one, which is told to whoever asked for it
                    if isinstance(error, DBAPIError) and _of_the_database(error):
                        raise  # no fault of this one: all are tried again
                    point.rollback()
                    told = translated(error) if isinstance(error, SQLAlchemyError) else error
                    done.append((future, None, told))
                else:
                    point.commit()
                    done.append((future, value, None))
            try:
                connection.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise _Uncertain(translated(error)) from error
                raise
        return done


def _of_the_database(error: DBAPIError) -> bool:
    return error.connection_invalidated or isinstance(translated(error), NotYet)


class _Uncertain(Exception):
    """The database went away as it was to commit."""

    def __init__(self, told: Exception) -> None:
        super().__init__(str(told))
        self.told = told
