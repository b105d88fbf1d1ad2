"""The live jobs in the order in which they are listed, and their elements counted by state.

Both are kept as they change: what asks for a page, or how many there are, pays for no more.
"""

from __future__ import annotations

from collections.abc import Iterator

from hpcshell.core.lifecycle import word
from hpcshell.core.records import Job, State, Task
from hpcshell.daemon.live import LiveJob
from hpcshell.policy.order import Sorted
from hpcshell.policy.regime import by_priority

Ranks = dict[float, Sorted[int]]
"""The ids of jobs, by their rank."""


class Roll:
    """Iterates over ids: first jobs of which something has begun, then those that wait, each by
    rank and id.

    A job is taken out before anything its place depends on changes, and entered again after.
    """

    def __init__(self) -> None:
        self._begun: Ranks = {}
        self._waiting: Ranks = {}
        self._counts: dict[str, int] = {}

    def __iter__(self) -> Iterator[int]:
        for ranks in (self._begun, self._waiting):
            for rank in sorted(ranks):
                yield from ranks[rank]

    def begun(self) -> Iterator[int]:
        """Of these, the jobs of which something has begun."""
        for rank in sorted(self._begun):
            yield from self._begun[rank]

    def counts(self) -> dict[str, int]:
        """How many elements that have not ended are in which state."""
        return {state: count for state, count in self._counts.items() if count}

    def enter(self, live: LiveJob) -> None:
        """Give a job its place."""
        self._ranks(live).setdefault(by_priority(live.job), Sorted()).add(live.job.id)

    def leave(self, live: LiveJob) -> None:
        """Take a job out of its place."""
        self._withdraw(live.job, self._ranks(live))

    def count(self, live: LiveJob) -> None:
        """Count the elements of a job that has not been met before."""
        self._add("PENDING", len(live.waiting))
        for task in live.tasks.values():
            self._add(word(task), 1)

    def put(self, live: LiveJob, before: Task, after: Task) -> None:
        """Let one element of a job be another; the job moves when its first one begins."""
        ranks = self._ranks(live)
        live.put(after)
        self._add(word(before), -1)
        if after.state is not State.ENDED:
            self._add(word(after), 1)
        if self._ranks(live) is not ranks:
            self._withdraw(live.job, ranks)
            self.enter(live)

    def drop(self, count: int) -> None:
        """So many that waited have ended without ever having begun."""
        self._add("PENDING", -count)

    def _ranks(self, live: LiveJob) -> Ranks:
        return self._begun if live.tasks else self._waiting

    def _withdraw(self, job: Job, ranks: Ranks) -> None:
        rank = by_priority(job)
        ranks[rank].remove(job.id)
        if not ranks[rank]:
            del ranks[rank]

    def _add(self, state: str, count: int) -> None:
        self._counts[state] = self._counts.get(state, 0) + count
