"""Reservations in a replay: whose jobs run in them, as a log does not say.

Whoever may use a reservation does while it is open: a job of theirs that is submitted then, and can
end before it does, is sent into it. What waits there still when it is over, or is let go, waits
like everybody else.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from hpcshell.core.records import Job, Record
from hpcshell.policy.reserve import Book, Reservation
from hpcshell.policy.room import Room
from hpcshell.policy.view import View


def sent_in(book: Book, room: Room, job: Job, now: float) -> Job:
    """The job, into the first open reservation that it may use and fits into, if there is any. A
    gang goes into none: its members may not all be of those who may."""
    for one in book.known.values() if job.gang is None else ():
        if one.start <= now and one.admits(job.user, job.account):
            need = room.need(job.request)
            if book.meets(one, need, job.request.time_limit, now):
                return replace(job, reservation=one.name)
    return job


class Use(Record, frozen=True, kw_only=True):
    """How many jobs ran in a reservation, and when it was let go, unused: None, if it was not."""

    name: str
    jobs: int
    let_go: float | None


class Uses:
    """What becomes of the reservations that are for somebody, in their order."""

    def __init__(self, reservations: Iterable[Reservation]) -> None:
        whose = [one for one in reservations if one.users or one.accounts]
        self._jobs: dict[str, set[int]] = {one.name: set() for one in whose}
        self._let_go: dict[str, float] = {}

    def began(self, reservation: str, job: int) -> None:
        """That job, by its place, begins a run in the reservation; "": in none."""
        if reservation:
            self._jobs[reservation].add(job)

    def released(self, view: View, now: float) -> None:
        """What was sent into a reservation that is there no more waits outside."""
        for one, _ in view.book.lapsed:
            if now < one.end:
                self._let_go[one.name] = now
            for entry in list(view.queue.jobs.values()):
                if entry.job.reservation == one.name:
                    view.put_job(replace(entry.job, reservation=""), entry.waiting)
        view.book.lapsed.clear()

    def told(self) -> tuple[Use, ...]:
        """All of them."""
        return tuple(
            Use(name=name, jobs=len(jobs), let_go=self._let_go.get(name))
            for name, jobs in self._jobs.items()
        )
