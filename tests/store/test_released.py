"""Databases of every schema that was ever released open, keep what they hold, and go on."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hpcshell.core.records import Outcome, State
from hpcshell.store import opening
from hpcshell.store.rows import Wanted
from hpcshell.store.store import Store
from tests.store import made
from tests.store.releasing import RELEASED

DUMPS = sorted(RELEASED.glob("schema-*.sql"))


@pytest.fixture(params=DUMPS, ids=lambda dump: dump.stem)
def released(request: pytest.FixtureRequest, path: Path) -> Path:
    """A database as that schema's version left it."""
    dump: Path = request.param
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    return path


def released_schema(path: Path) -> str:
    """As which schema it was released: a copy of it is kept when it is brought up."""
    copies = [copy.name for copy in path.parent.glob(f"{path.name}.schema-*.backup")]
    return copies[0].split("-")[-1].split(".")[0] if copies else str(opening.SCHEMA)


def _shape(store: Store) -> dict[str, str]:
    rows = store._connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    # ALTER TABLE leaves columns and comments where a fresh schema has them otherwise.
    return {name: re.sub(r"--.*|\s+|\"", "", sql) for name, sql in rows}


def test_every_schema_up_to_this_one_is_kept() -> None:
    assert [dump.stem for dump in DUMPS] == [f"schema-{n + 1}" for n in range(opening.SCHEMA)]


def test_it_has_all_it_had(released: Path) -> None:
    with Store.open(released) as store:
        assert store.check() == []
        assert [found.job.name for found in store.live_jobs()] == ["waits", "waits too"]
        array = store.job(2)
        assert array is not None
        assert array.summary is not None
        assert array.summary.outcome is Outcome.FAILED
        assert [task.index for task in store.tasks(2)] == [0, 5, 9]
        assert [run.attempt for run in store.runs(2, 5)] == [1, 2]
        gone = store.task(2, 77)
        assert gone is not None
        assert (gone.state, gone.outcome) == (State.ENDED, Outcome.CANCELLED)
        assert store.blob(store.jobs((1,))[0].job.launch.env) == b"A=1"
        [[waits, *_], _] = [store.job_ids_by_name("waits"), 0]
        assert store.jobs((waits,))[0].job.tags == ("one", "two")
        assert store.events()[-1].detail == {"version": "0.1.0"}


def test_what_was_set_apart_still_is(released: Path) -> None:
    with Store.open(released) as store:
        names = [one.name for one in store.reservations()]
        state = store.node("local").state
    since_it_is_kept = int(released_schema(released)) >= 2
    assert (names, state) == ((["week"], "drain") if since_it_is_kept else ([], "up"))


def test_its_ids_go_on_and_its_laws_hold(released: Path) -> None:
    with Store.open(released) as store:
        with store.change() as change:
            assert change.next_job_id() == 8
            made.whole_life(change)
        while store.purge(1e9).more:
            pass
        assert store.history(Wanted())[1] == 0
        assert len(list(store.live_jobs())) == 2


def test_it_comes_to_the_same_schema_as_a_new_database(released: Path, tmp_path: Path) -> None:
    with Store.open(released) as store, Store.open(tmp_path / "new.db") as new:
        assert _shape(store) == _shape(new), "a released schema changes by a migration only"
