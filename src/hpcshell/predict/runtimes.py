"""How long a job will run, from what it asks for and what ended before it.

A predictor is asked when a job is submitted and told when one has ended, in the order in which that
happens; it knows nothing of the future. The request (the user's time limit, seconds) is an upper
bound of every prediction, and a prediction is above zero where the request is.

    predictor = PREDICTORS["last2"].make()
    predictor.predict(features)         seconds, when the job is submitted
    corrected(predicted, 0, request)    when it has run for longer than that: the first correction
    predictor.ended(features, run)      when it is over
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from math import floor, inf, isfinite
from typing import Any, Final, NamedTuple, Protocol

from hpcshell.core.units import LONGEST

LEAST: Final = 1.0
"""Seconds. Nothing is predicted to end at once (unless the request itself is shorter)."""

CORRECTIONS: Final = (
    60.0,
    300.0,
    900.0,
    1800.0,
    3600.0,
    7200.0,
    18000.0,
    36000.0,
    72000.0,
    180000.0,
    360000.0,
)
"""Seconds added to a prediction that was outrun for the first, second, ... time (Tsafrir, Etsion,
Feitelson, "Backfilling using system-generated predictions rather than user runtime estimates", IEEE
Transactions on Parallel and Distributed Systems 2007)."""


class Features(NamedTuple):
    """What is known of a job when it is submitted: its user, its time limit in seconds (infinity
    without one), the processors it asks for, and the instant."""

    user: str
    request: float
    procs: int
    submit: float


Learnt = list[tuple[list[Any], list[Any]]]
"""What a predictor has learnt: whom each part of it is about, and the figures. To be sent as JSON,
which knows no infinity: None stands for it."""


class Predictor(Protocol):
    """See the module. `ended` takes the seconds that the job has run; `learn` what another one of
    its kind has `learnt`."""

    def predict(self, job: Features) -> float: ...

    def ended(self, job: Features, run: float) -> None: ...

    def learnt(self) -> Learnt: ...

    def learn(self, rows: Learnt) -> None: ...


class Requested:
    """The request itself: what a scheduler without predictions goes by."""

    def predict(self, job: Features) -> float:
        return job.request

    def ended(self, job: Features, run: float) -> None:
        pass

    def learnt(self) -> Learnt:
        return []

    def learn(self, rows: Learnt) -> None:
        pass


class Last2:
    """The mean of the run times of the user's last two jobs to end, rounded down; the request until
    there are two. (Tsafrir, Etsion, Feitelson, TPDS 2007: the predictor of EASY++.)"""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float | None, float]] = {}

    def predict(self, job: Features) -> float:
        before, last = self._last.get(job.user, (None, 0.0))
        return job.request if before is None else bounded(floor((before + last) / 2), job.request)

    def ended(self, job: Features, run: float) -> None:
        earlier = self._last.get(job.user)
        self._last[job.user] = (None if earlier is None else earlier[1], _ran(job, run))

    def learnt(self) -> Learnt:
        return [([user], list(two)) for user, two in self._last.items()]

    def learn(self, rows: Learnt) -> None:
        self._last = {user: (before, last) for (user,), (before, last) in rows}


class RecentRatio:
    """The request times the largest part of their requests that the user's last `recent` jobs to
    end have used; the request until there is one. Errs towards too long: few are outrun."""

    def __init__(self, recent: int = 5) -> None:
        self._recent = recent
        self._ratios: dict[str, deque[float]] = {}

    def predict(self, job: Features) -> float:
        ratios = self._ratios.get(job.user)
        if not ratios or not isfinite(job.request):
            return job.request
        return bounded(job.request * max(ratios), job.request)

    def ended(self, job: Features, run: float) -> None:
        if not (isfinite(job.request) and job.request > 0):
            return
        ratios = self._ratios.setdefault(job.user, deque(maxlen=self._recent))
        ratios.append(_ran(job, run) / job.request)

    def learnt(self) -> Learnt:
        return [([user], list(ratios)) for user, ratios in self._ratios.items()]

    def learn(self, rows: Learnt) -> None:
        self._ratios = {user: deque(ratios, maxlen=self._recent) for (user,), ratios in rows}


class MedianOfAlike:
    """The median run time of the last `recent` jobs of the same user, request and processors;
    `Last2` until there is one."""

    def __init__(self, recent: int = 15) -> None:
        self._recent = recent
        self._alike: dict[tuple[str, float, int], deque[float]] = {}
        self._last2 = Last2()

    def predict(self, job: Features) -> float:
        runs = self._alike.get((job.user, job.request, job.procs))
        return bounded(_median(runs), job.request) if runs else self._last2.predict(job)

    def ended(self, job: Features, run: float) -> None:
        alike = (job.user, job.request, job.procs)
        runs = self._alike.setdefault(alike, deque(maxlen=self._recent))
        runs.append(_ran(job, run))
        self._last2.ended(job, run)

    def learnt(self) -> Learnt:
        alike = [(_finite(alike), list(runs)) for alike, runs in self._alike.items()]
        return alike + self._last2.learnt()

    def learn(self, rows: Learnt) -> None:
        alike = [(_whole(whom), runs) for whom, runs in rows if len(whom) > 1]
        self._alike = {whom: deque(runs, maxlen=self._recent) for whom, runs in alike}
        self._last2.learn([row for row in rows if len(row[0]) == 1])


def _finite(whom: Iterable[Any]) -> list[Any]:
    """Without infinity, for `Learnt`."""
    return [None if one == inf else one for one in whom]


def _whole(whom: Iterable[Any]) -> Any:
    """The same, undone."""
    return tuple(inf if one is None else one for one in whom)


def bounded(seconds: float, request: float, least: float = LEAST) -> float:
    """`seconds`, at least `least` and at most the request, which wins."""
    return min(max(least, float(seconds)), request)


def _median(runs: Iterable[float]) -> float:
    ascending = sorted(runs)  # not `statistics`: it brings chance and decimals with it
    middle = len(ascending) // 2
    return (ascending[middle] + ascending[~middle]) / 2


def _ran(job: Features, run: float) -> float:
    """The seconds a job has run as they are remembered: real ones, whatever a log says."""
    return bounded(run, min(job.request, LONGEST), least=0.0)


def corrected(base: float, outrun: int, request: float) -> float:
    """What becomes of the prediction `base` when it is outrun and was corrected `outrun` times
    before: longer by the next of `CORRECTIONS`, at most the request; the request when they are used
    up."""
    if outrun >= len(CORRECTIONS):
        return request
    return min(base + CORRECTIONS[outrun], request)


class Prediction(NamedTuple):
    """One way to predict: a new predictor is made for every queue."""

    name: str
    make: Callable[[], Predictor]
    meaning: str
    source: str


_ROWS: Final = (
    Prediction("request", Requested, "the time limit itself", "the custom of all schedulers"),
    Prediction(
        "last2",
        Last2,
        "mean of the user's last two run times",
        "Tsafrir, Etsion, Feitelson, TPDS 2007",
    ),
    Prediction(
        "ratio",
        RecentRatio,
        "the request times the largest part of it used of late",
        "HPCShell",
    ),
    Prediction(
        "median",
        MedianOfAlike,
        "median of the user's jobs of the same request and size",
        "HPCShell",
    ),
)

PREDICTORS: Final[dict[str, Prediction]] = {row.name: row for row in _ROWS}
"""Every way to predict, by its name."""
