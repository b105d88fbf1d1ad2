"""Which processors each job has in a picture: the log of a pool of processors does not say."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

import numpy as np

from hpcshell.core.records import Record
from hpcshell.sim.simulate import Simulation
from hpcshell.trace.measures import Pieces, queue_over_time

MOST_JOBS: Final = 150
"""More are not told apart in a picture."""
LONGEST: Final = 2 * 86400.0
"""Seconds of a window."""
SHORTEST: Final = 60.0
POINTS: Final = 2000


class Bar(Record, frozen=True):
    """A job, by its row in the workload, holds processors `low` up to but not including `high`,
    from `start` to `end`."""

    row: int
    low: int
    high: int
    start: float
    end: float


def busiest(found: Simulation) -> tuple[float, float]:
    """A window in which the line is as long as ever, and few enough jobs run to be told apart."""
    schedule = found.schedule
    if not len(schedule):
        return 0.0, SHORTEST
    queue = queue_over_time(schedule, POINTS)
    peak = float(queue.times[int(queue.values.argmax())])
    span = LONGEST
    while span > SHORTEST:
        window = (peak - span / 2, peak + span / 2)
        if len(running(found, window)) <= MOST_JOBS:
            break
        span /= 1.5
    return peak - span / 2, peak + span / 2


def running(found: Simulation, window: tuple[float, float]) -> Pieces:
    """What jobs hold within the window, by their rows in the workload, in the order of starts."""
    held, rows = found.schedule.held, np.flatnonzero(found.started)
    chosen = np.flatnonzero((held.start < window[1]) & (held.end > window[0]))
    chosen = chosen[np.argsort(held.start[chosen], kind="stable")]
    return Pieces(job=rows[held.job[chosen]], start=held.start[chosen], end=held.end[chosen])


def bars(found: Simulation, window: tuple[float, float]) -> list[Bar]:
    """Each job on the lowest processors that are free: side by side where a gap is large enough,
    else in several bars."""
    holes = [(0, found.workload.machine)]
    ends: list[tuple[float, int, list[tuple[int, int]]]] = []
    placed = []
    held = running(found, window)
    columns = (column.tolist() for column in (held.job, held.start, held.end))
    for row, start, end in zip(*columns, strict=True):
        while ends and ends[0][0] <= start:
            holes = _joined([*holes, *heappop(ends)[2]])
        taken, holes = _taken(holes, int(found.workload.procs[row]))
        heappush(ends, (end, row, taken))
        placed += [Bar(row=row, low=low, high=high, start=start, end=end) for low, high in taken]
    return placed


def _joined(holes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same processors in as few gaps as can be, ascending."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(holes):
        if joined and joined[-1][1] == low:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined


def _taken(
    holes: list[tuple[int, int]], procs: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """So many processors, and the gaps that are left."""
    whole = [hole for hole in holes if hole[1] - hole[0] >= procs][:1]
    held: list[tuple[int, int]] = []
    left = []
    for low, high in holes:
        take = min(procs, high - low) if not whole or (low, high) == whole[0] else 0
        if take:
            held.append((low, low + take))
            procs -= take
        if low + take < high:
            left.append((low + take, high))
    return held, left
