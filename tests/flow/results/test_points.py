"""The best points are no worse than any other, and what is no number is never among them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.results.points import COMPLETED, Point, best, measured, number, ranked
from hpcshell.flow.spec import Direction
from tests.flow.results.made import point, points

DIRECTIONS = st.sampled_from(["minimize", "maximize"])


@given(points(), DIRECTIONS, st.integers(0, 50))
def test_the_best_are_no_worse_than_any_other(
    found: list[Point], direction: Direction, count: int
) -> None:
    chosen = best(found, "loss", direction, count)
    values = [number(one.metrics["loss"]) for one in chosen]
    others = [
        number(one.metrics.get("loss"))
        for one in found
        if one.state == COMPLETED and one not in chosen
    ]
    assert None not in values
    assert len(chosen) == min(count, len([one for one in others if one is not None]) + len(chosen))
    for value in values:
        for other in others:
            if value is not None and other is not None:
                assert value <= other if direction == "minimize" else value >= other


@given(points(), DIRECTIONS)
def test_all_completed_points_are_ranked_those_without_a_number_last(
    found: list[Point], direction: Direction
) -> None:
    order = ranked(found, "loss", direction)
    assert sorted(one.index for one in order) == [
        one.index for one in found if one.state == COMPLETED
    ]
    missing = [number(one.metrics.get("loss")) is None for one in order]
    assert missing == sorted(missing)


def test_the_best_is_the_least_or_the_most() -> None:
    found = [point(at, {}, loss) for at, loss in enumerate([2.0, 1.0, 3.0])]
    assert [one.index for one in ranked(found, "loss", "minimize")] == [1, 0, 2]
    assert [one.index for one in ranked(found, "loss", "maximize")] == [2, 0, 1]


def test_equal_points_stay_in_their_order() -> None:
    found = [point(at, {}, 1.0) for at in range(5)]
    for direction in ("minimize", "maximize"):
        assert [one.index for one in best(found, "loss", direction, 3)] == [0, 1, 2]


@given(points())
def test_only_finite_numbers_of_completed_points_are_measured(found: list[Point]) -> None:
    for one, value in measured(found, "loss"):
        assert one.state == COMPLETED
        assert math.isfinite(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, 1.0), (10**400, math.inf), (-(10**400), -math.inf), ("1", None), (math.nan, None)],
)
def test_what_is_no_number_is_none(value: object, expected: float | None) -> None:
    assert number(value) == expected
