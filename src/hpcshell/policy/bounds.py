"""Whose jobs count towards which limits: the counters of a view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from operator import le

from hpcshell.core.records import Job, Reason, Request
from hpcshell.policy.limits import Claimant, Throttle
from hpcshell.policy.room import Room

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

    def never(self, room: Room, *jobs: Job) -> Reason | None:
        """The limit for which a job can never start in the room, or these all together;
        None: there is none."""
        asked = (self.claimant(job, room.held_by(job.request)) for job in jobs)
        return self.throttle.never(*asked)

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


class Allowance:
    """What the limits let start in one decision. The counters of the view stay as they are.

    While a decision goes on more and more is held, so that who has been refused stays refused, and
    so does whoever asks for as much on the same account.
    """

    def __init__(self, bounds: Bounds | None) -> None:
        self._throttle = None if bounds is None else bounds.throttle
        self._own = False
        self._least: dict[tuple[object, ...], tuple[float, ...]] = {}

    def refused(self, claimant: Claimant | None) -> bool:
        """Whether that is known without asking; not to be known means nothing."""
        if claimant is None or not self._least:
            return False
        least = self._least.get(_account(claimant))
        return least is not None and all(map(le, least, _amounts(claimant.request)))

    def allows(self, claimant: Claimant | None) -> Reason | None:
        """Why it may not start; None: it may."""
        if self._throttle is None or claimant is None:
            return None
        reason = self._throttle.allows(claimant)
        if reason is not None and not self.refused(claimant):
            self._least[_account(claimant)] = _amounts(claimant.request)
        return reason

    def allow_all(self, claimants: Sequence[Claimant | None]) -> Reason | None:
        """Why they may not start together; None: they may."""
        if len(claimants) == 1:
            return self.allows(claimants[0])
        return None if self._throttle is None else self._throttle.allow_all(claimants)

    def add(self, claimant: Claimant | None) -> None:
        """It starts."""
        if self._throttle is None or claimant is None:
            return
        if not self._own:
            self._throttle, self._own = self._throttle.copy(), True
        self._throttle.add(claimant)


def _account(claimant: Claimant) -> tuple[object, ...]:
    """Those for whom the same limits count have the same."""
    return (claimant.user, claimant.accounts, claimant.qos, claimant.partition)


def _amounts(request: Request) -> tuple[float, ...]:
    limit = inf if request.time_limit is None else request.time_limit
    return (request.cpus, request.memory, request.gpu_hundredths, limit)
