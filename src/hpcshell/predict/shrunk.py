"""How much of its request a job will use, from those most like it: a prediction that never jumps.

For a user, for a user and a request, and for these and a number of processors, the ratio of run
time to request of the jobs that have ended is kept as a faded mean. The mean of the narrower class
is drawn to that of the wider one as if that had been seen once more, and the widest to 1, the
request itself (empirical Bayes shrinkage; Efron, Morris, "Stein's paradox in statistics",
Scientific American 1977). With one job of a kind it is halfway to what that job used; with many it
is their recent mean; with none it is what the user's others use.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil, inf, isfinite
from typing import Final

from hpcshell.core.records import Job, Request
from hpcshell.predict.foresight import features
from hpcshell.predict.runtimes import Features, Learnt

FADES: Final = 0.9
"""What an ended run still counts after the next one of its class."""
LEAST: Final = 10.0
"""Seconds: the least that is predicted; below it slowdowns mean nothing."""
MARGIN: Final = 2.0
"""A run is expected to be over after so many times its prediction; and, if it is not, after so many
times what it has lasted; never after its request."""


class Shrunk:
    """A `runtimes.Predictor`; the predictions of waiting jobs change as others end."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[float, float]] = {}

    def predict(self, job: Features) -> float:
        """Seconds, LEAST at least; the request where there is none to take a part of."""
        if not isfinite(job.request):
            return job.request
        ratio = 1.0
        for key in _classes(job):
            total, count = self._known.get(key, (0.0, 0.0))
            ratio = (total + ratio) / (count + 1.0)
        return max(LEAST, ratio * job.request)

    def ended(self, job: Features, run: float) -> None:
        if not isfinite(job.request) or job.request <= 0:
            return
        ratio = min(run, job.request) / job.request
        for key in _classes(job):
            total, count = self._known.get(key, (0.0, 0.0))
            self._known[key] = (total * FADES + ratio, count * FADES + 1.0)

    def learnt(self) -> Learnt:
        """As all of them: of each class its mean and how much that counts."""
        return [
            (list(key) if isinstance(key, tuple) else [key], list(seen))
            for key, seen in self._known.items()
        ]

    def learn(self, rows: Learnt) -> None:
        self._known = {
            (tuple(key) if len(key) > 1 else key[0]): (total, count) for key, (total, count) in rows
        }


class ShrunkForesight:
    """A `policy.regime.Foresight`: put in order by the prediction, promised by twice that."""

    def __init__(self) -> None:
        self._predictor = Shrunk()

    def typical(self, job: Job, request: Request) -> float | None:
        seconds = self._predictor.predict(features(job, request))
        return None if seconds == inf else seconds

    def length(self, job: Job, request: Request) -> float | None:
        seconds, limit = self.typical(job, request), request.time_limit
        if seconds is None or limit is None:
            return None
        return max(1.0, min(limit, float(ceil(MARGIN * seconds))))

    def longer(self, first: float, lasted: float, times: int, limit: float | None) -> float | None:
        return limit if limit is None else min(limit, float(ceil(MARGIN * lasted)))

    def ended(self, job: Job, request: Request, run: float) -> None:
        self._predictor.ended(features(job, request), run)

    def learnt(self) -> Learnt:
        return self._predictor.learnt()

    def learn(self, rows: Learnt) -> None:
        self._predictor.learn(rows)


def _classes(job: Features) -> tuple[Hashable, ...]:
    """From wide to narrow."""
    user, request, procs = job.user, job.request, job.procs
    return (user, (user, request), (user, request, procs))
