"""Where several requests go that start together, where there is a choice."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Final

from hpcshell.core.records import Request
from hpcshell.policy.room import Room, Vector, fits, minus, plus

REMEMBERED: Final = 64


class Joint:
    """Places each of `requests` beside those before it, the largest first (first fit decreasing, of
    Johnson, "Near-optimal bin packing algorithms", 1973): in an empty machine they may find no
    place that a search would find, but where they have found one they have one again.

    `parts` tells of what it has chosen lately who takes what of it.
    """

    def __init__(self, room: Room, requests: Sequence[Request]) -> None:
        needs = [room.need(request) for request in requests]
        order = sorted(range(len(requests)), key=lambda number: _size(needs[number]), reverse=True)
        self._order = [(number, needs[number], room.place(requests[number])) for number in order]
        self._parts: dict[Vector, tuple[Vector, ...]] = {}

    def __call__(self, free: Vector) -> Vector | None:
        found: dict[int, Vector] = {}
        for number, need, place in self._order:
            if not fits(need, free):
                return None
            taken = need if place is None else place(free)
            if taken is None:
                return None
            found[number] = taken
            free = minus(free, taken)
        whole = reduce(plus, found.values())
        if len(self._parts) >= REMEMBERED:
            self._parts.clear()
        self._parts[whole] = tuple(found[number] for number in range(len(found)))
        return whole

    def parts(self, taken: Vector) -> tuple[Vector, ...]:
        """What each of the requests takes of it."""
        return self._parts[taken]


def _size(need: Vector | None) -> tuple[int, ...]:
    """GPUs count before cpus: there are fewer places for them."""
    return () if need is None else (need[3], need[1], need[2])
