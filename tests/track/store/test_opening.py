"""The tracker's database is its owner's alone, whatever the umask is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from hpcshell.track.store import experiments
from hpcshell.track.store.opening import open_store


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in directory.glob("track.db*")}


def written(path: Path) -> dict[str, int]:
    """The modes of the files while something is written."""
    with open_store(URL.create("sqlite", database=str(path))) as store:
        store.change(lambda connection: experiments.ensure(connection, "x", now=1.0))
        return modes(path.parent)


def test_a_new_database_and_what_lies_beside_it_are_nobody_elses(tmp_path: Path) -> None:
    assert written(tmp_path / "track.db") == {
        "track.db": 0o600,
        "track.db-wal": 0o600,
        "track.db-shm": 0o600,
    }


def test_one_that_anybody_may_read_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "track.db"
    written(path)
    path.chmod(0o644)
    assert set(written(path).values()) == {0o600}


def test_one_that_a_group_shares_on_purpose_stays_shared(tmp_path: Path) -> None:
    path = tmp_path / "track.db"
    written(path)
    path.chmod(0o660)
    assert set(written(path).values()) == {0o660}
