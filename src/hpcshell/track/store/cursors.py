"""How far streams have been followed: kept with what was learned from them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from hpcshell.track.store import writing
from hpcshell.track.store.tables import sources


def cursor(connection: Connection, stream: str) -> int:
    """The number of the last event that was taken in; 0: none was."""
    found = connection.scalar(select(sources.c.offset).where(sources.c.source == stream))
    return int(found or 0)


def move(connection: Connection, stream: str, to: int, now: float) -> None:
    """All up to this one has been taken in."""
    row = {"source": stream, "run_id": "", "offset": to, "updated_at": now}
    connection.execute(writing.over(connection.dialect.name, sources), row)
