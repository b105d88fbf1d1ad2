"""Fewer points: never others than there were, and never without those that matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hpcshell.track.points.lttb import LEAST, pick

Floats = NDArray[np.float64]


@st.composite
def lines(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """Points with x ascending, also twice the same, and any y."""
    y = draw(st.lists(st.floats(width=64), max_size=200))
    x = sorted(draw(st.lists(st.floats(-1e18, 1e18), min_size=len(y), max_size=len(y))))
    return np.array(x, float), np.array(y, float)


@given(lines(), st.integers(LEAST, 60))
def test_at_most_so_many_of_the_points_in_their_order(line: tuple[Floats, Floats], most: int):
    chosen = pick(*line, most)
    assert len(chosen) <= most
    assert (np.diff(chosen) > 0).all()
    assert set(chosen.tolist()) <= set(range(len(line[0])))


@given(lines(), st.integers(LEAST, 60))
def test_the_first_the_last_the_least_and_the_greatest_stay(line: tuple[Floats, Floats], most: int):
    x, y = line
    chosen = pick(x, y, most)
    if len(y):
        assert {0, len(y) - 1} <= set(chosen.tolist())
    numbers, shown = y[np.isfinite(y)], y[chosen][np.isfinite(y[chosen])]
    if len(numbers):
        assert (shown.min(), shown.max()) == (numbers.min(), numbers.max())


@given(lines())
def test_few_points_all_stay(line: tuple[Floats, Floats]):
    assert len(pick(*line, max(LEAST, len(line[0])))) == len(line[0])


@pytest.mark.parametrize("most", [4, 5, 6, 7, 100, 1000])
def test_many_points_fill_the_picture(most: int):
    x = np.arange(100_000.0)
    assert most - 3 <= len(pick(x, np.sin(x / 999), most)) <= most


def test_gaps_are_still_seen():
    x = np.arange(10_000.0)
    y = np.sin(x / 99)
    y[3000:4000] = np.nan
    y[7000] = np.inf
    chosen = pick(x, y, 100)
    assert {3000, 7000} <= set(chosen.tolist())


def test_gaps_without_end_leave_room_for_the_rest():
    y = np.sin(np.arange(10_000.0) / 99)
    y[::2] = np.nan
    chosen = pick(np.arange(10_000.0), y, 100)
    assert np.isfinite(y[chosen]).sum() >= 70


def test_a_peak_is_not_smoothed_away():
    y = np.zeros(100_000)
    y[54_321], y[77_777] = 9.0, 3.0
    assert {54_321, 77_777} <= set(pick(np.arange(100_000.0), y, 50).tolist())
