"""Pages hold each point once, curves are small, and what is asked for wrongly is said."""

from __future__ import annotations

import json
import math
from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.track.points.append import append
from hpcshell.track.points.chunks import Points
from hpcshell.track.points.reading import LIMIT, curves, raw
from hpcshell.track.store.store import Store
from tests.track.points.made import (
    RUN,
    Triple,
    add_run,
    expected_order,
    made_run,
    points_of,
    same,
    triples,
    undone,
)


def logged(store: Store, **metrics: Points) -> None:
    made_run(store)
    store.change(lambda connection: append(connection, RUN, metrics, 5.0))


def pages(
    connection: Connection,
    limit: int,
    *,
    since: int | None = None,
    until: int | None = None,
) -> list[Triple]:
    found: list[Triple] = []
    cursor = None
    while True:
        page = raw(connection, RUN, "loss", limit=limit, cursor=cursor, since=since, until=until)
        assert len(page.points.steps) <= limit
        found += zip(*(column.tolist() for column in page.points), strict=True)
        cursor = page.next
        if cursor is None:
            return found
        assert len(page.points.steps) == limit


def test_pages_of_any_size_hold_each_point_once(store: Store) -> None:
    edge = st.one_of(st.none(), st.integers(-3, 7), st.integers(-(1 << 70), 1 << 70))

    @given(triples().filter(bool), st.integers(1, 40), edge, edge)
    def law(some: list[Triple], limit: int, since: int | None, until: int | None) -> None:
        def check(connection: Connection) -> None:
            add_run(connection)
            append(connection, RUN, {"loss": points_of(some)}, 5.0)
            asked = [
                one
                for one in expected_order(some)
                if (since is None or since <= one[0]) and (until is None or one[0] <= until)
            ]
            assert same(pages(connection, limit, since=since, until=until), asked)

        undone(store, check)

    law()


def test_a_cursor_holds_while_points_come_in(store: Store) -> None:
    logged(store, loss=Points([2, 4, 6, 8], [1.0] * 4, [0.0] * 4))
    with store.reading() as connection:
        page = raw(connection, RUN, "loss", limit=2)
    late = {"loss": Points([1, 3, 5, 9], [1.0] * 4, [1.0] * 4)}
    store.change(lambda connection: append(connection, RUN, late, 6.0))
    with store.reading() as connection:
        rest = raw(connection, RUN, "loss", cursor=page.next)
    assert rest.points.steps.tolist() == [5, 6, 8, 9]
    assert rest.next is None


def test_rows_say_nan_and_infinities_in_words(store: Store) -> None:
    logged(store, loss=Points([1, 2, 3], [1.0] * 3, [math.nan, -math.inf, 0.5]))
    with store.reading() as connection:
        rows = raw(connection, RUN, "loss").rows()
    assert [row.value for row in rows] == ["NaN", "-Infinity", 0.5]
    assert json.loads(msgspec.json.encode(rows[0])) == {"step": 1, "time": 1.0, "value": "NaN"}


@pytest.mark.parametrize("cursor", ["", "x", "1_2_3", "1_0x1.8p+1_-1", "1_nan_1", "9" * 30])
def test_a_cursor_that_was_changed_is_refused(store: Store, cursor: str) -> None:
    logged(store, loss=Points([1], [1.0], [1.0]))
    with store.reading() as connection, pytest.raises(Wrong) as error:
        raw(connection, RUN, "loss", cursor=cursor)
    assert error.value.hint


@pytest.mark.parametrize("limit", [0, -1, LIMIT + 1, 10**9])
def test_a_page_has_a_limit(store: Store, limit: int) -> None:
    logged(store, loss=Points([1], [1.0], [1.0]))
    with store.reading() as connection, pytest.raises(Wrong):
        raw(connection, RUN, "loss", limit=limit)


def test_a_metric_that_is_not_there_is_not_found(store: Store) -> None:
    made_run(store)
    with store.reading() as connection, pytest.raises(NotFound) as error:
        raw(connection, RUN, "loss")
    assert error.value.hint


