"""Multifactor priority: the rows add up, factors are parts of a whole, weights are numbers."""

from __future__ import annotations

from math import fsum, inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.policy.multifactor import (
    Factors,
    Row,
    Weights,
    age_factor,
    size_factor,
    standing_factor,
    tres_factors,
)

parts = st.floats(0.0, 1.0)
sizes = st.floats(0.0, 1e6)
names = ("age", "fairshare", "size", "partition", "qos")
weights = st.builds(
    Weights,
    **dict.fromkeys(names, sizes),
    tres=st.dictionaries(st.sampled_from(["cpus", "gpus", "matlab"]), sizes),
)
factors = st.builds(
    Factors,
    **dict.fromkeys(names, parts),
    tres=st.dictionaries(st.sampled_from(["cpus", "gpus", "memory"]), parts),
    site=st.floats(-1e6, 1e6),
    nice=st.floats(-1e6, 1e6),
)


@given(factors=factors, weights=weights)
def test_the_rows_add_up_to_the_priority(factors: Factors, weights: Weights) -> None:
    rows = list(factors.rows(weights))
    assert fsum(row.points for row in rows) == factors.priority(weights)
    assert all(row.points == row.value * row.weight for row in rows)
    shown = [row.factor for row in rows]
    assert shown == [*names, *weights.tres, "site", "nice"]


@given(factors=factors, weights=weights, name=st.sampled_from(names), more=parts)
def test_a_larger_factor_never_lowers_the_priority(
    factors: Factors, weights: Weights, name: str, more: float
) -> None:
    larger = replace(factors, **{name: max(more, getattr(factors, name))})
    assert larger.priority(weights) >= factors.priority(weights)


@given(factors=factors, weights=weights)
def test_a_weight_is_the_most_that_a_factor_can_give(factors: Factors, weights: Weights) -> None:
    most = fsum(getattr(weights, name) for name in names) + fsum(weights.tres.values())
    bare = replace(factors, site=0.0, nice=0.0).priority(weights)
    assert 0.0 <= bare <= most * (1 + 1e-12)


@given(count=st.floats(-1e9, 1e12), whole=st.floats(0.0, 1e12), more=st.floats(0.0, 1e12))
def test_factors_lie_between_0_and_1_and_grow_with_what_is_counted(
    count: float, whole: float, more: float
) -> None:
    for factor in (age_factor, size_factor, standing_factor):
        assert 0.0 <= factor(count, whole) <= factor(count + more, whole) <= 1.0
    assert size_factor(count, whole, favor_small=True) == 1.0 - size_factor(count, whole)


@given(
    waited=st.integers(0, 604800),
    apart=st.integers(0, 604800),
    later=st.integers(0, 604800),
)
def test_two_that_have_not_waited_the_longest_age_alike(
    waited: int, apart: int, later: int
) -> None:
    """What is written of the order of two waiting jobs."""
    if waited + apart + later <= 604800:
        before = age_factor(waited + apart, 604800.0) - age_factor(waited, 604800.0)
        after = age_factor(waited + apart + later, 604800.0) - age_factor(waited + later, 604800.0)
        assert after == pytest.approx(before, abs=1e-12)


def test_a_worked_example() -> None:
    weights = Weights(age=1000.0, fairshare=10000.0, size=100.0, qos=500.0, tres={"gpus": 2000.0})
    factors = Factors(
        age=age_factor(86400.0, weights.max_age),
        fairshare=0.5,
        size=size_factor(4, 16, favor_small=weights.favor_small),
        partition=standing_factor(10, 10),
        qos=standing_factor(20, 50),
        tres=tres_factors({"gpus": 1, "cpus": 4}, {"gpus": 4, "cpus": 16}),
        nice=50.0,
    )
    assert list(factors.rows(weights)) == [
        Row("age", 1 / 7, 1000.0, 1000.0 / 7),
        Row("fairshare", 0.5, 10000.0, 5000.0),
        Row("size", 0.25, 100.0, 25.0),
        Row("partition", 1.0, 0.0, 0.0),
        Row("qos", 0.4, 500.0, 200.0),
        Row("gpus", 0.25, 2000.0, 500.0),
        Row("site", 0.0, 1.0, 0.0),
        Row("nice", 50.0, -1.0, -50.0),
    ]
    assert factors.priority(weights) == pytest.approx(1000 / 7 + 5000 + 25 + 200 + 500 - 50)


def test_part_of_nothing() -> None:
    assert size_factor(0, 0) == 0.0
    assert size_factor(1, 0) == 1.0
    assert age_factor(0.0, 0.0) == 0.0
    assert tres_factors({"gpus": 1}, {}) == {"gpus": 1.0}


@pytest.mark.parametrize("weight", [nan, inf, -inf, -1.0, 1e300, True, "much"])
@pytest.mark.parametrize("name", [*names, "max_age"])
def test_a_weight_that_is_no_number_is_refused(name: str, weight: float) -> None:
    with pytest.raises(Wrong, match=name):
        replace(Weights(), **{name: weight})


def test_so_is_one_of_a_resource() -> None:
    with pytest.raises(Wrong, match="weight of gpus: nan is out of range") as caught:
        Weights(tres={"gpus": nan})
    assert caught.value.hint == "write a number from 0 to 1e+12"
