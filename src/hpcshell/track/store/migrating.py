"""Bringing a database to the tables of this version."""

from __future__ import annotations

import secrets as chance

from sqlalchemy import Engine

from hpcshell.track.store import writing
from hpcshell.track.store.tables import metadata, secrets


def migrate(engine: Engine) -> None:
    """Make or change what is missing or old."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        once = writing.once(connection.dialect.name, secrets)
        connection.execute(once, {"name": "cursors", "value": chance.token_bytes(32)})
