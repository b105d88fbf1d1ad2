"""What a site makes of jobs: who goes first, how long each is expected to take.

The view asks: a rank when a job is put (and again whenever `rerank` is called, where ranks change
with time), a length when a request is met. A rank is any number; the smaller goes first, ties go by
job id (the order of submission).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from hpcshell.core.records import Job, Request

if TYPE_CHECKING:
    from hpcshell.policy.bounds import Bounds
    from hpcshell.policy.ledger import Ledger
    from hpcshell.policy.line import Shape
    from hpcshell.policy.multifactor import Row
    from hpcshell.policy.preempt import Rights
    from hpcshell.policy.sharing import Sharing

Rank = Callable[[Job, float | None, float], float]
"""(job, the seconds it is expected to take, now) -> the smaller goes first."""
Rows = Callable[[Job, "float | None", float], "Iterator[Row]"]
"""As `Rank`, but what the rank comes from."""
Fill = Callable[["Shape"], float]
"""What puts those that may pass the first in line in an order of their own; smaller first."""


class Foresight(Protocol):
    """How long runs are expected to take, in seconds; None: for ever. The limit stays the limit."""

    def typical(self, job: Job, request: Request) -> float | None:
        """What the job is put in order by, as far as is known now."""

    def length(self, job: Job, request: Request) -> float | None:
        """What promises rest on, as far as is known now."""

    def longer(self, first: float, lasted: float, times: int, limit: float | None) -> float | None:
        """Of a run of which `first` was expected, and that has `lasted` longer than what was
        expected last, having outrun its expectations so many times before."""

    def ended(self, job: Job, request: Request, run: float) -> None:
        """It has run so many seconds: the next expectations may be better."""


class Requested:
    """Expect every run to take as long as it may."""

    def typical(self, job: Job, request: Request) -> float | None:
        return request.time_limit

    def length(self, job: Job, request: Request) -> float | None:
        return request.time_limit

    def longer(self, first: float, lasted: float, times: int, limit: float | None) -> float | None:
        return limit

    def ended(self, job: Job, request: Request, run: float) -> None:
        pass


def by_priority(job: Job, length: float | None = None, now: float = 0.0) -> float:
    """Highest priority first, made smaller by `nice`."""
    return job.nice - job.priority


class Regime(NamedTuple):
    """`timely`: ranks change with time, or with what happens to others, and are to be asked for
    again. Those that may pass the first in line are looked at in its order, unless there is a
    `fill` or, of each job by itself, a rank that it `passes` by (for the owner to ask for again,
    with `queue.repass`, where it changes with time). `ledger` is told by the view of what runs;
    `rows`: what the rank of a job comes from."""

    rank: Rank = by_priority
    timely: bool = False
    fill: Fill | None = None
    foresight: Foresight = Requested()
    bounds: Bounds | None = None
    rights: Rights | None = None
    sharing: Sharing | None = None
    ledger: Ledger | None = None
    rows: Rows | None = None
    passes: Rank | None = None

    @property
    def preempting(self) -> bool:
        """Whether anything that runs may have to make room."""
        return self.rights is not None or self.sharing is not None
