"""The version of the store: another one after each change, of whoever made it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL

from hpcshell.track.store import experiments
from hpcshell.track.store.opening import open_store
from hpcshell.track.store.store import Store


def test_it_stays_while_nothing_changes_and_is_another_once_a_change_is_told(store: Store) -> None:
    before = store.version()
    with store.reading() as connection:
        assert experiments.named(connection, "new") is None
    assert store.version() == before
    store.change(lambda connection: experiments.create(connection, "new", now=1.0))
    assert store.version() != before


def test_what_another_process_changes_is_seen_with_sqlite(tmp_path: Path) -> None:
    url = URL.create("sqlite", database=str(tmp_path / "track.db"))
    with open_store(url) as ours, open_store(url) as theirs:
        before = ours.version()
        theirs.change(lambda connection: experiments.create(connection, "new", now=1.0))
        assert ours.version() != before


def test_where_it_cannot_be_asked_for_no_two_are_the_same(tmp_path: Path) -> None:
    with open_store(URL.create("sqlite", database=str(tmp_path / "track.db"))) as store:
        assert store._watch is not None
        store._watch.driver_connection.close()  # type: ignore[union-attr]
        assert store.version() != store.version()
