"""Whether the store answers, and can be written: found out with as little as shows it.

A write costs an fsync, so none is tried where one has succeeded a short while ago.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from hpcshell.track.store.room import check_room
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import secrets

BELIEVED: Final = 60.0
"""Seconds for which a change that was committed says that others can be."""

_touch: Final = (
    secrets.update().where(secrets.c.name == "cursors").values(value=secrets.c.value)
)  # what is written is what is there


def check(store: Store) -> None:
    """Raises `Full` where there is no room left, and `NotYet` or `Broken` where the store does not
    answer or cannot be written."""
    with store.reading() as connection:
        connection.execute(text("SELECT 1")).one()
    if store.file is not None:
        check_room(store.file)
    if not store.has_written(BELIEVED):
        store.change(_write)


def _write(connection: Connection) -> None:
    connection.execute(_touch)
