"""Whether the server can work is told as it is: no room, a database that is locked or gone."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from litestar.testing import TestClient

from hpcshell.machine.configfiles import daemon_settings
from hpcshell.machine.paths import places
from hpcshell.track.store import opening, readiness, room, store
from hpcshell.track.store.opening import open_store, url_of
from hpcshell.track.store.trouble import Full
from hpcshell.web.answers.sharing import Latest
from hpcshell.web.api import health
from hpcshell.web.app import make_app
from hpcshell.web.context import Context
from tests.support.disks import fill, small_disk
from tests.support.postgres import new_server
from tests.track.store.made import experiment, run


@contextmanager
def served(url: str) -> Iterator[tuple[httpx.Client, Context]]:
    """The application over this database; each time it is asked it looks anew."""
    where = places(os.environ)
    where.prepare()
    made = Context(daemon_settings(where, os.environ), where, open_store(url_of(url, where)))
    made.ready = Latest(0.0)
    with TestClient(make_app(made), "http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client, made
    made.close()


def refused(client: httpx.Client) -> tuple[int, str]:
    """Status and kind of problem; a problem says when to ask again."""
    answer = client.get("/readyz")
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["hint"]
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_a_full_disk_is_told_until_there_is_room(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "FLOOR", 64 << 10)
    with (
        small_disk(tmp_path / "disk") as disk,
        served(f"sqlite:///{disk}/track.db") as (client, _),
    ):
        assert client.get("/readyz").status_code == 200
        fill(disk)
        assert refused(client) == (507, "full")
        assert client.get("/healthz").status_code == 200  # the process lives
        (disk / "ballast").unlink()
        assert client.get("/readyz").status_code == 200


def test_a_change_that_found_no_room_is_remembered_until_one_is_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a quota is used up: the disk itself has room."""
    monkeypatch.setattr(room, "FLOOR", 0)
    with (
        small_disk(tmp_path / "disk") as disk,
        served(f"sqlite:///{disk}/track.db") as (client, context),
    ):
        opened = context.store
        number = experiment(opened)
        assert opened.has_written(60)
        fill(disk)
        with pytest.raises(Full):
            run(opened, number, tags={f"k{each}": "x" * 10_000 for each in range(50)})
        assert not opened.has_written(60)
        (disk / "ballast").unlink()
        assert client.get("/readyz").status_code == 200
        assert opened.has_written(60)


def test_a_database_that_another_holds_is_told(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LOCKED", 0.01)
    monkeypatch.setattr(store, "PATIENCE", 0.05)
    with (
        served(f"sqlite:///{tmp_path}/track.db") as (client, _),
        closing(sqlite3.connect(tmp_path / "track.db", isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert refused(client) == (503, "not-yet")
        other.execute("ROLLBACK")
        assert client.get("/readyz").status_code == 200


def test_a_store_that_does_not_answer_is_not_waited_for(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    monkeypatch.setattr(readiness, "check", lambda _: answered.wait(30))
    assert refused(api) == (503, "not-yet")
    answered.set()


def test_a_postgresql_that_is_gone_is_told_until_it_is_back(home: Path) -> None:
    with new_server() as server, served(server.database()) as (client, _):
        assert client.get("/readyz").json()["store"] == "postgresql"
        server.stop()
        assert refused(client) == (503, "not-yet")
        server.start()
        assert client.get("/readyz").status_code == 200


def test_who_asks_without_end_makes_it_look_once(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    monkeypatch.setattr(readiness, "check", looks.append)
    del api.headers["Authorization"]
    assert {api.get("/readyz").status_code for _ in range(100)} == {200}
    assert 1 <= len(looks) <= 3


def test_a_change_that_was_committed_is_proof_enough(context: Context) -> None:
    readiness.check(context.store)
    version = context.store.version()
    for _ in range(10):
        readiness.check(context.store)
    assert context.store.version() == version  # nothing was written


def test_an_error_is_given_again_as_an_answer_is() -> None:
    asked, now = [], [0.0]
    latest = Latest(2.0, lambda: now[0])

    async def ask() -> int:
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("full")
        return len(asked)

    async def told() -> list[object]:
        asking = (latest.answer(ask) for _ in range(5))
        return list(await asyncio.gather(*asking, return_exceptions=True))

    async def all_of_it() -> None:
        assert {str(each) for each in await told()} == {"full"}
        now[0] = 1.9
        assert {str(each) for each in await told()} == {"full"}
        now[0] = 2.0
        assert await told() == [2] * 5

    asyncio.run(all_of_it())
    assert len(asked) == 2
