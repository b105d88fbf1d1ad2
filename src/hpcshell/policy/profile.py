"""What will be free when, if every run holds what it holds until its latest end.

Segments of time, each with its free vector; the last one goes on for ever. Runs without a time
limit end at `NEVER`, which is a point in time like the others: a waiting job may be promised it
("when those have ended"), and a job without a limit that starts now is then still running, so it
may not stand in the way.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from math import ceil, inf
from typing import Final

from hpcshell.policy.room import Vector, plus

NEVER: Final = inf
LATE: Final = 1.0
"""A run that should have ended by now is taken to end this many seconds from now."""
HAIR: Final = 1e-9
"""So much above a multiple of the resolution is the multiple: sums of times are not exact."""


def _end(end: float | None, now: float, resolution: float) -> float:
    """When what is held is taken to be free: no earlier than expected, and not yet."""
    if end is None:
        return NEVER
    return now + LATE if end <= now else rounded(end, resolution)


def rounded(end: float, resolution: float) -> float:
    """The instant, or the next whole multiple of `resolution` above zero."""
    if resolution <= 0 or end == NEVER:
        return end
    return max(end, ceil(end / resolution - HAIR) * resolution)


class Profile:
    """`times[i]` to `times[i + 1]` is a segment; `times[0]` is now. `free[k][i]` is what is free of
    the vector's place `k` in segment `i`.

    `resolution`: all that is held, now or later, is held until a whole multiple of so many seconds;
    what has been promised then still holds when it has begun.
    """

    __slots__ = ("free", "resolution", "times")

    def __init__(
        self,
        now: float,
        free: Vector,
        held: Iterable[tuple[float | None, Vector]],
        resolution: float = 0.0,
    ) -> None:
        self.times = [now]
        self.resolution = resolution
        rows = [free]
        for end, vector in sorted((_end(end, now, resolution), vector) for end, vector in held):
            if end > self.times[-1]:
                self.times.append(end)
                rows.append(rows[-1])
            rows[-1] = plus(rows[-1], vector)
        self.free = [list(column) for column in zip(*rows, strict=True)]

    def copy(self) -> Profile:
        """Another that is changed by itself."""
        other = object.__new__(Profile)
        other.times, other.free = self.times[:], [column[:] for column in self.free]
        other.resolution = self.resolution
        return other

    def free_now(self) -> Vector:
        """What is free in the first segment."""
        return tuple(column[0] for column in self.free)

    def fits(self, start: float, limit: float | None, need: Vector | None) -> bool:
        """Whether `need` is free from `start` for `limit` seconds (None: for ever)."""
        if need is None:
            return False
        first = bisect_right(self.times, start) - 1
        last = len(self.times)
        if limit is not None:
            last = max(first + 1, bisect_left(self.times, self._until(start, limit)))
        return all(min(column[first:last]) >= n for column, n in self._columns(need))

    def earliest(
        self, limit: float | None, need: Vector | None, since: float = -inf
    ) -> float | None:
        """The first instant at which `need` is free for as long as it takes; None: never.

        `since`: it is known not to be any earlier.
        """
        if need is None:
            return None
        return self._from(max(0, bisect_right(self.times, since) - 1), limit, need)

    def first(self, since: float, limit: float | None, need: Vector | None) -> float | None:
        """As `earliest`, the first instant that is `since` or later."""
        return None if need is None else self._from(self._cut(since), limit, need)

    def _from(self, start: int, limit: float | None, need: Vector) -> float | None:
        """The beginning of the first segment from number `start` on at which `need` is free."""
        times, columns = self.times, self._columns(need)
        end = inf if limit is None else self._until(times[start], limit)
        for at in range(start, len(times)):
            if start < at and times[at] >= end and limit is not None:
                return times[start]
            for column, n in columns:
                if column[at] < n:
                    start = at + 1
                    if start < len(times) and limit is not None:
                        end = self._until(times[start], limit)
                    break
        return times[start] if start < len(times) else None

    def least(self, start: float, limit: float | None) -> Vector:
        """What is free from `start` on all the time for `limit` seconds."""
        first = bisect_right(self.times, start) - 1
        last = len(self.times)
        if limit is not None:
            last = max(first + 1, bisect_left(self.times, self._until(start, limit)))
        return tuple([min(column[first:last]) for column in self.free])

    def following(self, time: float) -> float | None:
        """The next instant after `time` at which what is free changes; None: there is none."""
        place = bisect_right(self.times, time)
        return self.times[place] if place < len(self.times) else None

    def longest(self, need: Vector) -> float | None:
        """How long `need` is free from now on; None: for ever."""
        columns = self._columns(need)
        for at, time in enumerate(self.times):
            if any(column[at] < n for column, n in columns):
                return time - self.times[0]
        return None

    def take(self, start: float, limit: float | None, need: Vector) -> None:
        """Hold `need` from `start` for `limit` seconds. What is free may fall below zero."""
        span = self._span(start, limit)
        for column, n in self._columns(need):
            for at in span:
                column[at] -= n

    def give_back(self, start: float, limit: float | None, need: Vector) -> None:
        """Undo `take`."""
        span = self._span(start, limit)
        for column, n in self._columns(need):
            for at in span:
                column[at] += n

    def let_go(self, end: float | None, vector: Vector) -> None:
        """What is held until that expected end, or a part of it, comes free now."""
        last = self._cut(_end(end, self.times[0], self.resolution))
        for column, n in self._columns(vector):
            for at in range(last):
                column[at] += n

    def _columns(self, need: Vector) -> list[tuple[list[int], int]]:
        """What is asked for of what: places of which nothing is asked are not looked at."""
        return [(column, n) for column, n in zip(self.free, need, strict=False) if n]

    def _span(self, start: float, limit: float | None) -> range:
        first = self._cut(start)
        if limit is None:
            return range(first, len(self.times))
        end = self._until(start, limit)
        return range(first, first + 1 if end == NEVER else self._cut(end))

    def _until(self, start: float, limit: float) -> float:
        """Until when something is held that begins at `start`."""
        end = start + limit
        return rounded(end, self.resolution) if self.resolution else end

    def _cut(self, time: float) -> int:
        """The number of the segment that begins at `time`, made if there is none."""
        place = bisect_left(self.times, time)
        if place == len(self.times) or self.times[place] != time:
            self.times.insert(place, time)
            for column in self.free:
                column.insert(place, column[place - 1])
        return place
