"""The twins of `primitives` for arrays of fixed size, in the subset that numba compiles."""

from __future__ import annotations

from typing import Any

import numpy as np


def ints(size: int) -> Any:
    return np.zeros(size, np.int64)


def floats(size: int) -> Any:
    return np.zeros(size, np.float64)


def growing_ints(size: int) -> Any:
    return np.zeros(size + 1, np.int64)


def growing_floats(size: int) -> Any:
    return np.zeros(size + 1, np.float64)


def put(items: Any, count: int, place: int, value: Any) -> None:
    at = np.uint64(count)  # without a sign: no look, each time, whether it counts from the end
    while at > np.uint64(place):
        items[at] = items[at - np.uint64(1)]
        at -= np.uint64(1)
    items[place] = value


def cut(items: Any, count: int, place: int) -> None:
    for at in range(place, count - 1):
        items[at] = items[at + 1]


def trim(items: Any, count: int) -> None:
    pass


def left_of(items: Any, count: int, value: float) -> int:
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if items[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


def right_of(items: Any, count: int, value: float) -> int:
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if value < items[middle]:
            high = middle
        else:
            low = middle + 1
    return low


def push(times: Any, turns: Any, count: int, time: float, turn: int) -> None:
    at = count
    while at > 0:
        above = (at - 1) >> 1
        if times[above] < time or (times[above] == time and turns[above] < turn):
            break
        times[at], turns[at] = times[above], turns[above]
        at = above
    times[at], turns[at] = time, turn


def pop(times: Any, turns: Any, count: int) -> Any:
    least, last = turns[0], count - 1
    time, turn = times[last], turns[last]
    at, below = 0, 1
    while below < last:
        other = below + 1
        if other < last and (
            times[other] < times[below]
            or (times[other] == times[below] and turns[other] < turns[below])
        ):
            below = other
        if time < times[below] or (time == times[below] and turn < turns[below]):
            break
        times[at], turns[at] = times[below], turns[below]
        at, below = below, 2 * below + 1
    times[at], turns[at] = time, turn
    return least


def top(times: Any, count: int) -> Any:
    return times[0]


def sort(keys: Any, jobs: Any, count: int) -> None:
    for after in range(1, count):  # by insertion: from one decision to the next little changes
        key, job = keys[after], jobs[after]
        at = after
        while at > 0 and (keys[at - 1] > key or (keys[at - 1] == key and jobs[at - 1] > job)):
            keys[at], jobs[at] = keys[at - 1], jobs[at - 1]
            at -= 1
        keys[at], jobs[at] = key, job
