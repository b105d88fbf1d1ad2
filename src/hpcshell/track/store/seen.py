"""Events that were taken in: the same one again is a repetition."""

from __future__ import annotations

from sqlalchemy import Connection

from hpcshell.track.store import writing
from hpcshell.track.store.tables import webhooks


def first(connection: Connection, event: str, now: float) -> bool:
    """Whether this event comes for the first time; from now on it has come."""
    row = {"event": event, "received_at": now}
    new = writing.once(connection.dialect.name, webhooks).returning(webhooks.c.event)
    return connection.scalar(new, row) is not None
