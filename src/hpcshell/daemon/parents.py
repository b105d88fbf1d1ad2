"""What is known of the jobs that others wait for."""

from __future__ import annotations

from collections.abc import Iterator

from hpcshell.core.records import Job, Outcome, State
from hpcshell.policy.depend import Fact, ParentFacts
from hpcshell.store.rows import indices_of
from hpcshell.store.store import Store


def parents_of(job: Job) -> Iterator[int]:
    """Ids of the jobs this one waits for."""
    if job.dependencies is not None:
        yield from (term.job for term in job.dependencies.terms if term.job)


def parent_facts(store: Store, job_id: int) -> ParentFacts:
    """What the store knows of a parent, element by element."""
    stored = store.job(job_id)
    if stored is None:  # purged long ago: all that is left to say is that it ended
        return ParentFacts(total=1, begun=1, ended=1, completed=1)
    tasks = store.tasks(job_id)
    ended = [task for task in tasks if task.state is State.ENDED]
    facts = ParentFacts(
        total=len(indices_of(stored.job)),
        begun=sum(task.start_time is not None or task.state is State.ENDED for task in tasks),
        ended=len(ended),
        completed=sum(task.outcome is Outcome.COMPLETED for task in ended),
        last_begin=max((task.start_time or 0.0 for task in tasks), default=0.0),
        last_end=max((task.end_time or 0.0 for task in ended), default=0.0),
        elements={task.index: Fact(task.start_time, task.end_time, task.outcome) for task in tasks},
    )
    if stored.job.dropped is not None:
        never_begun = facts.total - len(tasks)
        facts.begun += never_begun
        facts.ended += never_begun
        facts.last_end = stored.summary.end_time if stored.summary else facts.last_end
    return facts
