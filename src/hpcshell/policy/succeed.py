"""Which element may take the place of a run the moment that is over, without another decision.

A start takes a decision, and a decision takes a commit. Where work is brief, most of the machine's
time would go into waiting for them. So the next elements of an array can be decided ahead: they
are to follow its runs, one in the place of another, on the very resources that are given back.

That is allowed only where it comes to the same: nothing that waits goes before the job, ready or
not, and the elements ask for exactly what the run holds. Whoever changes the queue takes them back
first.
"""

from __future__ import annotations

from hpcshell.core.records import Claim
from hpcshell.policy.line import Entry
from hpcshell.policy.room import fits
from hpcshell.policy.view import View


def successor(view: View, claim: Claim) -> int | None:
    """The index of the element that may follow this run; None: what follows has to be decided."""
    entry = view.entry(claim.job)
    if entry is None or entry.place is None or view.queue.foremost() is not entry:
        return None
    if entry.freed is not None or entry.late or entry.job.deadline is not None:
        return None
    index = next(entry.elements(), None)
    if index is None or (index in entry.tasks and entry.tasks[index][0].attempt):
        return None
    return index if _holds_what_it_asks_for(claim, entry) else None


def could_start(view: View, job: int) -> bool:
    """Whether elements of the job that are kept to follow its runs could start beside them."""
    entry = view.entry(job)
    return entry is not None and entry.room() > 0 and fits(entry.shape.need, view.room.free)


def _holds_what_it_asks_for(claim: Claim, entry: Entry) -> bool:
    request = entry.job.request
    return (
        claim.cpus == request.cpus
        and claim.memory == request.memory
        and len(claim.gpus) == request.gpus
        and claim.exclusive == request.exclusive
        and claim.others == request.others
    )
