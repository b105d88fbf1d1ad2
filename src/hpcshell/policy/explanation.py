"""What is said of something that waits."""

from __future__ import annotations

from hpcshell.core.records import Reason, Record


class Bound(Record, frozen=True, kw_only=True):
    """One end of the interval in which an element starts, and what it rests on."""

    start: float
    why: str


class Sooner(Record, frozen=True, kw_only=True):
    """With these options it would start at `start` instead of `now` (None: nobody knows when)."""

    options: str
    start: float
    now: float | None = None


class Blocker(Record, frozen=True, kw_only=True):
    """A job (or one element of it) that stands in the way, and how. `until`: when it ends at the
    latest."""

    id: int
    element: int | None = None
    why: str = ""
    until: float | None = None


class Explanation(Record, frozen=True, kw_only=True):
    """`reason` is the first of `reasons`.

    `start` is when it starts: no later than that if `promised`, else an estimate; None when nobody
    can know. `why` says where the figure comes from, or why there is none. `earliest` and `latest`
    are the ends of the interval in which it starts, each with what it rests on; `change` is the
    smallest one with which it would start noticeably sooner.
    """

    reason: Reason
    reasons: tuple[Reason, ...]
    start: float | None = None
    promised: bool = False
    why: str = ""
    blockers: tuple[Blocker, ...] = ()
    advice: str = ""
    earliest: Bound | None = None
    latest: Bound | None = None
    change: Sooner | None = None
