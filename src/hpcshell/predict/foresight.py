"""A predictor as the decider asks for one: jobs and requests in, expected seconds out."""

from __future__ import annotations

from math import inf, isfinite

from hpcshell.core.records import Job, Request
from hpcshell.predict.runtimes import Features, Predictor, corrected


class Foreseen:
    """Expects of each run what the predictor says, and, when that is outrun, ever more, up to the
    limit. (`policy.regime.Foresight` is what it serves.)"""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def length(self, job: Job, request: Request) -> float | None:
        """Seconds; None: for ever, as far as is known."""
        return _finite(self._predictor.predict(features(job, request)))

    def longer(self, length: float, times: int, limit: float | None) -> float | None:
        """Of a run that has outrun `length`, corrected so many times before."""
        return _finite(corrected(length, times, inf if limit is None else limit))

    def ended(self, job: Job, request: Request, run: float) -> None:
        """It has run so many seconds."""
        self._predictor.ended(features(job, request), run)


def features(job: Job, request: Request) -> Features:
    """What a predictor goes by."""
    limit = inf if request.time_limit is None else request.time_limit
    return Features(job.user, limit, request.cpus, job.submit_time)


def _finite(seconds: float) -> float | None:
    return seconds if isfinite(seconds) else None