def test_curves_are_of_all_metrics_or_of_those_named(store: Store) -> None:
    logged(store, loss=Points([1], [1.0], [1.0]), acc=Points([1], [1.0], [0.5]))
    with store.reading() as connection:
        assert set(curves(connection, RUN, None)) == {"loss", "acc"}
        assert set(curves(connection, RUN, ["acc", "none"])) == {"acc"}


def test_a_curve_keeps_the_shape_and_says_how_much_there_is(store: Store) -> None:
    many = range(100_000)
    logged(store, loss=Points(many, [float(s) for s in many], [math.sin(s / 999) for s in many]))
    with store.reading() as connection:
        curve = curves(connection, RUN, ["loss"], 100)["loss"]
    assert curve.count == 100_000
    assert curve.steps is not None
    assert len(curve.steps) == len(curve.values) <= 100
    assert (curve.steps[0], curve.steps[-1]) == (0, 99_999)
    assert max(map(float, curve.values)) == pytest.approx(1, abs=1e-5)


def test_a_curve_of_steps_out_of_order_is_in_order(store: Store) -> None:
    logged(store, loss=Points([3, 1, 2], [1.0, 2.0, 3.0], [0.3, 0.1, 0.2]))
    with store.reading() as connection:
        by_step = curves(connection, RUN, ["loss"])["loss"]
        by_time = curves(connection, RUN, ["loss"], by="time")["loss"]
    assert (by_step.steps, by_step.values) == ([1, 2, 3], [0.1, 0.2, 0.3])
    assert (by_time.start, by_time.times, by_time.values) == (1.0, [0, 1, 2], [0.3, 0.1, 0.2])


def test_a_curve_may_be_of_some_steps(store: Store) -> None:
    logged(store, loss=Points(range(10), [1.0] * 10, [1.0] * 10))
    with store.reading() as connection:
        assert curves(connection, RUN, ["loss"], since=3, until=5)["loss"].steps == [3, 4, 5]
        assert curves(connection, RUN, ["loss"], since=99, by="time")["loss"].times == []


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1 / 3, 200.0 / 3], [0.333333, 66.6667]),
        ([1e-9 / 3, 1e9 / 3], [3.33333e-10, 333333333.3]),
        ([1000.0000001, 1000.0000002], [1000.0000001, 1000.0000002]),
        ([123456789.0, 5.0], [123456789.0, 5.0]),
        ([1e300, -1e300, 1e-300], [1e300, -1e300, 1e-300]),
        ([math.nan, 0.1, math.inf, 0.0], ["NaN", 0.1, "Infinity", 0.0]),
        ([math.nan], ["NaN"]),
        ([1.7e308, -1.7e308, 5e-324], [1.7e308, -1.7e308, 5e-324]),
    ],
)
def test_values_of_a_curve_are_as_exact_as_an_eye(
    store: Store, values: list[float], shown: list[float | str]
) -> None:
    logged(store, loss=Points(range(len(values)), [1.0] * len(values), values))
    with store.reading() as connection:
        found = curves(connection, RUN, ["loss"])["loss"].values
    assert [one if isinstance(one, str) else pytest.approx(one, rel=1e-5) for one in found] == shown


@pytest.mark.parametrize("most", [-1, 0, 3, LIMIT + 1])
def test_a_curve_has_a_limit(store: Store, most: int) -> None:
    with store.reading() as connection, pytest.raises(Wrong):
        curves(connection, RUN, None, most)


def test_a_metric_of_a_million_points_is_read_by_pages_and_as_a_curve(store: Store) -> None:
    made_run(store)
    for part in range(10):
        steps = range(part * 100_000, (part + 1) * 100_000)
        points = Points(steps, [1.0] * len(steps), [1 / (1 + step) for step in steps])
        store.change(partial(append, run_id=RUN, metrics={"loss": points}, now=5.0))
    with store.reading() as connection:
        page = raw(connection, RUN, "loss", since=500_000, limit=10)
        assert page.points.steps.tolist() == list(range(500_000, 500_010))
        after = raw(connection, RUN, "loss", limit=10, cursor=page.next)
        assert after.points.steps.tolist() == list(range(500_010, 500_020))
        curve = curves(connection, RUN, ["loss"])["loss"]
    assert curve.count == 1_000_000
    assert 990 <= len(curve.values) <= 1000
