"""Whatever is asked, the answer comes in time, or it is told that it does not."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from hpcshell.track.store import leaderboard, lists, runs
from hpcshell.track.store.deadlines import deadline
from hpcshell.track.store.paging import Wanted
from hpcshell.track.store.store import Store
from hpcshell.track.store.trouble import TooLong
from tests.track.store.made import experiment, log, run

ENDLESS = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT (i + 1) % 1000 FROM n)"
    " SELECT count(*) FROM n"
)
SOME = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
    " SELECT count(*) FROM n"
)


def test_what_would_go_on_for_ever_is_ended(store: Store) -> None:
    with (
        pytest.raises(TooLong, match="took longer") as told,
        store.reading() as connection,
        deadline(connection, 0.05),
    ):
        connection.execute(ENDLESS)
    assert "fewer conditions" in str(told.value.hint)


def test_the_connection_is_good_for_longer_questions_afterwards(store: Store) -> None:
    with store.reading() as connection:
        with deadline(connection, 0.05):
            connection.execute(text("SELECT 1"))
        assert connection.execute(SOME).scalar() == 100_000
    for _ in range(20):  # each of the pool
        with pytest.raises(TooLong), store.reading() as connection, deadline(connection, 0.01):
            connection.execute(ENDLESS)
        with store.reading() as connection:
            assert connection.execute(SOME).scalar() == 100_000


def test_lists_and_boards_have_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    number = experiment(store)
    for _ in range(100):
        log(store, run(store, number, tags={"t": "a" * 60_000}).run_id, {"loss": 0.5})
    slow = "tags.t LIKE '%" + "a" * 150 + "b'"
    for module in (lists, leaderboard):
        monkeypatch.setattr(module, "SECONDS", 0.01)

    with pytest.raises(TooLong), store.reading() as connection:
        runs.page(connection, Wanted(filter=slow))
    with pytest.raises(TooLong), store.reading() as connection:
        leaderboard.best(connection, number, "loss", filter=slow)
