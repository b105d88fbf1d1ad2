"""What a whole study came to: a document of plain figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hpcshell.core.records import Record
from hpcshell.flow.results.effects import Effect, effects
from hpcshell.flow.results.failures import ErrorGroup, FailureRate, rates
from hpcshell.flow.results.figures import mean, quantile
from hpcshell.flow.results.points import COMPLETED, Metric, Point, best, measured, metric_names
from hpcshell.flow.spec import Direction

SCHEMA: Final = 1
ALL: Final = "ALL"
_LISTED: Final = 12


class BestPoint(Record, frozen=True, kw_only=True):
    """One of the best; `value` is its metric."""

    id: str
    index: int
    value: float
    params: Mapping[str, Any]
    metrics: Mapping[str, Metric]


class RunTimes(Record, frozen=True, kw_only=True):
    """How long the `n` points of one state took from start to end (`ALL`: of all states), in
    seconds; `hours`: all of them together."""

    state: str
    n: int
    min: float
    median: float
    mean: float
    p95: float
    max: float
    hours: float


class Report(Record, frozen=True, kw_only=True, omit_defaults=False):
    """`counts`: points by state. `metric` "": none was chosen, and nothing is said of best points
    and effects. `measured`: completed points for which it is a finite number. `metrics`: all that
    there are. `notes`: what the reader has to know, a sentence each."""

    schema: int = SCHEMA
    name: str
    points: int
    counts: Mapping[str, int]
    metric: str
    direction: Direction
    metrics: tuple[str, ...]
    measured: int
    best: tuple[BestPoint, ...]
    effects: tuple[Effect, ...]
    run_times: tuple[RunTimes, ...]
    failures: tuple[FailureRate, ...]
    errors: tuple[ErrorGroup, ...]
    notes: tuple[str, ...]


class Asked(Record, frozen=True, kw_only=True):
    """What a report is to be of. `metric` "": the only one that there is."""

    name: str = ""
    metric: str = ""
    direction: Direction = "minimize"
    best: int = 10


def reported(points: Sequence[Point], errors: tuple[ErrorGroup, ...], asked: Asked) -> Report:
    """The report on all points; the errors come from what they said."""
    names = metric_names(points)
    metric = asked.metric or (names[0] if len(names) == 1 else "")
    having = measured(points, metric)
    return Report(
        name=asked.name,
        points=len(points),
        counts=dict(Counter(point.state for point in points)),
        metric=metric,
        direction=asked.direction,
        metrics=tuple(names),
        measured=len(having),
        best=_best(points, metric, asked),
        effects=effects(points, metric),
        run_times=run_times(points),
        failures=rates(points),
        errors=errors,
        notes=tuple(_notes(points, names, metric, len(having))),
    )


def run_times(points: Sequence[Point]) -> tuple[RunTimes, ...]:
    """By state, where a run time is known, and over all states where there are several."""
    by_state: dict[str, list[float]] = {}
    for point in points:
        if point.seconds is not None:
            by_state.setdefault(point.state, []).append(point.seconds)
    if len(by_state) > 1:
        by_state[ALL] = [one for seconds in by_state.values() for one in seconds]
    return tuple(_times(state, sorted(seconds)) for state, seconds in by_state.items())


def _times(state: str, seconds: Sequence[float]) -> RunTimes:
    """Told to the millisecond."""
    average = mean(seconds)
    return RunTimes(
        state=state,
        n=len(seconds),
        min=round(seconds[0], 3),
        median=round(quantile(seconds, 0.5), 3),
        mean=round(average, 3),
        p95=round(quantile(seconds, 0.95), 3),
        max=round(seconds[-1], 3),
        hours=average * len(seconds) / 3600,
    )


def _best(points: Sequence[Point], metric: str, asked: Asked) -> tuple[BestPoint, ...]:
    return tuple(
        BestPoint(
            id=point.id,
            index=point.index,
            value=float(point.metrics[metric]),
            params=point.params,
            metrics=point.metrics,
        )
        for point in best(points, metric, asked.direction, asked.best)
    )


def _notes(points: Sequence[Point], names: list[str], metric: str, having: int) -> list[str]:
    notes = []
    ended = sum(point.state == COMPLETED for point in points)
    if not metric and names:
        there = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
        notes.append(f"no metric was named, so nothing is ranked: there are {there}")
    elif metric and ended and not having:
        notes.append(f"no completed point has a number for {metric}")
    elif metric and having < ended:
        notes.append(f"{ended - having} of {ended} completed points have no finite {metric}")
    noted = [point for point in points if point.note]
    if noted:
        first = noted[0]
        others = len(noted) - 1
        have = "point has a note" if others == 1 else "points have notes"
        notes.append(f"point {first.id}: {first.note}" + f" ({others} more {have})" * bool(others))
    return notes
