"""Runs beside each other, and the best of an experiment."""

from __future__ import annotations

import math

import pytest

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.track.store.compare import compare
from hpcshell.track.store.leaderboard import best
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import series
from tests.track.store.made import experiment, log, run


def test_what_differs_stands_apart_from_what_is_the_same(store: Store) -> None:
    number = experiment(store)
    one = run(store, number, name="one", params={"lr": "0.1", "depth": "3", "only": "x"})
    two = run(store, number, name="two", params={"lr": "0.2", "depth": "3"})
    log(store, two.run_id, {"loss": 0.5})

    with store.reading() as connection:
        found = compare(connection, [two.run_id, one.run_id])

    assert [each.name for each in found.runs] == ["two", "one"]
    assert found.differing == {"lr": ["0.2", "0.1"], "only": [None, "x"]}
    assert found.same == {"depth": "3"}
    assert [each and each.last for each in found.metrics["loss"]] == [0.5, None]
    assert found.columns == {"name": ["two", "one"]}


def test_only_runs_that_are_there_are_compared(store: Store) -> None:
    with store.reading() as connection:
        with pytest.raises(NotFound):
            compare(connection, ["0" * 32])
        with pytest.raises(Wrong):
            compare(connection, [])
        with pytest.raises(Wrong):
            compare(connection, [f"{count:032x}" for count in range(101)])


def test_the_best_are_those_with_the_greatest_or_the_least(store: Store) -> None:
    number, other = experiment(store), experiment(store, "other")
    ids: dict[float | None, list[str]] = {}
    for value in (0.5, None, 0.9, 0.1, 0.9, -math.inf):
        made = run(store, number).run_id
        ids.setdefault(value, []).append(made)
        log(store, made, {"acc": value})
    stranger = run(store, other).run_id
    log(store, stranger, {"acc": 7.0})
    run(store, number)

    with store.reading() as connection:
        most = best(connection, number, "acc", limit=3)
        least = best(connection, number, "acc", least=True, limit=2)
        assert best(connection, number, "none") == []
        assert len(best(connection, number, "acc", filter="metrics.acc < 0.4")) == 2
    assert [(each.rank, each.value) for each in most] == [(1, 0.9), (2, 0.9), (3, 0.5)]
    assert [each.run.run_id for each in most[:2]] == ids[0.9]
    assert [each.value for each in least] == ["-Infinity", 0.1]


def test_it_may_be_judged_by_what_came_last(store: Store) -> None:
    number = experiment(store)
    falling, steady = run(store, number).run_id, run(store, number).run_id
    log(store, falling, {"acc": 0.1})
    its = series.c.run_id == falling
    store.change(lambda c: c.execute(series.update().where(its).values(max=0.9, max_step=4)))
    log(store, steady, {"acc": 0.5})

    with store.reading() as connection:
        assert [
            (each.run.run_id, each.value, each.step) for each in best(connection, number, "acc")
        ] == [
            (falling, 0.9, 4),
            (steady, 0.5, 0),
        ]
        last = best(connection, number, "acc", by="last")
    assert [each.run.run_id for each in last] == [steady, falling]


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_that_is_none_is_refused(store: Store, limit: int) -> None:
    number = experiment(store)

    with store.reading() as connection, pytest.raises(Wrong):
        best(connection, number, "acc", limit=limit)
