"""However points come in, all of them are there, in order, and their summary is right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.track.points import append as appending
from hpcshell.track.points.append import append
from hpcshell.track.points.chunks import Points
from hpcshell.track.points.reading import every, in_order
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import chunks, runs, series
from tests.track.points.made import (
    RUN,
    Triple,
    add_run,
    expected_order,
    expected_summary,
    made_run,
    points_of,
    same,
    summary,
    triples,
    undone,
)

ONE = Points([1], [2.0], [3.0])


def kept(connection: Connection, key: str = "loss") -> list[Triple]:
    columns = in_order(every(connection, RUN, key))
    return list(zip(*(column.tolist() for column in columns), strict=True))


def batches(some: list[Triple], cuts: list[int]) -> Iterator[list[Triple]]:
    edges = [0, *sorted(cut % (len(some) + 1) for cut in cuts), len(some)]
    for low, high in itertools.pairwise(edges):
        yield some[low:high]


def test_all_points_are_there_in_order_however_they_came_in(store: Store) -> None:
    @given(triples().filter(bool), st.lists(st.integers(0, 30), max_size=6))
    def law(some: list[Triple], cuts: list[int]) -> None:
        def check(connection: Connection) -> None:
            add_run(connection)
            for batch in batches(some, cuts):
                append(connection, RUN, {"loss": points_of(batch)}, 5.0)
            assert same(kept(connection), expected_order(some))
            assert summary(connection, RUN, "loss") == expected_summary(some)

        undone(store, check)

    law()


def test_putting_chunks_together_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "TIERS", (2, 4, 8))
    monkeypatch.setattr(appending, "FULL", 7)

    @given(st.lists(triples(8).filter(bool), min_size=1, max_size=20))
    def law(parts: list[list[Triple]]) -> None:
        def check(connection: Connection) -> None:
            add_run(connection)
            for part in parts:
                append(connection, RUN, {"loss": points_of(part)}, 5.0)
            whole = [one for part in parts for one in part]
            columns = every(connection, RUN, "loss")
            arrived = list(zip(*(column.tolist() for column in columns), strict=True))
            assert same(arrived, whole)
            assert summary(connection, RUN, "loss") == expected_summary(whole)

        undone(store, check)

    law()


def test_single_points_end_up_in_few_chunks(store: Store) -> None:
    made_run(store)
    for waiting in [
        store.enqueue(partial(append, run_id=RUN, metrics=single(step), now=5.0))
        for step in range(1100)
    ]:
        waiting.result()
    with store.reading() as connection:
        assert (connection.scalar(select(func.count()).select_from(chunks)) or 0) < 35
        assert [step for step, _, _ in kept(connection)] == list(range(1100))


def single(step: int) -> dict[str, Points]:
    return {"loss": Points([step], [step], [step / 2])}


def test_chunks_that_are_full_are_left_as_they_are(store: Store) -> None:
    made_run(store)
    full = Points(range(10_000), [1.0] * 10_000, [2.0] * 10_000)

    def log(connection: Connection) -> None:
        for number in range(64):
            append(connection, RUN, {"loss": full if number % 2 else ONE}, 5.0)

    store.change(log)
    with store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(chunks)) == 64
        assert connection.scalar(select(func.sum(chunks.c.count))) == 32 * 10_001


def test_the_same_batch_is_taken_once(store: Store) -> None:
    made_run(store)
    for _ in range(3):
        store.change(lambda c: append(c, RUN, {"loss": ONE}, 5.0, batch="a"))
    assert store.change(lambda c: append(c, RUN, {"loss": ONE}, 5.0, batch="a")) == 0
    assert store.change(lambda c: append(c, RUN, {"loss": ONE}, 5.0, batch="b")) == 1
    with store.reading() as connection:
        assert summary(connection, RUN, "loss")["count"] == 2


def test_the_same_batch_of_another_run_is_another(store: Store) -> None:
    def log(connection: Connection) -> list[int]:
        both = (add_run(connection), add_run(connection, "1" * 32))
        return [append(connection, run_id, {"loss": ONE}, 5.0, batch="a") for run_id in both]

    assert store.change(log) == [1, 1]


def test_points_are_a_sign_of_life(store: Store) -> None:
    made_run(store)
    store.change(lambda c: c.execute(runs.update().values(status="LOST")))
    store.change(lambda c: append(c, RUN, {"loss": ONE}, 99.0))
    with store.reading() as connection:
        asked = select(runs.c.status, runs.c.heartbeat_at)
        assert tuple(connection.execute(asked).one()) == ("RUNNING", 99.0)


def test_points_of_a_run_that_ended_leave_it_ended(store: Store) -> None:
    made_run(store)
    store.change(lambda c: c.execute(runs.update().values(status="FAILED")))
    store.change(lambda c: append(c, RUN, {"loss": ONE}, 99.0))
    with store.reading() as connection:
        assert connection.scalar(select(runs.c.status)) == "FAILED"


def test_there_must_be_such_a_run(store: Store) -> None:
    with pytest.raises(NotFound):
        store.change(lambda c: append(c, "f" * 32, {"loss": ONE}, 5.0))


def test_no_points_make_no_metric(store: Store) -> None:
    made_run(store)
    assert store.change(lambda c: append(c, RUN, {"loss": Points.of([])}, 5.0)) == 0
    with store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(series)) == 0


@pytest.mark.parametrize(
    "key", ["<script>alert(1)</script>", "val/acc top 1", "=1+1", "損失", "x" * 250]
)
def test_a_metric_may_have_such_a_name(store: Store, key: str) -> None:
    made_run(store)
    store.change(lambda c: append(c, RUN, {key: ONE}, 5.0))
    with store.reading() as connection:
        assert kept(connection, key) == [(1, 2.0, 3.0)]


@pytest.mark.parametrize(
    "key", ["", "x" * 251, "損" * 84, "a\nb", "a\0b", "a\x1b[2J", "a\u202eb", "\ud800"]
)
def test_a_metric_may_not_have_such_a_name(store: Store, key: str) -> None:
    made_run(store)
    with pytest.raises(Wrong) as error:
        store.change(lambda c: append(c, RUN, {key: ONE}, 5.0))
    assert error.value.hint


@pytest.mark.parametrize(
    "points",
    [
        Points([1 << 63], [1.0], [1.0]),
        Points([1.5], [1.0], [1.0]),  # type: ignore[list-item]
        Points([1], [math.nan], [1.0]),
        Points([1], [math.inf], [1.0]),
        Points([1], [1.0], ["x"]),  # type: ignore[list-item]
        Points([1], [1.0], [10**400]),
        Points([1], [1.0], [1.0, 2.0]),
        Points([1], [None], [1.0]),  # type: ignore[list-item]
    ],
)
def test_what_is_no_point_is_refused_with_all_that_came_with_it(
    store: Store, points: Points
) -> None:
    made_run(store)
    with pytest.raises(Wrong) as error:
        store.change(lambda c: append(c, RUN, {"good": ONE, "loss": points}, 5.0))
    assert error.value.hint
    with store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(series)) == 0
