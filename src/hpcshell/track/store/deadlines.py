"""How long one question to the store may take, whatever is asked.

    with deadline(connection, SECONDS):
        rows = connection.execute(statement).all()

A filter is written by whoever asks, and the rows that it has to try are many: what bounds it is
time. Raises the database's own error, which `trouble.translated` makes a `TooLong`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection

SECONDS: Final = 5.0
"""Of a question that somebody else has worded."""
AGAIN: Final = 0.05
"""Seconds after which SQLite is stopped once more: it may have been between two statements."""


@contextlib.contextmanager
def deadline(connection: Connection, seconds: float) -> Iterator[None]:
    """What is asked within takes no longer than this, with PostgreSQL each statement."""
    limited = _of_sqlite if connection.dialect.name == "sqlite" else _of_postgresql
    with limited(connection, seconds):
        yield


@contextlib.contextmanager
def _of_sqlite(connection: Connection, seconds: float) -> Iterator[None]:
    opened: Any = connection.connection.driver_connection
    over = threading.Event()

    def watch() -> None:
        wait = seconds
        while not over.wait(wait):
            opened.interrupt()
            wait = AGAIN

    watching = threading.Thread(target=watch, name="deadline", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()  # nothing that comes later is stopped


@contextlib.contextmanager
def _of_postgresql(connection: Connection, seconds: float) -> Iterator[None]:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {seconds * 1000:.0f}")
    yield  # after an error the transaction is over, and this setting with it
    connection.exec_driver_sql("SET LOCAL statement_timeout TO DEFAULT")
