"""The best are dark, and outliers do not flatten the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.spec import Direction
from hpcshell.sweeps.drawing.scales import LARGEST, tame
from hpcshell.sweeps.drawing.shades import Shades, clipped, limits

finite = st.floats(-LARGEST, LARGEST).map(tame)


@given(st.lists(finite, min_size=1))
def test_limits_hold_the_middle_of_the_values(values: list[float]) -> None:
    low, high = limits(values)
    assert min(values) <= low <= high <= max(values)
    assert len(clipped(values)) == len(values)


def test_what_diverged_is_drawn_at_the_edge() -> None:
    low, high = limits([*(0.1 * at for at in range(100)), 1e9])
    assert low == 0.0
    assert high < 100


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@given(values=st.lists(finite, min_size=2, unique=True))
def test_the_best_is_the_darkest(values: list[float], direction: Direction) -> None:
    colours = Shades(values, direction)
    best, worst = min(values), max(values)
    if direction == "maximize":
        best, worst = worst, best
    assert sum(colours.of(best)[:3]) <= sum(colours.of(worst)[:3])
