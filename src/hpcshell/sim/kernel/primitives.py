"""What the kernel needs of lists, in two forms: Python's own lists, and arrays compiled by numba.

The kernel is written once. Run as it stands, its lists are Python lists and these functions use
the interpreter's fast built-ins; compiled, its lists are numpy arrays of fixed size and numba takes
their twins in `arrays`. `count` is how many places are in
use; only the arrays need it. All changes keep the order of the rest.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from heapq import heappop, heappush
from typing import Any

__all__ = [
    "cut",
    "floats",
    "growing_floats",
    "growing_ints",
    "ints",
    "left_of",
    "pop",
    "push",
    "put",
    "right_of",
    "sort",
    "top",
    "trim",
]


def ints(size: int) -> Any:
    """`size` whole numbers, all 0."""
    return [0] * size


def floats(size: int) -> Any:
    """`size` floats, all 0."""
    return [0.0] * size


def growing_ints(size: int) -> Any:
    """An empty list that will hold at most `size` whole numbers."""
    return []


def growing_floats(size: int) -> Any:
    """An empty list that will hold at most `size` floats."""
    return []


def put(items: Any, count: int, place: int, value: Any) -> None:
    """Insert `value` at `place`."""
    items.insert(place, value)


def cut(items: Any, count: int, place: int) -> None:
    """Take out what is at `place`."""
    del items[place]


def trim(items: Any, count: int) -> None:
    """Leave the first `count`."""
    del items[count:]


def left_of(items: Any, count: int, value: float) -> int:
    """The first place at which `value` keeps an ascending list in order."""
    return bisect_left(items, value)


def right_of(items: Any, count: int, value: float) -> int:
    """The last place at which `value` keeps an ascending list in order."""
    return bisect_right(items, value)


def push(times: Any, turns: Any, count: int, time: float, turn: int) -> None:
    """Put (time, turn) into the heap of so many. Only one of the two lists is used here."""
    heappush(times, (time, turn))


def pop(times: Any, turns: Any, count: int) -> int:
    """Take the least (time, turn) out of the heap; the turn."""
    least: tuple[float, int] = heappop(times)
    return least[1]


def top(times: Any, count: int) -> Any:
    """The least time in the heap, which is not empty."""
    return times[0][0]


def sort(keys: Any, jobs: Any, count: int) -> None:
    """Put two lists into the order of (key, job)."""
    pairs = sorted(zip(keys, jobs, strict=True))
    keys[:] = [key for key, _ in pairs]
    jobs[:] = [job for _, job in pairs]
