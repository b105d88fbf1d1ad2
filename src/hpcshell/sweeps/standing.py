"""How a point of a sweep stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hpcshell.core.records import Record
from hpcshell.flow.spec import Params

MISSING: Final = "MISSING"
"""Never submitted, or nothing is left of it."""
UNKNOWN: Final = "UNKNOWN"
"""It was submitted, and whoever has it cannot be asked."""
PRUNED: Final = "PRUNED"
"""A search stopped it early: others did better by then. Nobody runs it again."""
GOOD: Final = frozenset({"COMPLETED", PRUNED})
"""Points about which nothing is left to be done."""
LIVE: Final = frozenset({"PENDING", "RUNNING"})
BAD: Final = frozenset({"FAILED", "TIMEOUT", "OUT_OF_MEMORY", "CANCELLED", "NODE_FAIL"})
"""What `resume` runs again, as it runs what is missing."""


class Standing(Record, frozen=True, kw_only=True):
    """One point. `start` and `end` are Unix seconds; `job` is what `hpc` calls it, on `on`;
    `directory` is its folder."""

    index: int
    id: str
    params: Params
    state: str = MISSING
    exit_code: int | None = None
    start: float | None = None
    end: float | None = None
    job: str = ""
    on: str = ""
    reason: str = ""
    directory: str = ""


def ended_well(counts: Mapping[str, int]) -> int:
    """Points that nothing is left to be done about: a search ends some of them early."""
    return sum(counts.get(state, 0) for state in GOOD)
