"""Jobs that share the machine in time: each group runs for a slice, then makes room for the next.

Time-sliced gang scheduling (Ousterhout 1982; Feitelson, Jette, "Improved utilization and
responsiveness with gang scheduling", JSSPP 1997; Slurm's OverSubscribe=FORCE). Among jobs of the
same rank whoever has waited longest goes first, since it was submitted or since it was last
suspended, and so the groups take turns. What stands still keeps its memory and its gpus: only as
much can take turns as fits into these.
"""

from __future__ import annotations

from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Job, Record

SHORTEST: Final = 1.0
"""Seconds of a slice."""
_INSTANTS: Final = 1e10
"""An instant divided by this is less than one step of a rank."""
_BEHIND: Final = 0.1
"""Seconds; the smallest that every rank can tell from nothing."""


class Sharing(Record, frozen=True, kw_only=True):
    """Jobs of these partitions take turns of `slice` seconds. Raises `Wrong` for a slice of
    nothing."""

    slice: float
    partitions: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.slice >= SHORTEST:
            raise Wrong(
                f"scheduler.time_slice: a slice of {self.slice:g} seconds",
                f"give {SHORTEST:g} s or more: every turn is recorded",
            )

    def shares(self, job: Job) -> bool:
        """Whether the job takes turns with others."""
        return job.partition in self.partitions

    def rank(self, job: Job, rank: float) -> float:
        """The rank of a job as it waits to begin: of equals, whether they share or not, the oldest
        goes first."""
        return rank + job.submit_time / _INSTANTS

    def later(self, job: Job, rank: float, since: float) -> float:
        """The same once it has been suspended: behind whoever came by then, for whom it may be."""
        waited = since + _BEHIND - job.submit_time
        return rank + waited / _INSTANTS if self.shares(job) else rank
