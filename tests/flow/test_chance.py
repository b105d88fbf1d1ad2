"""Draws by chance: within bounds, spread as they should be, the same ones each time."""

from __future__ import annotations

from collections import Counter
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.chance import quantile, sampler
from hpcshell.flow.spec import Dist

_share = st.floats(0, 1, exclude_max=True)
_ends = st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6)).map(sorted)


def draws(count: int = 4000, **dist: Any) -> list[Any]:
    sample = sampler(Dist(**dist), 7, "lr")
    return [sample(index) for index in range(count)]


# ---------------------------------------------------------------------------------------- laws


@given(st.sampled_from(["uniform", "loguniform"]), _ends, _share)
def test_a_draw_is_within_its_bounds(kind: str, ends: list[float], share: float):
    low, high = ends
    assert low <= quantile(Dist(kind=kind, low=low, high=high))(share) <= high


@given(_ends, st.floats(0.01, 10), _share)
def test_a_draw_in_steps_is_within_its_bounds(ends: list[float], step: float, share: float):
    low, high = ends
    found = quantile(Dist(kind="quniform", low=low, high=high, step=step))(share)
    assert low <= found <= high


@given(
    st.tuples(st.integers(1, 1 << 40), st.integers(1, 1 << 40)).map(sorted),
    st.integers(0, 9),
    st.booleans(),
    _share,
)
def test_a_whole_draw_is_whole_and_within_its_bounds(
    ends: list[int], step: int, log: bool, share: float
):
    low, high = ends
    dist = Dist(kind="int", low=low, high=high, step=0 if log else step, log=log)
    found = quantile(dist)(share)
    assert type(found) is int
    assert low <= found <= high
    assert log or (found - low) % max(step, 1) == 0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=5).filter(any), _share)
def test_what_has_no_weight_is_not_chosen(weights: list[float], share: float):
    choices = tuple(range(len(weights)))
    dist = Dist(kind="choice", choices=choices, weights=tuple(weights))
    assert weights[quantile(dist)(share)] > 0


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.text())
def test_a_draw_depends_on_nothing_but_seed_name_and_number(seed: int, index: int, name: str):
    dist = Dist(kind="normal", low=0, high=1)
    assert sampler(dist, seed, name)(index) == sampler(dist, seed, name)(index)


# --------------------------------------------------------------------------------------- cases


def test_uniform_draws_are_spread_evenly():
    tenths = Counter(int(10 * value) for value in draws(kind="uniform", low=0, high=1))
    assert all(300 < tenths[tenth] < 500 for tenth in range(10))


def test_loguniform_draws_are_spread_evenly_over_powers():
    found = draws(kind="loguniform", low=1e-4, high=1)
    assert 0.45 < sum(value < 1e-2 for value in found) / len(found) < 0.55


def test_normal_draws_have_their_mean_and_deviation():
    found = draws(kind="normal", low=3, high=2)
    assert fmean(found) == pytest.approx(3, abs=0.1)
    assert stdev(found) == pytest.approx(2, abs=0.1)


def test_draws_follow_their_weights():
    found = Counter(draws(kind="choice", choices=("a", "b"), weights=(1, 3)))
    assert 0.70 < found["b"] / 4000 < 0.80


def test_both_ends_of_whole_draws_are_as_likely_as_the_rest():
    found = Counter(draws(kind="int", low=1, high=4))
    assert set(found) == {1, 2, 3, 4}
    assert all(900 < count < 1100 for count in found.values())


def test_steps_are_round_numbers():
    assert set(draws(kind="quniform", low=0, high=0.5, step=0.1)) == {0, 0.1, 0.2, 0.3, 0.4, 0.5}


def test_names_and_seeds_draw_apart():
    dist = Dist(kind="uniform", low=0, high=1)
    others = {sampler(dist, seed, name)(0) for seed in (1, 2, 12) for name in ("a", "b", "2a")}
    assert len(others) == 9


def test_a_draw_stays_what_it_was():
    assert draws(2, kind="uniform", low=0, high=1) == [0.776494704353, 0.18703524051]
