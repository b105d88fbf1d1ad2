"""What will be free when, if every run holds what it holds until its latest end.

Segments of time, each with its free vector; the last one goes on for ever. Runs without a time
limit end at `NEVER`, which is a point in time like the others: a waiting job may be promised it
("when those have ended"), and a job without a limit that starts now is then still running, so it
may not stand in the way.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from math import inf
from typing import Final

from hpcshell.policy.room import Vector, fits, minus, plus

NEVER: Final = inf
LATE: Final = 1.0
"""A run that should have ended by now is taken to end this many seconds from now."""


class Profile:
    """`times[i]` to `times[i + 1]` has `free[i]`; `times[0]` is now."""

    __slots__ = ("free", "times")

    def __init__(
        self, now: float, free: Vector, held: Iterable[tuple[float | None, Vector]]
    ) -> None:
        self.times = [now]
        self.free = [free]
        for end, vector in sorted(
            (NEVER if end is None else max(end, now + LATE), vector) for end, vector in held
        ):
            if end > self.times[-1]:
                self.times.append(end)
                self.free.append(self.free[-1])
            self.free[-1] = plus(self.free[-1], vector)

    def fits(self, start: float, limit: float | None, need: Vector | None) -> bool:
        """Whether `need` is free from `start` for `limit` seconds (None: for ever)."""
        first = bisect_right(self.times, start) - 1
        return need is not None and self._obstacle(first, start, limit, need) < 0

    def earliest(self, limit: float | None, need: Vector | None) -> float | None:
        """The first instant at which `need` is free for as long as it takes; None: never."""
        if need is None:
            return None
        place = 0
        while place < len(self.times):
            obstacle = self._obstacle(place, self.times[place], limit, need)
            if obstacle < 0:
                return self.times[place]
            place = obstacle + 1
        return None

    def longest(self, need: Vector) -> float | None:
        """How long `need` is free from now on; None: for ever."""
        obstacle = self._obstacle(0, self.times[0], None, need)
        return None if obstacle < 0 else self.times[obstacle] - self.times[0]

    def take(self, start: float, limit: float | None, need: Vector) -> None:
        """Hold `need` from `start` for `limit` seconds. What is free may fall below zero."""
        for place in self._span(start, limit):
            self.free[place] = minus(self.free[place], need)

    def give_back(self, start: float, limit: float | None, need: Vector) -> None:
        """Undo `take`."""
        for place in self._span(start, limit):
            self.free[place] = plus(self.free[place], need)

    def _obstacle(self, place: int, start: float, limit: float | None, need: Vector) -> int:
        """The first segment from `place` on in which `need` is not free; -1: none."""
        end = self._end(start, limit)
        for at in range(place, len(self.times)):
            if at > place and end is not None and self.times[at] >= end:
                return -1
            if not fits(need, self.free[at]):
                return at
        return -1

    def _end(self, start: float, limit: float | None) -> float | None:
        return None if limit is None else start + limit

    def _span(self, start: float, limit: float | None) -> range:
        first = self._cut(start)
        end = self._end(start, limit)
        if end is None:
            return range(first, len(self.times))
        if end == NEVER:
            return range(first, first + 1)
        return range(first, self._cut(end))

    def _cut(self, time: float) -> int:
        """The number of the segment that begins at `time`, made if there is none."""
        place = bisect_left(self.times, time)
        if place == len(self.times) or self.times[place] != time:
            self.times.insert(place, time)
            self.free.insert(place, self.free[place - 1])
        return place
