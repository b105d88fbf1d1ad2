"""Means and quantiles of finite numbers, however large."""

from __future__ import annotations

import math
from collections.abc import Sequence


def mean(values: Sequence[float]) -> float:
    """Of at least one. No sum on the way overflows."""
    largest = _largest(values)
    return largest * (math.fsum(value / largest for value in values) / len(values))


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of a sample; 0 of a single value."""
    if len(values) < 2:
        return 0.0
    return _largest(values) * math.sqrt(_squares(values, _largest(values)) / (len(values) - 1))


def quantile(values: Sequence[float], share: float) -> float:
    """Of at least one value, sorted; between two of them in proportion (Hyndman and Fan's 7)."""
    place = share * (len(values) - 1)
    below = math.floor(place)
    low, high = values[below], values[min(below + 1, len(values) - 1)]
    part = place - below
    return low if low == high else (1 - part) * low + part * high


def median(values: Sequence[float]) -> float:
    """Of at least one value, in any order."""
    return quantile(sorted(values), 0.5)


def ranks(values: Sequence[float]) -> list[float]:
    """The place of each in their order, from 0; equal ones share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    first = 0
    for last, at in enumerate(order):
        if last + 1 == len(order) or values[order[last + 1]] != values[at]:
            for same in order[first : last + 1]:
                found[same] = (first + last) / 2
            first = last + 1
    return found


def explained(groups: Sequence[Sequence[float]]) -> float:
    """The share of the variance that the groups explain, 0 to 1: one-way eta squared, the sum of
    squares between them by that of all (Cohen, 1973). 0 where nothing varies."""
    values = [value for group in groups for value in group]
    largest = _largest(values)
    total = _squares(values, largest)
    if not total:
        return 0.0
    within = math.fsum(_squares(group, largest) for group in groups)
    return min(1.0, max(0.0, 1.0 - within / total))


def _largest(values: Sequence[float]) -> float:
    """What to measure in, so that squares neither overflow nor vanish."""
    return max(map(abs, values), default=0.0) or 1.0


def _squares(values: Sequence[float], unit: float) -> float:
    """The sum of squared distances from the mean, in squares of the unit."""
    scaled = [value / unit for value in values]
    middle = math.fsum(scaled) / len(scaled)
    return math.fsum((value - middle) ** 2 for value in scaled)
