"""Bringing a database to the tables of this version."""

from __future__ import annotations

from sqlalchemy import Engine

from hpcshell.track.store.tables import metadata


def migrate(engine: Engine) -> None:
    """Make or change what is missing or old."""
    metadata.create_all(engine)
