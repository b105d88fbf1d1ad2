"""When runs are expected to end, where that is not the latest instant at which they may.

A run that is still there when it was expected to have ended is expected later, again and again, and
in the end at its limit. All that is decided rests on these ends; what a run may hold does not.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

from hpcshell.core.records import Claim, Job, Request
from hpcshell.policy.regime import Foresight


class Expected(NamedTuple):
    """Of a run: `length` seconds, having outrun so many shorter lengths than the first."""

    claim: Claim
    job: Job
    request: Request
    first: float
    length: float
    times: int = 0

    @property
    def end(self) -> float:
        return self.claim.start + self.claim.paused + self.length


class Outlook:
    """The expectations of all runs that have any but their limit, told of each by the view."""

    def __init__(self, foresight: Foresight) -> None:
        self._foresight = foresight
        self._expected: dict[int, Expected] = {}
        self._alarms: list[tuple[float, int]] = []

    def began(self, claim: Claim, job: Job, request: Request, length: float | None) -> None:
        """A run has begun that is expected to take so long."""
        if length is not None and length != request.time_limit:
            self._expect(claim.run, Expected(claim, job, request, length, length))

    def changed(self, claim: Claim) -> None:
        """The run goes on after having been suspended, or holds something else."""
        if (known := self._expected.get(claim.run)) is not None:
            self._expect(claim.run, known._replace(claim=claim))

    def over(self, run: int) -> None:
        """The run has ended."""
        self._expected.pop(run, None)

    def end_of(self, claim: Claim) -> float | None:
        """When a run is expected to end; None: nobody knows."""
        known = self._expected.get(claim.run)
        if claim.suspended is not None:
            return None
        return claim.end if known is None else known.end

    def advance(self, now: float) -> None:
        """What was to have ended by now, and has not, is expected later."""
        while (time := self.next_wake()) is not None and time <= now:
            _, run = heapq.heappop(self._alarms)
            self._later(run, self._expected[run], now)

    def next_wake(self) -> float | None:
        """When `advance` has something to do next."""
        while self._alarms and not self._rings(*self._alarms[0]):
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def _rings(self, time: float, run: int) -> bool:
        """Whether an alarm still means something."""
        known = self._expected.get(run)
        return known is not None and known.end == time and known.claim.suspended is None

    def _later(self, run: int, known: Expected, now: float) -> None:
        limit = known.request.time_limit
        lasted = now - known.claim.start - known.claim.paused
        length = self._foresight.longer(known.first, lasted, known.times, limit)
        if length is None or length == limit:
            del self._expected[run]
        elif length > known.length:
            self._expect(run, known._replace(length=length, times=known.times + 1))

    def _expect(self, run: int, known: Expected) -> None:
        self._expected[run] = known
        heapq.heappush(self._alarms, (known.end, run))
