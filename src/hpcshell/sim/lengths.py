"""How long runs are taken to take, where nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any, Final

from hpcshell.core.records import Claim, Job
from hpcshell.policy.profile import LATE
from hpcshell.predict.runtimes import PREDICTORS, Features

Lengths = Callable[[Job, int, float | None], float]
"""(job, cpus, its time limit or None) -> the seconds that a run of it is taken to take."""
UNLIMITED: Final = 3600.0
"""Seconds for which what has no time limit is taken to run, unless something else is said."""


def part_of_limit(part: float = 1.0, unlimited: float = UNLIMITED) -> Lengths:
    """Every run takes this part of its time limit; one without a limit `unlimited` seconds."""

    def length(job: Job, cpus: int, limit: float | None) -> float:
        return unlimited if limit is None else limit * part

    return length


def as_before(rows: Iterable[Mapping[str, Any]], unlimited: float = UNLIMITED) -> Lengths:
    """Every run takes as long as those of the same user, limit and cpus that have ended did, by the
    median; else as long as its limit. `rows`: documents of what has ended."""
    predictor = PREDICTORS["median"].make()
    for row in sorted(rows, key=lambda row: row["end_time"] or 0.0):
        if row["start_time"] is not None and row["end_time"] is not None:
            asked = inf if row["time_limit"] is None else row["time_limit"]
            features = Features(row["user"], asked, row["cpus"], row["submit_time"])
            predictor.ended(features, max(0.0, row["end_time"] - row["start_time"]))

    def length(job: Job, cpus: int, limit: float | None) -> float:
        asked = inf if limit is None else limit
        found = predictor.predict(Features(job.user, asked, cpus, job.submit_time))
        return found if found < inf else unlimited

    return length


def assumed_end(claim: Claim, length: float, now: float) -> float:
    """When a run that was found running is over, if it takes `length` seconds.

    One that has taken longer already is given as long again as it has run, and none goes on after
    the latest instant at which it may.
    """
    end = claim.start + claim.paused + length
    if end <= now:
        end = now + max(LATE, now - claim.start - claim.paused)
    if claim.end is not None:
        end = min(end, claim.end) if claim.end > now else now + LATE
    return end
