"""What a predictor expects, as the decider asks for it."""

from __future__ import annotations

from math import inf

from hpcshell.core.records import Job, Request
from hpcshell.predict.runtimes import Features, Learnt, Predictor, corrected


class Predicted:
    """A `policy.regime.Foresight` that goes by a predictor and its corrections."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def typical(self, job: Job, request: Request) -> float | None:
        """As `length`."""
        return self.length(job, request)

    def length(self, job: Job, request: Request) -> float | None:
        """Seconds; None where even the predictor knows of no end."""
        return _finite(self._predictor.predict(features(job, request)))

    def longer(self, first: float, lasted: float, times: int, limit: float | None) -> float | None:
        """The correction of what was first expected, at most the limit."""
        return _finite(corrected(first, times, inf if limit is None else limit))

    def ended(self, job: Job, request: Request, run: float) -> None:
        """The predictor learns of it."""
        self._predictor.ended(features(job, request), run)

    def learnt(self) -> Learnt:
        return self._predictor.learnt()

    def learn(self, rows: Learnt) -> None:
        self._predictor.learn(rows)


def features(job: Job, request: Request) -> Features:
    """What is known of a job that asks for this when it is submitted."""
    limit = inf if request.time_limit is None else request.time_limit
    return Features(job.user, limit, request.cpus, job.submit_time)


def _finite(seconds: float) -> float | None:
    return None if seconds == inf else seconds
