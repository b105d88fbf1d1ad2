"""The levels of a parameter part the points, and their means weigh to the mean of all."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.results.effects import effects
from hpcshell.flow.results.figures import mean
from hpcshell.flow.results.levels import MOST_VALUES, OTHERS, RANGES, UNSET, levels, varying
from hpcshell.flow.results.points import Point, measured
from tests.flow.results.made import point, points, values


@given(points())
def test_the_means_of_levels_weigh_to_the_whole_mean(found: list[Point]) -> None:
    those = [value for _, value in measured(found, "loss")]
    for effect in effects(found, "loss"):
        assert sum(level.n for level in effect.levels) == len(those)
        largest = max(map(abs, those)) or 1.0
        whole = math.fsum(level.n * (level.mean / largest) for level in effect.levels) / len(those)
        assert whole == pytest.approx(mean(those) / largest, abs=1e-9)


@given(points())
def test_an_effect_is_as_large_as_its_levels_lie_apart(found: list[Point]) -> None:
    for effect in effects(found, "loss"):
        means = [level.mean for level in effect.levels]
        assert effect.range == max(means) - min(means)
        assert 0.0 <= effect.explained <= 1.0


@given(st.lists(values | st.none()))
def test_every_value_is_on_one_level_and_equal_ones_on_the_same(found: list[Any]) -> None:
    parts = levels(found)
    places = [at for _, part in parts for at in part]
    assert sorted(places) == list(range(len(found)))
    level = {at: name for name, part in parts for at in part}
    for at, value in enumerate(found):
        for other in range(at):
            if type(found[other]) is type(value) and found[other] == value:
                assert level[other] == level[at]


@given(st.lists(st.floats(-1e9, 1e9), min_size=MOST_VALUES + 1, unique=True))
def test_many_numbers_are_cut_into_ranges_that_follow_each_other(found: list[float]) -> None:
    parts = levels(found)
    assert len(parts) <= RANGES
    ends = [(min(found[at] for at in part), max(found[at] for at in part)) for _, part in parts]
    for (_, high), (low, _) in pairwise(ends):
        assert high < low


def test_few_numbers_are_levels_in_their_order() -> None:
    assert [name for name, _ in levels([0.1, 10, 0.01, 10.0, None])] == ["0.01", "0.1", "10", UNSET]


def test_very_many_words_leave_some_to_the_others() -> None:
    parts = levels([f"w{at}" for at in range(100)] + ["w7"])
    assert parts[-1][0] == OTHERS
    assert sum(len(places) for _, places in parts) == 101
    assert ("w7", [7, 100]) in parts


def test_what_does_not_differ_has_no_effect() -> None:
    found = [point(at, {"a": 1, "b": at, "c": 1.0 if at else 1}, float(at)) for at in range(3)]
    assert varying(found) == ["b"]
    assert [effect.param for effect in effects(found, "loss")] == ["b"]


def test_a_parameter_that_only_some_have_differs() -> None:
    assert varying([point(0, {}, 1.0), point(1, {"a": 1}, 1.0)]) == ["a"]
    assert varying([point(0, {"a": 1}, 1.0), point(1, {}, 1.0)]) == ["a"]


def test_the_parameter_that_explains_most_comes_first() -> None:
    found = [
        point(at, {"noise": at % 2, "lr": lr}, loss)
        for at, (lr, loss) in enumerate([(0.1, 1.0), (0.1, 1.1), (0.01, 5.0), (0.01, 5.1)])
    ]
    first, second = effects(found, "loss")
    assert (first.param, second.param) == ("lr", "noise")
    assert first.range == pytest.approx(4.0)
    assert [level.value for level in first.levels] == ["0.01", "0.1"]
    assert [level.mean for level in first.levels] == pytest.approx([5.05, 1.05])
    assert first.levels[0].std == pytest.approx(0.0707, abs=1e-4)
