"""The arithmetic holds for numbers of any size."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.results.figures import deviation, explained, mean, median, quantile, ranks

finite = st.floats(allow_nan=False, allow_infinity=False)
some = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


@given(some)
def test_figures_are_those_of_the_standard_library(values: list[float]) -> None:
    assert mean(values) == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert median(values) == pytest.approx(statistics.median(values), abs=1e-9)
    if len(values) > 1:
        assert deviation(values) == pytest.approx(statistics.stdev(values), abs=1e-6)


@given(st.lists(finite, min_size=1, max_size=50))
def test_the_mean_of_the_largest_numbers_lies_between_them(values: list[float]) -> None:
    slack = 1e-9 * max(map(abs, values))
    assert min(values) - slack <= mean(values) <= max(values) + slack


@given(some, st.floats(0, 1))
def test_a_quantile_has_its_share_below_it(values: list[float], share: float) -> None:
    found = quantile(sorted(values), share)
    assert sum(value < found for value in values) <= share * (len(values) - 1) + 1
    assert min(values) <= found <= max(values)


@given(st.lists(st.lists(finite, min_size=1, max_size=8), min_size=1, max_size=8))
def test_groups_explain_between_nothing_and_everything(groups: list[list[float]]) -> None:
    assert 0.0 <= explained(groups) <= 1.0
    assert explained([[value for group in groups for value in group]]) == 0.0


def test_what_depends_on_the_group_alone_is_explained_in_full() -> None:
    assert explained([[1.0, 1.0], [2.0, 2.0, 2.0]]) == 1.0
    assert explained([[1.0, 2.0], [1.0, 2.0]]) == 0.0
    assert explained([[1.0, 3.0], [2.0, 6.0]]) == pytest.approx(4 / 14)


@given(some)
def test_ranks_follow_the_values_and_equal_values_share_theirs(values: list[float]) -> None:
    found = ranks(values)
    assert sum(found) == len(values) * (len(values) - 1) / 2
    for at, value in enumerate(values):
        below = sum(other < value for other in values)
        assert found[at] == below + (values.count(value) - 1) / 2


def test_a_single_value_does_not_deviate() -> None:
    assert deviation([math.pi]) == 0.0
