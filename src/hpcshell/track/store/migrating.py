"""Bringing a database to the tables of this version.

A database that is there already is only looked at; what is changed is changed in one transaction,
by one process at a time.
"""

from __future__ import annotations

import os
import secrets as chance
from typing import Any, Final

from sqlalchemy import Connection, Engine, inspect, text

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.track.store import writing
from hpcshell.track.store.tables import metadata, secrets

NEWEST: Final = "0001"
"""The version of the tables that this code works with."""
FOLDER: Final = os.path.join(os.path.dirname(__file__), "migrations")
_LOCK: Final = 0x48504354
"""Of PostgreSQL's advisory locks: ours."""


def migrate(readers: Engine, writer: Engine) -> bool:
    """Make or change what is missing or old; whether anything was. Raises `Wrong` for a database
    of a newer version, or of something else."""
    with readers.connect() as connection:
        if version(connection) == NEWEST:
            return False
    with writer.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if (there := version(connection)) == NEWEST:
            return False  # somebody else was faster
        _upgrade(connection, there)
        once = writing.once(connection.dialect.name, secrets)
        connection.execute(once, {"name": "cursors", "value": chance.token_bytes(32)})
    return True


def version(connection: Connection) -> str | None:
    """The version of a database; `None`: it is empty. Raises `Wrong` where it is not the
    tracker's."""
    there = set(inspect(connection).get_table_names())
    if "alembic_version" in there:
        found: Any = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if found is not None:
            return str(found)
    if taken := sorted(there & set(metadata.tables)):
        raise Wrong(
            f"the database has a table {quote(taken[0])} that is not the tracker's",
            "name an empty database in track.url",
        )
    return None


def _upgrade(connection: Connection, there: str | None) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(FOLDER)
    known = {revision.revision for revision in script.walk_revisions()}
    if there is not None and there not in known:
        raise Wrong(
            f"the tracker's database has version {quote(there)}, and this is {NEWEST}: it is of a"
            " newer HPCShell, or of another program",
            "pip install --upgrade hpcshell, or name another database in track.url",
        )

    def steps(revision: Any, _: Any) -> Any:
        return script._upgrade_revs(NEWEST, revision)

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection)
        environment.run_migrations()
