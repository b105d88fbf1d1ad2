"""The arithmetic of the benchmarks."""

from __future__ import annotations

import math

import pytest
from harness.figures import (
    Goal,
    Turn,
    batch_size,
    misses,
    paired_ratio,
    percentile,
    rotated,
)
from hypothesis import given
from hypothesis import strategies as st


def turn(rate: float, number: int = 0, name: str = "x") -> Turn:
    return Turn(name, "", "throughput", number, 100, 100 / rate, 0.2, 0.0, {})


def test_a_turn_knows_its_rate_and_its_cost() -> None:
    one = turn(50.0)
    assert one.rate == pytest.approx(50.0)
    assert one.cpu_ms == pytest.approx(2.0)


def test_a_ratio_is_taken_within_a_round_and_then_the_median() -> None:
    # A machine that slows down twofold for everybody does not move the ratio.
    ours = [turn(100, 0), turn(50, 1), turn(100, 2)]
    theirs = [turn(50, 0), turn(25, 1), turn(40, 2)]
    assert paired_ratio(ours, theirs) == pytest.approx(2.0)


def test_rounds_without_both_do_not_count() -> None:
    assert paired_ratio([turn(100, 0), turn(10, 1)], [turn(50, 0)]) == pytest.approx(2.0)
    assert paired_ratio([turn(100, 0)], [turn(50, 1)]) is None


def test_each_round_begins_one_further_on() -> None:
    assert [rotated("abc", n) for n in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]
    assert rotated([], 3) == []


@given(st.floats(0.01, 1e6), st.floats(0.01, 1e3), st.integers(1, 10**6))
def test_a_batch_is_never_more_than_allowed_nor_much_less_than_asked(
    pace: float, seconds: float, most: int
) -> None:
    size = batch_size(pace, seconds, most)
    wanted = min(most, max(10, pace * seconds))
    assert 1 <= size <= most
    assert 0.9 * wanted - 1 <= size <= max(10, wanted)


def test_a_slow_contender_whose_end_is_seen_late_gets_more() -> None:
    assert batch_size(30, 1, 10_000, least=300) == 300
    assert batch_size(30, 1, 100, least=300) == 100


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_covers_its_share(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_goals_pass_miss_or_were_not_measured() -> None:
    fast = Goal("rate", "fast", "/s", at_least=700)
    small = Goal("memory", "small", "MB", at_most=120)
    assert fast.verdict({"rate": 700.0}) == "PASS"
    assert fast.verdict({"rate": 699.9}) == "MISS"
    assert small.verdict({"memory": 120.1}) == "MISS"
    assert small.verdict({}) == "SKIP"
    assert small.verdict({"memory": math.nan}) == "SKIP"
    assert (fast.bound, small.bound) == (">= 700 /s", "<= 120 MB")


def test_a_stretch_goal_is_never_a_miss() -> None:
    goals = [Goal("a", "", at_least=1), Goal("b", "", at_least=1, stretch=True)]
    assert misses(goals, {"a": 0.5, "b": 0.5}) == goals[:1]
