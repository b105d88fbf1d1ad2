"""Where values stand on an axis: numbers evenly or by their logarithm, other values as words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from hpcshell.core.records import Record
from hpcshell.core.words import safe
from hpcshell.flow.results.figures import quantile
from hpcshell.flow.results.levels import UNSET, is_number, levels

NARROWEST: Final = 10.0
"""What is to be drawn by its logarithm reaches from a number to at least so many times as much."""
FEW: Final = 8
"""So many different numbers have a tick each."""
FINE: Final = 300.0
"""An axis that reaches no further than from a number to so many times as much has marks between
its powers of ten."""
LARGEST: Final = 1e150
APART: Final = 0.055
"""Ticks stand no closer, in lengths of the axis."""
BELOW: Final = -0.25
"""Where on the axis of a parameter of numbers those points stand that have none."""


class Scale(Record, frozen=True, kw_only=True):
    """Where each of the values stands, 0 to 1 (`BELOW`: it is not set among numbers), and what is
    written where. `words`: the values are no numbers."""

    places: tuple[float, ...]
    ticks: tuple[tuple[float, str], ...]
    words: bool = False


def scaled(values: Sequence[Any], longest: int = 16) -> Scale:
    """The scale of a parameter's values, None for one that is not set."""
    there = [value for value in values if value is not None]
    if not there or not all(map(is_number, there)):
        return _worded(values, longest)
    numbers = [tame(float(value)) for value in there]
    grow = math.log10 if by_logarithm(numbers) else float
    low, high = grow(min(numbers)), grow(max(numbers))
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return (grow(value) - low) / span if high > low else 0.5

    unset = len(there) < len(values)
    return Scale(
        places=tuple(BELOW if value is None else place(tame(float(value))) for value in values),
        ticks=(
            *(((BELOW, UNSET),) if unset else ()),
            *((place(tick), told(tick)) for tick in _ticks(sorted(set(numbers)), grow is float)),
        ),
    )


def by_logarithm(values: Sequence[float]) -> bool:
    """Whether numbers are spaced by their logarithm: they reach over a decade or more, and their
    middle lies nearer to the middle of the axis so."""
    low, high = min(values), max(values)
    if low <= 0 or high / low < NARROWEST:
        return False
    middle = quantile(sorted(values), 0.5)
    even = (middle - low) / (high - low)
    logarithmic = math.log(middle / low) / math.log(high / low)
    return abs(logarithmic - 0.5) < abs(even - 0.5)


def tame(value: float) -> float:
    """The value, or the nearest one of which squares and distances are finite."""
    return max(-LARGEST, min(LARGEST, value))


def cut(text: str, longest: int) -> str:
    """The text on one line, with its middle left out where it is long: ends differ the most."""
    text = safe(text)
    if len(text) <= longest:
        return text
    head = longest // 2
    return f"{text[:head]}…{text[len(text) - (longest - head - 1) :]}"


def labels(names: Sequence[str], longest: int) -> list[str]:
    """The names, cut so that they can still be told apart."""
    shown = [cut(name, longest) for name in names]
    if len(set(shown)) == len(set(names)):
        return shown
    head = _alike(names)
    tail = _alike([name[head:][::-1] for name in names])
    room = max(0, longest - 2 - max(len(name) - head - tail for name in names))
    first, after = max(0, head - room // 2), max(0, tail - room // 2)
    middles = (name[first : len(name) - after] for name in names)
    return [cut(f"{'…' * (first > 0)}{name}{'…' * (after > 0)}", longest) for name in middles]


def _alike(names: Sequence[str]) -> int:
    """How many letters all of them begin with."""
    first, last = min(names), max(names)
    different = (at for at, letter in enumerate(first) if letter != last[at])
    return next(different, len(first))


def told(value: float) -> str:
    """A number, short."""
    return f"{value:.4g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def logarithmic(axis: Axis, low: float, high: float) -> None:
    """Set the marks of an axis by the logarithm; they say plain numbers."""
    axis.set_major_locator(_decades(low, high))
    axis.set_major_formatter(FuncFormatter(lambda value, _: told(value)))
    axis.set_minor_formatter(NullFormatter())


def _worded(values: Sequence[Any], longest: int) -> Scale:
    parts = levels(values)
    step = 1 / (len(parts) - 1) if len(parts) > 1 else 0.5
    first = 0.0 if len(parts) > 1 else 0.5
    places = [first] * len(values)
    for at, (_, members) in enumerate(parts):
        for member in members:
            places[member] = first + at * step
    names = labels([name for name, _ in parts], longest)
    ticks = tuple((first + at * step, name) for at, name in enumerate(names))
    return Scale(places=tuple(places), ticks=ticks, words=True)


def _ticks(different: Sequence[float], even: bool) -> list[float]:
    """The numbers themselves where they are few and not crowded, else round ones between them."""
    low, high = different[0], different[-1]
    if len(different) <= FEW and _spread(different, even):
        return list(different)
    locator = MaxNLocator(5) if even else _decades(low, high)
    found = [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]
    return found if len(found) > 1 else [low, high]


def _decades(low: float, high: float) -> LogLocator:
    return LogLocator(subs=(1.0, 2.0, 5.0) if high / low < FINE else (1.0,), numticks=8)


def _spread(different: Sequence[float], even: bool) -> bool:
    grown = different if even else [math.log(value) for value in different]
    span = (grown[-1] - grown[0]) or 1.0
    return all((after - before) / span >= APART for before, after in pairwise(grown))
