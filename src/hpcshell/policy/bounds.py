"""Whose jobs count towards which limits: the counters of a view."""

from __future__ import annotations

from collections.abc import Callable

from hpcshell.core.records import Job, Request
from hpcshell.policy.limits import Claimant, Throttle

Lineage = Callable[[str], tuple[str, ...]]
"""An account -> itself and those above it."""


class Bounds:
    """Counts what waits and runs, element by element, for the limits of `throttle`."""

    def __init__(self, throttle: Throttle, lineage: Lineage = lambda account: (account,)) -> None:
        self.throttle = throttle
        self._lineage = lineage
        self._running: dict[int, Claimant] = {}
        self._submitted: dict[int, tuple[Claimant, int]] = {}

    def claimant(self, job: Job, request: Request) -> Claimant:
        """Whose request it is."""
        return Claimant(
            user=job.user,
            accounts=self._lineage(job.account) if job.account else (),
            qos=job.qos,
            partition=job.partition,
            request=request,
        )

    def submitted(self, job: Job, elements: int) -> None:
        """So many elements of the job are live."""
        self.forgotten(job.id)
        claimant = self.claimant(job, job.request)
        self.throttle.enter(claimant, elements)
        self._submitted[job.id] = (claimant, elements)

    def over(self, job: int, elements: int) -> None:
        """So many fewer of them are."""
        known = self._submitted.get(job)
        if known is not None:
            gone = min(elements, known[1])
            self.throttle.leave(known[0], gone)
            self._submitted[job] = (known[0], known[1] - gone)

    def forgotten(self, job: int) -> None:
        """The job is live no more."""
        known = self._submitted.pop(job, None)
        if known is not None:
            self.throttle.leave(known[0], known[1])

    def began(self, run: int, claimant: Claimant) -> None:
        self.throttle.add(claimant)
        self._running[run] = claimant

    def ended(self, run: int) -> None:
        claimant = self._running.pop(run, None)
        if claimant is not None:
            self.throttle.remove(claimant)


class Settled(Bounds):
    """The counts of another as they are, of which nothing that is told changes any more."""

    def __init__(self, other: Bounds) -> None:
        super().__init__(other.throttle.copy(), other._lineage)

    def submitted(self, job: Job, elements: int) -> None:
        pass

    def over(self, job: int, elements: int) -> None:
        pass

    def forgotten(self, job: int) -> None:
        pass

    def began(self, run: int, claimant: Claimant) -> None:
        pass

    def ended(self, run: int) -> None:
        pass
