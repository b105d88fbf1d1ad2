"""Measures of a schedule, from its columns: waits, slowdown, utilisation, fairness.

All are those of the field: Feitelson, Rudolph, Schwiegelshohn, Sevcik, Wong, "Theory and Practice
in Parallel Job Scheduling", JSSPP 1997 (bounded slowdown); Jain, Chiu, Hawe, "A Quantitative
Measure of Fairness and Discrimination", DEC TR-301, 1984 (the index of fairness).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hpcshell.core.records import Record
from hpcshell.trace.record import Floats, Ints

TAU: Final = 10.0
"""Seconds. A job that runs shorter is taken to run so long: its slowdown says little."""


class Pieces(Record, frozen=True, kw_only=True, eq=False):
    """What jobs held without a break: which (its place among the jobs), from when to when."""

    job: Ints
    start: Floats
    end: Floats

    def __len__(self) -> int:
        return len(self.job)

    def of(self, places: Ints) -> Pieces:
        """Those of the jobs at these places, which are counted anew."""
        anew = np.full(max(self.job.max(initial=0), places.max(initial=0)) + 1, -1)
        anew[places] = np.arange(len(places))
        kept = anew[self.job] >= 0
        return Pieces(job=anew[self.job[kept]], start=self.start[kept], end=self.end[kept])


class Schedule(Record, frozen=True, kw_only=True, eq=False):
    """When each job was submitted, when it started, how long it ran, on how many processors, and
    whose it was: columns of equal length, seconds. `machine` is the number of its processors.
    `pieces`: what each held, where they stand still or run again; None: each runs from its start
    without a break."""

    machine: int
    submit: Floats
    start: Floats
    run: Floats
    procs: Ints
    user: Ints
    pieces: Pieces | None = None

    def __len__(self) -> int:
        return len(self.start)

    @property
    def wait(self) -> Floats:
        return self.start - self.submit

    @property
    def end(self) -> Floats:
        """Of the last piece."""
        end = self.start + self.run
        if self.pieces is not None:
            np.maximum.at(end, self.pieces.job, self.pieces.end)
        return end

    @property
    def delay(self) -> Floats:
        """From the submission to the end, less the run time: the wait, unless it stood still or ran
        again."""
        return self.wait if self.pieces is None else self.end - self.submit - self.run

    @property
    def held(self) -> Pieces:
        """All pieces."""
        if self.pieces is not None:
            return self.pieces
        return Pieces(job=np.arange(len(self)), start=self.start, end=self.end)


class Measures(Record, frozen=True, kw_only=True):
    """Of a whole schedule. Seconds; `utilization` and the index of fairness are shares of 1.

    `makespan` is from the first submission to the last end. `user_avebsld` is the mean, over the
    users, of the mean bounded slowdown of a user's jobs; `fairness` Jain's index of these.
    `overtaking` is the share of jobs that started before one that was submitted earlier.
    """

    jobs: int
    makespan: float
    utilization: float
    mean_wait: float
    median_wait: float
    p95_wait: float
    max_wait: float
    avebsld: float
    user_avebsld: float
    fairness: float
    overtaking: float


NOTHING: Final = Measures(
    jobs=0,
    makespan=0.0,
    utilization=0.0,
    mean_wait=0.0,
    median_wait=0.0,
    p95_wait=0.0,
    max_wait=0.0,
    avebsld=0.0,
    user_avebsld=0.0,
    fairness=1.0,
    overtaking=0.0,
)
"""Of no jobs: nothing was used, and everybody was treated alike."""


def measure(schedule: Schedule) -> Measures:
    """All measures."""
    if not len(schedule):
        return NOTHING
    wait = schedule.wait
    median, p95 = np.percentile(wait, [50, 95]).tolist()
    slowdown = bounded_slowdown(schedule.delay, schedule.run)
    by_user = user_means(schedule.user, slowdown)
    return Measures(
        jobs=len(schedule),
        makespan=makespan(schedule),
        utilization=utilization(schedule),
        mean_wait=float(wait.mean()),
        median_wait=median,
        p95_wait=p95,
        max_wait=float(wait.max()),
        avebsld=float(slowdown.mean()),
        user_avebsld=float(by_user.mean()),
        fairness=jain(by_user),
        overtaking=float(overtakers(schedule).mean()),
    )


def bounded_slowdown(wait: Floats, run: Floats, tau: float = TAU) -> Floats:
    """max(1, (wait + run) / max(run, tau)) of each job."""
    return np.maximum(1.0, (wait + run) / np.maximum(run, tau))


def makespan(schedule: Schedule) -> float:
    """Seconds from the first submission to the last end."""
    return float(schedule.end.max() - schedule.submit.min())


def utilization(schedule: Schedule) -> float:
    """Busy processor seconds by all processor seconds of the makespan. What was done twice counts
    once."""
    available = schedule.machine * makespan(schedule)
    return float(schedule.run @ schedule.procs / available) if available else 0.0


def user_means(user: Ints, values: Floats) -> Floats:
    """The mean of the values of each user, users in ascending order."""
    _, place = np.unique(user, return_inverse=True)
    means: Floats = np.bincount(place, values) / np.bincount(place)
    return means


def jain(values: Floats) -> float:
    """(sum x)^2 / (n sum x^2): 1 when all are equal, 1/n when one has everything."""
    squares = float(values @ values)
    return float(values.sum()) ** 2 / (len(values) * squares) if squares else 1.0


def overtakers(schedule: Schedule) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which jobs started before one that was submitted earlier (ties in the order of the
    columns)."""
    order = np.argsort(schedule.submit, kind="stable")
    start = schedule.start[order]
    latest = np.maximum.accumulate(start)
    overtook = np.zeros(len(start), np.bool_)
    overtook[order[1:]] = start[1:] < latest[:-1]
    return overtook


# ------------------------------------------------------------------------------------ over time


class Curve(Record, frozen=True, kw_only=True, eq=False):
    """The mean of a quantity over each of n equal spans of time: `times` has their n + 1 bounds,
    `values` the n means."""

    times: Floats
    values: Floats


def utilization_over_time(schedule: Schedule, points: int) -> Curve:
    """The share of the machine that is busy."""
    held = schedule.held
    curve = _mean_level(schedule, held.start, held.end, schedule.procs[held.job], points)
    return Curve(times=curve.times, values=curve.values / schedule.machine)


def queue_over_time(schedule: Schedule, points: int) -> Curve:
    """How many jobs wait to start for the first time."""
    ones = np.ones(len(schedule), np.int64)
    return _mean_level(schedule, schedule.submit, schedule.start, ones, points)


def _mean_level(schedule: Schedule, since: Floats, until: Floats, by: Ints, points: int) -> Curve:
    """Means, over the makespan, of a step function that each job raises `by` `since` .. `until`."""
    if not len(schedule):
        return Curve(times=np.zeros(points + 1), values=np.zeros(points))
    instants = np.concatenate([since, until])
    order = np.argsort(instants, kind="stable")
    instants = instants[order]
    level = np.cumsum(np.concatenate([by, -by])[order])
    area = np.concatenate([[0.0], np.cumsum(level[:-1] * np.diff(instants))])
    times = np.linspace(schedule.submit.min(), schedule.end.max(), points + 1)
    span = times[-1] - times[0]
    if not span:
        return Curve(times=times, values=np.zeros(points))
    return Curve(times=times, values=np.diff(np.interp(times, instants, area)) * (points / span))
