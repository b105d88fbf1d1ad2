"""What may take the place of a run the moment that is over, without another decision.

A start takes a decision, and a decision takes a commit. Where work is brief, most of the machine's
time would go into waiting for them. So what comes next can be decided ahead: it is to follow the
run, in its place, on the very resources that are given back.

That is allowed only where it comes to the same: nothing that waits goes before it, ready or not,
and it asks for exactly what the run holds. It is the next element of the same array, or a job that
waits for nothing but the run's own to end well.
"""

from __future__ import annotations

from hpcshell.core.records import NO_INDEX, Claim, Dependency, Record, Request, Task
from hpcshell.policy.line import Entry
from hpcshell.policy.queue import Queue
from hpcshell.policy.room import cards_held
from hpcshell.policy.view import View


class Successor(Record, frozen=True):
    """An element that may follow; with `if_ok` only a run that ends well."""

    job: int
    index: int
    if_ok: bool = False


def successor(view: View, claim: Claim) -> Successor | None:
    """Who may follow this run; None: what follows has to be decided. Where parts of the machine are
    set apart it matters when, so nobody follows anybody."""
    if view.closed or view.book.known:
        return None
    entry = view.queue.foremost()
    if entry is None or entry.job.gang is not None or view.book.known:
        return None  # it may not start alone, or not run for as long as it might
    if entry.late or entry.job.deadline is not None or _shrunk(view, claim):
        return None
    if claim.suspended is not None or not _holds_what_it_asks_for(claim, entry):
        return None
    if entry.job.id == claim.job:
        return _next_element(entry)
    regime = view.queue.regime
    if regime.timely or regime.bounds is not None or regime.preempting:
        return None  # who goes first, or may go at all, can be another by then
    return _child(view.queue, entry, claim.job)


def to_be_taken_back(view: View, job: int) -> bool:
    """Whether what is to follow a run of the job should be decided about after all: something goes
    before it now, it could start beside that run, or there is less of the machine than is held."""
    entry, first = view.entry(job), view.queue.foremost()
    if entry is None:
        return False
    if min(view.room.free) < 0 or view.closed or view.book.known:
        return True
    if view.room.closed and entry.job.request.gpu_hundredths:
        return True
    if first is not None and (first.rank, first.job.id) < (entry.rank, job):
        return True
    open_ = entry.gate <= view.queue.gates.clock and entry.room() > 0
    return open_ and entry.shape.taken(view.room.free) is not None


def _shrunk(view: View, claim: Claim) -> bool:
    """Whether the machine has become too small for what it runs, or a card of it takes no new
    work: nothing is handed on of that."""
    closed, number = view.room.closed, view.total.gpus
    gone = any(gpu >= number or gpu in closed for gpu in cards_held(claim))
    return gone or min(view.room.free) < 0


def _next_element(entry: Entry) -> Successor | None:
    """The one that would be next, if it has never begun."""
    if entry.place is None or entry.freed is not None:
        return None
    index = next(entry.elements(), None)
    if index is None or not _fresh(entry, index):
        return None
    return Successor(entry.job.id, index)


def _child(queue: Queue, entry: Entry, parent: int) -> Successor | None:
    """The job itself, if the end of its parent, both without elements, is all that it lacks."""
    job, known = entry.job, queue.jobs.get(parent)
    if known is None or known.job.array is not None or job.array is not None:
        return None
    if job.held or job.begin > queue.gates.clock or job.dependencies is None:
        return None
    if not _fresh(entry, NO_INDEX):
        return None
    if job.dependencies.terms != (Dependency(kind="afterok", job=parent),):
        return None  # after any other end but a good one the parent may be tried again
    return Successor(job.id, NO_INDEX, if_ok=True)


def _fresh(entry: Entry, index: int) -> bool:
    """Whether the element has never begun, and nothing is said of it alone."""
    held = entry.tasks.get(index)
    return held is None or held[0] == Task(job=entry.job.id, index=index)


def _holds_what_it_asks_for(claim: Claim, entry: Entry) -> bool:
    request = entry.job.request
    return (
        entry.shape.need is not None
        and claim.cpus == request.cpus
        and claim.memory == request.memory
        and len(claim.gpus) == request.gpus
        and sum(share for _, share in claim.shared) == request.gpu_share
        and claim.exclusive == request.exclusive
        and claim.others == request.others
        and (entry.job.id == claim.job or not _names_cards(request))
    )


def _names_cards(request: Request) -> bool:
    """Whether not every card will do, so that those of another job may not."""
    return bool(request.gpu_type or request.gpus_allowed or request.gpu_mem)
