"""Writing keys with their values: what is there already is written over."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

INSERT: Final[Mapping[str, Any]] = {"sqlite": insert_sqlite, "postgresql": insert_postgresql}
"""Each dialect's own INSERT, which knows ON CONFLICT."""


@cache
def over(dialect: str, table: Table) -> Any:
    """INSERT of a row into the table, or UPDATE of the one with the same primary key."""
    new = INSERT[dialect](table)
    rest = {each.name: new.excluded[each.name] for each in table.c if not each.primary_key}
    return new.on_conflict_do_update(index_elements=list(table.primary_key.c), set_=rest)


@cache
def once(dialect: str, table: Table) -> Any:
    """INSERT of a row into the table, unless one like it is there."""
    return INSERT[dialect](table).on_conflict_do_nothing()


def put(
    connection: Connection, table: Table, whose: Mapping[str, Any], values: Mapping[str, str]
) -> None:
    """Write `key` and `value` rows of one owner over those that there are."""
    if values:
        rows = [{**whose, "key": key, "value": value} for key, value in values.items()]
        connection.execute(over(connection.dialect.name, table), rows)
