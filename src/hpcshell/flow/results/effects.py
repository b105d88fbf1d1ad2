"""What each parameter does to a metric, all others averaged over."""

from __future__ import annotations

from collections.abc import Sequence

from hpcshell.core.records import Record
from hpcshell.flow.results.figures import deviation, explained, mean, median, ranks
from hpcshell.flow.results.levels import levels, varying
from hpcshell.flow.results.points import Point, measured


class LevelFigures(Record, frozen=True, kw_only=True):
    """The metric over the `n` points on one level of a parameter; `std` is that of a sample."""

    value: str
    n: int
    mean: float
    median: float
    std: float


class Effect(Record, frozen=True, kw_only=True):
    """`range`: how far the means of the levels lie apart. `explained`: the share of the metric's
    variance that the levels explain (eta squared, 0 to 1); `explained_ranks`: that of the variance
    of the points' ranks, which a few that diverged do not spoil. With few points on a level both
    say too much."""

    param: str
    range: float
    explained: float
    explained_ranks: float
    levels: tuple[LevelFigures, ...]


def effects(points: Sequence[Point], metric: str) -> tuple[Effect, ...]:
    """Of each parameter that varies among the completed points for which the metric is a finite
    number, the one that explains most of the ranks first."""
    found = measured(points, metric)
    those = [point for point, _ in found]
    values = [value for _, value in found]
    order = ranks(values)
    told = [_effect(name, those, values, order) for name in varying(those)]
    return tuple(sorted(told, key=lambda effect: (-effect.explained_ranks, -effect.range)))


def _effect(
    param: str, points: Sequence[Point], values: Sequence[float], order: Sequence[float]
) -> Effect:
    parts = levels([point.params.get(param) for point in points])
    groups = [[values[at] for at in places] for _, places in parts]
    figures = tuple(
        LevelFigures(
            value=name,
            n=len(group),
            mean=mean(group),
            median=median(group),
            std=deviation(group),
        )
        for (name, _), group in zip(parts, groups, strict=True)
    )
    means = [figure.mean for figure in figures]
    return Effect(
        param=param,
        range=max(means) - min(means),
        explained=explained(groups),
        explained_ranks=explained([[order[at] for at in places] for _, places in parts]),
        levels=figures,
    )
