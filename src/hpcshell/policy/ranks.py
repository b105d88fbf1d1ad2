"""Every order that a configuration can name, as the ranks of jobs and as rows that explain them.

An order is asked for a `rank` (the smaller goes first) and for `rows`, which show a person what it
came from. `timely`: ranks change with time or with what others do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import copysign, log2
from sys import float_info
from typing import Final, Protocol

from hpcshell.core.records import Job, Resources
from hpcshell.core.settings import Settings
from hpcshell.core.units import DAY, HOUR
from hpcshell.policy.formulas import Order
from hpcshell.policy.ledger import Ledger
from hpcshell.policy.levels import Ageing, Level
from hpcshell.policy.multifactor import (
    Factors,
    Row,
    Weights,
    age_factor,
    size_factor,
    standing_factor,
    tres_factors,
)
from hpcshell.policy.quota import Quota, QuotaWeights, quota_score
from hpcshell.policy.reasons import figures
from hpcshell.policy.regime import Rank, by_priority

UNLIMITED: Final = 365 * DAY
"""Seconds that a job without a time limit counts as: longer than any other."""
BANDS: Final = ((900, Level.CRITICAL), (700, Level.HIGH), (300, Level.NORMAL))
"""From which priority on a job is of which level; below, of the lowest."""
STEP: Final = 1e12
"""What lies between two steps: so small that ranks keep their milliseconds."""
SHORT_STEP: Final = 1e4
"""The same where jobs take turns: by less than a part in 1e10 of a rank."""
_PLAIN: Final = 0.4
"""Up to this part of a step ranks are as they are."""
_DOUBLINGS: Final = 1100
"""More than any number can be doubled."""
_TIE: Final = 1e-12
"""What a point of priority is worth where a fair share is all else: it only breaks ties."""


class Ranking(Protocol):
    """One order."""

    timely: bool

    def rank(self, job: Job, length: float | None, now: float) -> float: ...

    def rows(self, job: Job, length: float | None, now: float) -> Iterator[Row]: ...


class ByPriority:
    """The job's own priority, those of its partition and QOS added, less `nice`."""

    timely = False
    rank = staticmethod(by_priority)

    def rows(self, job: Job, length: float | None, now: float) -> Iterator[Row]:
        yield Row("priority", float(job.priority), 1.0, float(job.priority))
        yield nice_row(job)


class ByLevel:
    """Four levels by bands of the priority, and ageing."""

    timely = False

    def __init__(self, ageing: Ageing) -> None:
        self._ageing = ageing

    def rank(self, job: Job, length: float | None, now: float) -> float:
        rank = self._ageing.rank(level_of(job.priority), job.submit_time)
        # `nice` gives up seconds of waiting; without ageing it only tells equal levels apart.
        return rank + (job.nice if self._ageing.boost else job.nice / 2**33)

    def rows(self, job: Job, length: float | None, now: float) -> Iterator[Row]:
        level, boost = level_of(job.priority), self._ageing.boost
        above = float(Level.LOW - level)
        yield Row("level", above, 1.0, above)
        climbed = level - self._ageing.level_at(level, job.submit_time, now)
        # In hours, as far as they have moved it: at the top it climbs no further.
        hours = climbed / boost if boost else max(0.0, now - job.submit_time) / HOUR
        yield Row("age", hours, boost, climbed)


class ByFormula:
    """A formula of the run time, the processors, the submission and the wait."""

    def __init__(self, order: Order, origin: float) -> None:
        self.timely = order.ages
        self._order = order
        self._origin = origin

    def rank(self, job: Job, length: float | None, now: float) -> float:
        run = UNLIMITED if length is None else length
        submit = job.submit_time
        return self._order.score(run, job.request.cpus, submit - self._origin, now - submit)

    def rows(self, job: Job, length: float | None, now: float) -> Iterator[Row]:
        score = self.rank(job, length, now)
        yield Row(self._order.name, score, -1.0, -score)


