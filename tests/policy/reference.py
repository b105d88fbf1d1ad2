"""Backfill worked out the slow way: what is free is added up anew for every instant asked about."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from hpcshell.policy.decide import Policy
from hpcshell.policy.line import Shape
from hpcshell.policy.profile import LATE
from hpcshell.policy.room import Vector, fits, minus
from hpcshell.policy.view import Unit, View

Span = tuple[float, float | None, Vector]
"""(from when, for how long (None: for ever), what is held)."""


class Timeline:
    """What is held of the machine from `now` on; a run that overstays is about to end."""

    def __init__(self, view: View, now: float) -> None:
        self.now = now
        self.size = view.room.size
        self.held: list[Span] = []
        self.endless = False
        for run, claim in view.claims.items():
            end = inf if claim.end is None else claim.end if claim.end > now else now + LATE
            self.endless |= end == inf
            self.held.append((now, end - now, view.room.held[run]))

    def free(self, at: float) -> Vector:
        free = self.size
        for start, limit, need in self.held:
            end = inf if limit is None else start + limit
            if start <= at < end or (at == inf and (limit is None or start == inf)):
                free = minus(free, need)
        return free

    def moments(self) -> list[float]:
        """When what is free may change; `inf` only if something runs that has no limit."""
        found = {self.now}
        for start, limit, _ in self.held:
            found |= {start, inf if limit is None else start + limit}
        return sorted(found if self.endless else found - {inf})

    def fits(self, start: float, limit: float | None, need: Vector) -> bool:
        end = inf if limit is None else start + limit
        during = [at for at in self.moments() if start < at and (at < end or limit is None)]
        return all(fits(need, self.free(at)) for at in (start, *during))

    def first(self, since: float, shape: Shape) -> float | None:
        """The first instant from `since` on at which the shape fits."""
        if shape.need is None:
            return None
        at = sorted({since, *(at for at in self.moments() if at > since)})
        return next((one for one in at if self.fits(one, shape.length, shape.need)), None)

    def take(self, start: float, shape: Shape) -> None:
        assert shape.need is not None
        self.held.append((start, shape.length, shape.need))


def in_line(view: View) -> Iterator[tuple[Unit, Shape]]:
    """All that may start as far as its job is concerned, first first."""
    for line in view.queue.turn:
        job = line.entry.job
        for place, index in enumerate(line.elements()):
            if place < line.entry.room():
                yield (job.id, index), line.shape


def afresh(view: View, policy: Policy, now: float) -> tuple[list[Unit], dict[Unit, float]]:
    """What starts, and what is promised when no promise was given before. Not for throttles and
    lines with grown requests."""
    line, left = Timeline(view, now), inf if policy.promises is None else policy.promises
    starts: list[Unit] = []
    promises: dict[Unit, float] = {}
    for unit, shape in in_line(view):
        start = line.first(now, shape)
        if start == now:
            starts.append(unit)
        elif left > 0 and fits(shape.need, line.size):
            left -= 1
            if start is not None:
                promises[unit] = start
        else:
            continue
        if start is not None:
            line.take(start, shape)
    return starts, promises
