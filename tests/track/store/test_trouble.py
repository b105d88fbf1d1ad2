"""A database that is locked, full, damaged or away: what is told, and what is left."""

from __future__ import annotations

import signal
import sqlite3
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from hpcshell.core.errors import Broken, HpcError, NotYet, Wrong
from hpcshell.machine.paths import places
from hpcshell.track.records import Run
from hpcshell.track.store import experiments, opening, runs, store
from hpcshell.track.store.opening import open_store, url_of
from hpcshell.track.store.runs import NewRun
from hpcshell.track.store.trouble import Full
from tests.support.disks import fill, small_disk
from tests.support.postgres import new_server
from tests.track.store.made import NOW, experiment, psycopg_url, run


def test_a_database_that_another_locks_is_not_ready_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LOCKED", 0.05)
    monkeypatch.setattr(store, "PATIENCE", 0.2)
    url = make_url(f"sqlite:///{tmp_path}/track.db")
    with open_store(url) as opened:
        number = experiment(opened)
        other = sqlite3.connect(tmp_path / "track.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(NotYet, match="locked") as told:
            run(opened, number)
        assert told.value.hint
        with opened.reading() as connection:  # who only reads waits for nobody
            assert experiments.show(connection, number).runs == 0
        open_store(url).close()

        other.execute("ROLLBACK")
        other.close()
        run(opened, number)


def test_a_change_waits_while_another_locks_it_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LOCKED", 0.01)
    with open_store(make_url(f"sqlite:///{tmp_path}/track.db")) as opened:
        number = experiment(opened)
        other = sqlite3.connect(tmp_path / "track.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = opened.enqueue(lambda c: runs.create(c, NewRun(experiment_id=number), NOW))
        assert not waiting.done()
        other.execute("ROLLBACK")
        other.close()

        assert waiting.result(30).experiment_id == number


def test_a_full_disk_is_told_and_leaves_nothing_half(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path}/disk/track.db")
    with small_disk(tmp_path / "disk") as disk, open_store(url) as opened:
        number = experiment(opened)
        fill(disk)
        big = {f"k{count}": "x" * 10_000 for count in range(50)}

        with pytest.raises(Full, match="full") as told:
            run(opened, number, tags=big)
        assert "room" in str(told.value.hint)
        with opened.reading() as connection:
            assert experiments.show(connection, number).runs == 0

        (disk / "ballast").unlink()
        run(opened, number)
        with opened.reading() as connection:
            assert experiments.show(connection, number).runs == 1


def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "track.db").write_bytes(b"this is a text and no database" * 100)

    with pytest.raises(Broken, match="not a database") as told:
        open_store(make_url(f"sqlite:///{tmp_path}/track.db"))
    assert told.value.hint


@pytest.mark.parametrize(
    "url", ["mysql://host/db", "nonsense", "file:/etc/passwd", "http://example.org/"]
)
def test_a_url_of_nothing_that_is_known_is_refused(url: str) -> None:
    with pytest.raises(Wrong) as told:
        url_of(url, places({"HPCSHELL_HOME": "/nowhere"}))
    assert told.value.hint


def test_a_server_that_is_not_there_is_not_ready_yet(tmp_path: Path) -> None:
    with pytest.raises(NotYet) as told:
        open_store(psycopg_url(f"postgresql://me@/t?host={tmp_path}"))
    assert told.value.hint


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_a_server_that_went_away_loses_nothing_that_was_acknowledged_and_doubles_nothing(
    how: signal.Signals,
) -> None:
    with new_server() as server, open_store(psycopg_url(server.database())) as opened:
        number = experiment(opened)
        ids = [f"{count:032x}" for count in range(150)]

        def ask(id: str) -> Future[Run]:
            new = NewRun(experiment_id=number, run_id=id, params={"a": id})
            return opened.enqueue(lambda connection: runs.create(connection, new, NOW))

        asked = {id: ask(id) for id in ids}
        asked[ids[50]].result(60)
        server.stop(how)
        server.start()
        answers = {id: _answer(future) for id, future in asked.items()}
        acknowledged = {id for id, error in answers.items() if error is None}
        with opened.reading() as connection:
            kept = set(connection.exec_driver_sql("SELECT run_id FROM runs").scalars())
        assert acknowledged <= kept

        for error in answers.values():
            assert error is None or isinstance(error, NotYet), error
        for id in ids:  # whoever was not answered asks again
            ask(id).result(60)
        with opened.reading() as connection:
            kept_now = list(connection.exec_driver_sql("SELECT run_id FROM runs").scalars())
        assert sorted(kept_now) == ids


def _answer(future: Future[Any]) -> HpcError | None:
    try:
        future.result(60)
    except HpcError as error:
        return error
    return None


def test_readers_come_back_when_the_server_does() -> None:
    with new_server() as server, open_store(psycopg_url(server.database())) as opened:
        number = experiment(opened)
        with opened.reading() as connection:
            assert experiments.show(connection, number)
        server.stop()
        with pytest.raises(NotYet), opened.reading() as connection:
            experiments.show(connection, number)
        server.start()
        with opened.reading() as connection:
            assert experiments.show(connection, number)


def test_a_database_that_is_deleted_in_use_takes_nothing_more(tmp_path: Path) -> None:
    """What would be written then is gone with the process."""
    with open_store(make_url(f"sqlite:///{tmp_path}/track.db")) as opened:
        number = experiment(opened)
        for file in tmp_path.glob("track.db*"):
            file.rename(file.with_name(f"away-{file.name}"))
        with pytest.raises(NotYet, match="deleted or replaced"):
            run(opened, number)
        with pytest.raises(NotYet), opened.reading() as connection:
            experiments.show(connection, number)
        for file in tmp_path.glob("away-*"):
            file.replace(file.with_name(file.name.removeprefix("away-")))
        assert run(opened, number)