class ByFairShare:
    """Who has used less than their share goes first."""

    timely = True

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def rank(self, job: Job, length: float | None, now: float) -> float:
        return by_priority(job) * _TIE - self._ledger.factor(job.user, job.account)

    def rows(self, job: Job, length: float | None, now: float) -> Iterator[Row]:
        factor = self._ledger.factor(job.user, job.account)
        yield Row("fairshare", factor, 1.0, factor)


class ByQuota:
    """Who holds least of their quota goes first; memory in GiB."""

    timely = True

    def __init__(self, ledger: Ledger, quota: Quota, weights: QuotaWeights) -> None:
        self._ledger = ledger
        self._quota = quota
        self._weights = weights

    def score(self, user: str) -> float:
        """From 0 to 1, the larger goes first."""
        return quota_score(*self._held(user), self._quota, self._weights)

    def _held(self, user: str) -> tuple[float, float]:
        """Cpus and GiB."""
        cpus, memory = self._ledger.held(user)
        return float(cpus), memory / 2**30

    def rank(self, job: Job, length: float | None, now: float) -> float:
        return by_priority(job) * _TIE - self.score(job.user)

    def rows(self, job: Job, length: float | None, now: float) -> Iterator[Row]:
        cpus, memory = self._held(job.user)
        yield Row("cpus", cpus / (self._quota.cpu or 1.0), self._weights.cpu, 0.0)
        yield Row("memory", memory / (self._quota.memory or 1.0), self._weights.memory, 0.0)
        yield Row("quota", self.score(job.user), 1.0, self.score(job.user))


class ByFactors:
    """The weighted sum of factors. `base`: the priority that counts as none, by partition and QOS;
    what a job's own is above it counts as it is (`site`)."""

    def __init__(
        self, weights: Weights, ledger: Ledger, total: Resources, settings: Settings
    ) -> None:
        self.timely = bool(weights.age or weights.fairshare)
        self.weights = weights
        self._ledger = ledger
        self._total = figures(total)
        self._base = settings.defaults.priority
        self._partitions = {name: one.priority for name, one in settings.partitions.items()}
        self._qos = {name: one.priority for name, one in settings.qos.items()}

    def factors(self, job: Job, now: float) -> Factors:
        """The factors of a job, each from 0 to 1."""
        partition = self._partitions.get(job.partition, 0)
        qos = self._qos.get(job.qos, 0)
        request, weights = job.request, self.weights
        waited = now - max(job.submit_time, job.begin)
        cpus = self._total.get("cpus", 0)
        return Factors(
            age=age_factor(waited, weights.max_age),
            fairshare=self._ledger.factor(job.user, job.account),
            size=size_factor(request.cpus, cpus, favor_small=weights.favor_small),
            partition=standing_factor(partition, _highest(self._partitions)),
            qos=standing_factor(qos, _highest(self._qos)),
            tres=tres_factors(figures(request), self._total) if weights.tres else {},
            site=job.priority - self._base - partition - qos,
            nice=job.nice,
        )

    def rank(self, job: Job, length: float | None, now: float) -> float:
        return -self.factors(job, now).priority(self.weights)

    def rows(self, job: Job, length: float | None, now: float) -> Iterator[Row]:
        return self.factors(job, now).rows(self.weights)


def level_of(priority: int) -> Level:
    """The level that a job of this priority is of."""
    return next((level for least, level in BANDS if priority >= least), Level.LOW)


def nice_row(job: Job) -> Row:
    """What `nice` takes away."""
    return Row("nice", float(job.nice), -1.0, -float(job.nice))


def _highest(priorities: Mapping[str, int]) -> float:
    return max(priorities.values(), default=0)


def stepped(rank: Rank, step: Callable[[Job], int], size: float = STEP) -> Rank:
    """The ranks, all jobs of a higher step before all of a lower one."""
    return lambda job, length, now: squeezed(rank(job, length, now), size) - step(job) * size


def squeezed(rank: float, size: float) -> float:
    """The rank as it is, or one that keeps its place among others where it is very large: any two
    are less than `size` apart."""
    most = _PLAIN * size
    if -most <= rank <= most:
        return rank
    large = min(abs(rank), float_info.max)
    return copysign(most + log2(large / most) / _DOUBLINGS * (0.5 - _PLAIN) * size, rank)
