"""What a point came to: how it ended, and what it measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from hpcshell.core.records import Record
from hpcshell.flow.spec import Direction, Params

Metric: TypeAlias = float | int | bool | str
COMPLETED: Final = "COMPLETED"
FAILURES: Final = ("FAILED", "TIMEOUT", "OUT_OF_MEMORY", "CANCELLED", "NODE_FAIL")
"""The states of points that ended otherwise."""


class Point(Record, frozen=True, kw_only=True):
    """One point with its results. `seconds`: from its start to its end; `note`: what of its files
    could not be read, in words."""

    index: int
    id: str
    params: Params
    state: str
    exit_code: int | None = None
    seconds: float | None = None
    job: str = ""
    on: str = ""
    metrics: Mapping[str, Metric] = {}
    note: str = ""


def number(value: Any) -> float | None:
    """The value as a float; None for what is no number, or is not a number (NaN)."""
    if not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return None if math.isnan(found) else found


def measured(points: Sequence[Point], metric: str) -> list[tuple[Point, float]]:
    """The completed points for which the metric is a finite number, with it."""
    found = ((point, number(point.metrics.get(metric))) for point in points)
    return [
        (point, value)
        for point, value in found
        if point.state == COMPLETED and value is not None and math.isfinite(value)
    ]


def ranked(points: Sequence[Point], metric: str, direction: Direction) -> list[Point]:
    """The completed points from the best to the worst, equal ones in their order. Those without a
    number come last."""
    sign = 1.0 if direction == "minimize" else -1.0

    def place(point: Point) -> tuple[bool, float]:
        value = number(point.metrics.get(metric))
        return (value is None, 0.0 if value is None else sign * value)

    return sorted((point for point in points if point.state == COMPLETED), key=place)


def best(points: Sequence[Point], metric: str, direction: Direction, count: int) -> list[Point]:
    """The first `count` of those; one without a number is never among them."""
    able = [point for point in points if number(point.metrics.get(metric)) is not None]
    return ranked(able, metric, direction)[:count]


def metric_names(points: Sequence[Point]) -> list[str]:
    """All names of metrics that are numbers somewhere, in the order in which they come up."""
    names: dict[str, None] = {}
    for point in points:
        for name, value in point.metrics.items():
            if not isinstance(value, str):
                names[name] = None
    return list(names)
