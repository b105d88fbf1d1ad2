"""The runs of a view as they go: when each is over, what is left of one that stands still, and what
each has held from when to when.

Whoever plays a queue forward and whoever replays a log have their runs begin, stand still, go on
and leave through the same calls; each is told the time, and tells the view.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from hpcshell.core.records import Claim
from hpcshell.policy.plan import Preempt
from hpcshell.policy.view import View


class Span(NamedTuple):
    """A run of `job` held so many cpus from `start` to `end`."""

    start: float
    end: float
    cpus: int
    job: int


class Bouts:
    """See the module. `due`: when each run is over that does not stand still; `rest`: the seconds
    that each that does takes once it goes on; `spans`: what has been held, `open`: what is, without
    an end yet. Not `counting`: nobody wants to know the spans."""

    def __init__(self, view: View, *, counting: bool = True) -> None:
        self.view = view
        self.due: dict[int, float] = {}
        self.rest: dict[int, float] = {}
        self.spans: list[Span] = []
        self._counting = counting
        self.open: dict[int, Span] = {}
        self._agenda: list[tuple[float, int]] = []

    # -- time ------------------------------------------------------------------------------------

    def next(self) -> float | None:
        """When the next run is over; None: none is."""
        while self._agenda and self.due.get(self._agenda[0][1]) != self._agenda[0][0]:
            heapq.heappop(self._agenda)
        return self._agenda[0][0] if self._agenda else None

    def over(self, now: float) -> Iterator[int]:
        """The runs that are over by now, in the order of their ends. Each is to leave."""
        while (end := self.next()) is not None and end <= now:
            yield heapq.heappop(self._agenda)[1]

    def end_at(self, run: int, end: float) -> None:
        """The run is over then, whatever was said before."""
        self.due[run] = end
        if end < inf:
            heapq.heappush(self._agenda, (end, run))

    # -- runs ------------------------------------------------------------------------------------

    def begin(self, claim: Claim, end: float) -> None:
        """A run starts, and is over at `end`."""
        self.view.claim(claim)
        self.found(claim, claim.start, end)

    def found(self, claim: Claim, since: float, end: float) -> None:
        """A run of which the view knows is counted since then."""
        self.open[claim.run] = Span(since, inf, claim.cpus, claim.job)
        self.end_at(claim.run, end)

    def leave(self, run: int, now: float) -> Claim | None:
        """The run holds nothing any more: what it held, if the view still knew."""
        claim = self.view.claims.get(run)
        self._close(run, now)
        self.due.pop(run, None)
        self.rest.pop(run, None)
        self.view.release(run)
        return claim

    def go_on(self, run: int, now: float) -> Claim:
        """A run that stood still goes on."""
        claim = self.view.resume(run, now)
        self.found(claim, now, now + self.rest.pop(run))
        return claim

    def make_room(self, one: Preempt, now: float) -> Claim | None:
        """A run is preempted, at once: it stands still, to go on in its turn, or it has left; then
        what it held, for it to be put back into the queue, or ended."""
        claim = self.view.claims.get(one.run)
        if claim is None or claim.suspended is not None:
            return None
        if one.mode != "suspend":
            return self.leave(one.run, now)
        self._close(one.run, now)
        self.rest[one.run] = self.due.pop(one.run) - now
        self.view.suspend(one.run, now)
        self.view.wake(one.run)
        return None

    def _close(self, run: int, now: float) -> None:
        """What it has held until now is a span."""
        span = self.open.pop(run, None)
        if span is not None and self._counting:
            self.spans.append(span._replace(end=now))
