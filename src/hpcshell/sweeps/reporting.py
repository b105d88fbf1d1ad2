"""The report of a sweep, and what its pictures are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hpcshell.core.errors import NotFound
from hpcshell.core.records import Record
from hpcshell.core.words import nearest, quote
from hpcshell.flow.results.points import Point, ranked
from hpcshell.flow.results.report import Asked, Report, reported
from hpcshell.flow.spec import Direction, Spec
from hpcshell.sweeps.collecting import collected, history
from hpcshell.sweeps.errors import errors
from hpcshell.sweeps.standing import Standing

CURVES: Final = 40
"""Points of which the whole curve is read and drawn: the best, and others evenly chosen."""


class Curve(Record, frozen=True, kw_only=True):
    """The metric of one point over its steps; `place`: its rank among the completed, from 0."""

    id: str
    place: int
    steps: tuple[tuple[float, float], ...]


class Findings(Record, frozen=True, kw_only=True):
    """The report, the points it is of, and the curves of some of them."""

    report: Report
    points: tuple[Point, ...]
    curves: tuple[Curve, ...] = ()


def report(
    spec: Spec,
    standings: Sequence[Standing],
    *,
    metric: str = "",
    direction: Direction | None = None,
    best: int = 10,
) -> Report:
    """What the sweep came to. `metric`, `direction`: other ones than the specification's. Raises
    `NotFound` for a metric that was asked for and that no point has."""
    return _found(standings, _asked(spec, metric, direction, best), metric)[0]


def findings(
    spec: Spec,
    standings: Sequence[Standing],
    *,
    metric: str = "",
    direction: Direction | None = None,
    best: int = 10,
) -> Findings:
    """The report with what its pictures need."""
    found, points = _found(standings, _asked(spec, metric, direction, best), metric)
    curves = _curves(standings, points, found) if found.metric else ()
    return Findings(report=found, points=tuple(points), curves=curves)


def _asked(spec: Spec, metric: str, direction: Direction | None, best: int) -> Asked:
    """Of a search, its first metric where none is named."""
    of_search = (
        dict(zip(spec.search.metrics, spec.search.directions, strict=True)) if spec.search else {}
    )
    metric = metric or spec.metric or next(iter(of_search), "")
    return Asked(
        name=spec.name,
        metric=metric,
        direction=direction or of_search.get(metric, spec.direction),
        best=best,
    )


def _found(standings: Sequence[Standing], asked: Asked, named: str) -> tuple[Report, list[Point]]:
    points = collected(standings)
    found = reported(points, errors(standings), asked)
    if named and found.metrics and named not in found.metrics:
        near = nearest(named, found.metrics)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(found.metrics[:12])}"
        raise NotFound(f"no point has a metric {quote(named)}", hint)
    return found, points


def _curves(
    standings: Sequence[Standing], points: Sequence[Point], found: Report
) -> tuple[Curve, ...]:
    """Half of those that are drawn are the best; the others are taken evenly from the rest."""
    order = [point.index for point in ranked(points, found.metric, found.direction)]
    places = range(len(order))
    if len(order) > CURVES:
        half = CURVES // 2
        gap = (len(order) - half) / half
        chosen = [*places[:half], *(half + int(at * gap) for at in range(half))]
    else:
        chosen = list(places)
    by_index = {standing.index: standing for standing in standings}
    curves = []
    for place in chosen:
        standing = by_index[order[place]]
        steps = tuple(history(standing, found.metric))
        if len(steps) > 1:
            curves.append(Curve(id=standing.id, place=place, steps=steps))
    return tuple(curves)
