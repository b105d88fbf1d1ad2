"""Reservations in a replay: whose jobs run in them, as a log does not say.

Whoever may use a reservation does while it is open: a job of theirs that is submitted then, and can
end before it does, is sent into it. What waits there still when it is over, or is let go, waits
like everybody else.
"""

from __future__ import annotations

from msgspec.structs import replace

from hpcshell.core.records import Job
from hpcshell.policy.reserve import Book
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


def released(view: View) -> None:
    """What was sent into a reservation that is there no more waits outside."""
    for one, _ in view.book.lapsed:
        for entry in list(view.queue.jobs.values()):
            if entry.job.reservation == one.name:
                view.put_job(replace(entry.job, reservation=""), entry.waiting)
    view.book.lapsed.clear()
