"""Fair share without a tree or a past: how much of their quota a user has not used yet."""

from __future__ import annotations

from typing import Final

from hpcshell.core.records import Record
from hpcshell.policy.checks import check_number


class Quota(Record, frozen=True, kw_only=True):
    """What a user may use, in any units that the usage is counted in. 0: not limited, not counted.

    Raises `Wrong` for what is NaN, infinite or negative.
    """

    cpu: float = 100.0
    memory: float = 1000.0

    def __post_init__(self) -> None:
        check_number("cpu quota", self.cpu)
        check_number("memory quota", self.memory)


class QuotaWeights(Record, frozen=True, kw_only=True):
    """How much cpus and memory count. Raises `Wrong` for what is NaN, infinite or negative."""

    cpu: float = 0.7
    memory: float = 0.3

    def __post_init__(self) -> None:
        check_number("fair-share weight of cpu", self.cpu)
        check_number("fair-share weight of memory", self.memory)


PLAIN: Final = QuotaWeights()


def quota_score(
    cpu_used: float, memory_used: float, quota: Quota, weights: QuotaWeights = PLAIN
) -> float:
    """(1 - cpu_used/quota) * weight + (1 - memory_used/quota) * weight, from 0 to 1: the larger
    goes first. Who is far over one quota may have nothing left of the other."""
    cpu = cpu_used / quota.cpu if quota.cpu > 0 else 0.0
    memory = memory_used / quota.memory if quota.memory > 0 else 0.0
    score = (1.0 - cpu) * weights.cpu + (1.0 - memory) * weights.memory
    return max(0.0, min(1.0, score))
