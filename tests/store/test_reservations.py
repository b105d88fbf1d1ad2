"""What is set apart, and whether the machine takes work, is kept as it was last said."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from hpcshell.core.errors import Broken
from hpcshell.core.records import NodeNote, Request
from hpcshell.policy.reserve import Reservation
from hpcshell.store.store import Store

WEEK = Reservation(name="week", start=10.0, end=20.0, request=Request(cpus=2), users=("ann",))


def test_a_reservation_is_kept_changed_and_dropped(path: Path) -> None:
    with Store.open(path) as store, store.change() as change:
        change.put_reservation(WEEK)
        change.put_reservation(replace(WEEK, name="night", start=5.0))
    with Store.open(path) as store:
        assert [one.name for one in store.reservations()] == ["night", "week"]
        assert store.reservations()[1] == WEEK
        with store.change() as change:
            change.put_reservation(replace(WEEK, end=30.0))
            change.drop_reservation("night")
    with Store.open(path) as store:
        assert store.reservations() == [replace(WEEK, end=30.0)]
        with pytest.raises(LookupError), store.change() as change:
            change.drop_reservation("night")


def test_a_machine_takes_work_unless_it_was_said_otherwise(path: Path) -> None:
    note = NodeNote(state="drain", reason="disk", user="ann", since=3.0)
    with Store.open(path) as store:
        assert store.node("local") == NodeNote()
        with store.change() as change:
            change.put_node("local", note)
    with Store.open(path) as store:
        assert store.node("local") == note


def test_the_schema_refuses_what_ends_before_it_starts(path: Path) -> None:
    with Store.open(path) as store, pytest.raises(sqlite3.IntegrityError):
        store._connection.execute("INSERT INTO reservation VALUES ('x', 2.0, 1.0, x'7b7d')")


def test_a_record_that_cannot_be_read_is_damage_and_no_traceback(path: Path) -> None:
    with Store.open(path) as store:
        store._connection.execute("INSERT INTO reservation VALUES ('x', 1.0, 2.0, x'7b7d')")
        with pytest.raises(Broken):
            store.reservations()
