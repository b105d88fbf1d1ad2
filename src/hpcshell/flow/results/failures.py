"""Which points failed, and of what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hpcshell.core.records import Record
from hpcshell.flow.results.levels import levels, varying
from hpcshell.flow.results.points import COMPLETED, FAILURES, Point
from hpcshell.flow.tracebacks import Frame


class ErrorGroup(Record, frozen=True, kw_only=True):
    """The points that died of the same. `lines`: the last that `example` said of it."""

    label: str
    count: int
    example: str
    lines: tuple[str, ...]
    points: tuple[str, ...]


class FailureRate(Record, frozen=True, kw_only=True):
    """Of the points on one level of a parameter that have ended, how many did not complete."""

    param: str
    value: str
    ended: int
    failed: int
    rate: float


def grouped(frames: Iterable[tuple[str, Frame]]) -> tuple[ErrorGroup, ...]:
    """Every point, by its id, in one group, the largest first, equal ones as they come up."""
    found: dict[str, list[tuple[str, Frame]]] = {}
    for point, frame in frames:
        found.setdefault(frame.label, []).append((point, frame))
    groups = [
        ErrorGroup(
            label=label,
            count=len(members),
            example=members[0][0],
            lines=members[0][1].lines,
            points=tuple(point for point, _ in members),
        )
        for label, members in found.items()
    ]
    return tuple(sorted(groups, key=lambda group: -group.count))


def rates(points: Sequence[Point]) -> tuple[FailureRate, ...]:
    """The rates of the parameters of which it is not the same on all levels; the parameter with
    the largest difference first."""
    ended = [point for point in points if point.state == COMPLETED or point.state in FAILURES]
    tables = [_rates(name, ended) for name in varying(ended)]
    differing = [table for table in tables if _spread(table)]
    return tuple(rate for table in sorted(differing, key=lambda t: -_spread(t)) for rate in table)


def _rates(param: str, ended: Sequence[Point]) -> list[FailureRate]:
    found = []
    for value, places in levels([point.params.get(param) for point in ended]):
        failed = sum(ended[at].state in FAILURES for at in places)
        found.append(
            FailureRate(
                param=param,
                value=value,
                ended=len(places),
                failed=failed,
                rate=failed / len(places),
            )
        )
    return found


def _spread(table: Sequence[FailureRate]) -> float:
    return max(rate.rate for rate in table) - min(rate.rate for rate in table)
