"""A database of the present schema as SQL text, to be kept for ever once that schema is released.

    python -m tests.store.releasing

writes released/schema-N.sql. Only before a release: afterwards a changed schema has a new number.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from hpcshell.core.records import NodeNote, Request
from hpcshell.policy.reserve import Reservation
from hpcshell.store import opening
from hpcshell.store.store import Store
from tests.store.crashing import STEPS
from tests.store.made import submit, whole_life

RELEASED: Final = Path(__file__).with_name("released")


def fill(store: Store) -> None:
    """The scenario of the crash tests, two jobs that live, and a purge that was interrupted."""
    for step in STEPS:
        with store.change() as change:
            step(change)
    with store.change() as change:
        whole_life(change, name="old", time=10.0)
        whole_life(change, name="older", time=5.0)
        submit(change, name="waits", tags=("one", "two"))
        submit(change, name="waits too", array="0-9:3,20", uid=7)
        change.put_reservation(
            Reservation(
                name="week", start=500.0, end=900.0, request=Request(cpus=2), users=("ann",)
            )
        )
        change.put_node("local", NodeNote(state="drain", reason="disk", user="ann", since=1.0))
        change.add_event(400.0, None, "daemon", cause="started", detail={"version": "0.1.0"})
    store.purge(8.0, 100)
    store.purge(20.0, 1)


def dump(store: Store) -> str:
    """Statements that make the database again."""
    lines = [
        f"PRAGMA application_id = {opening.APPLICATION_ID};",
        f"PRAGMA user_version = {store.schema};",
        *store._connection.iterdump(),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        Store.open(Path(directory) / "hpcshell.db") as store,
    ):
        fill(store)
        text = dump(store)
    RELEASED.joinpath(f"schema-{opening.SCHEMA}.sql").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
