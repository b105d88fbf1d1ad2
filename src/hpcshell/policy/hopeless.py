"""What waits and can never start any more: for a dependency, or for its deadline."""

from __future__ import annotations

from collections.abc import Iterator

from hpcshell.core.records import Outcome
from hpcshell.policy.gates import ALL
from hpcshell.policy.line import Entry
from hpcshell.policy.queue import Queue
from hpcshell.policy.reasons import span
from hpcshell.policy.ties import sentences

Hopeless = tuple[int, int | None, Outcome, str]
"""(job, index, how it is to end, why); index None: all that waits of the job."""


def hopeless(queue: Queue) -> Iterator[Hopeless]:
    """All of it, as `View.impossible` tells it."""
    for job, index in queue.gates.never:
        entry = queue.jobs[job]
        held = entry.job.held or (index in entry.tasks and entry.tasks[index][0].held)
        if not held and (index != ALL or entry.waiting or entry.tasks):
            yield job, named(index), Outcome.CANCELLED, never_sentence(queue, job, index)
    for job, index in queue.gates.late:
        entry = queue.jobs[job]
        if index != ALL or entry.waiting:
            yield job, named(index), Outcome.DEADLINE, deadline_sentence(entry, index)


def named(index: int) -> int | None:
    return None if index == ALL else index


def never_sentence(queue: Queue, job: int, index: int) -> str:
    """Which of its dependencies can never be met."""
    told = sentences(queue.ties, job, named(index), queue.gates.clock, never=True)
    return "; ".join(told)


def deadline_sentence(entry: Entry, index: int) -> str:
    """Why what waits of the job (or one element) cannot end by its deadline any more."""
    request = entry.job.request if index == ALL else entry.request_of(index)
    if request.time_limit is None:
        return "its deadline has passed before it could start"
    time = span(request.time_limit)
    return f"it may run for {time}, and that much is not left until its deadline"
