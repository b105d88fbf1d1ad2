"""What the daemon keeps in memory: the jobs that have not ended, and nothing of those that have."""

from __future__ import annotations

from typing import Final

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import NO_INDEX, Job, Outcome, State, Summary, Task, Usage

WORST: Final = (
    Outcome.COMPLETED,
    Outcome.CANCELLED,
    Outcome.PREEMPTED,
    Outcome.DEADLINE,
    Outcome.FAILED,
    Outcome.TIMEOUT,
    Outcome.OUT_OF_MEMORY,
    Outcome.NODE_FAIL,
)
"""From best to worst: an array has ended as the worst of its elements did."""


RANK: Final = {outcome: rank for rank, outcome in enumerate(WORST)}


def earliest(one: float | None, other: float | None) -> float | None:
    """The earlier of two instants, either of which may be unknown."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


class Tally:
    """The ended elements of one job, added up as they end: in any order the same."""

    __slots__ = (
        "_telling",
        "cause",
        "counts",
        "cpu_system",
        "cpu_user",
        "end_time",
        "exit_code",
        "peak",
        "signal",
        "start_time",
    )

    def __init__(self) -> None:
        self.counts: dict[Outcome, int] = {}
        self.exit_code: int | None = None
        self.signal: int | None = None
        self.start_time: float | None = None
        self.end_time = 0.0
        self.cause = ""
        self.cpu_user = 0.0
        self.cpu_system = 0.0
        self.peak = (0, True)
        """The largest `max_rss`, and whether it is certain."""
        self._telling = (-1, 0.0, 0)

    def add(self, task: Task) -> None:
        """Count one ended element."""
        assert task.outcome is not None, "it has not ended"
        self.counts[task.outcome] = self.counts.get(task.outcome, 0) + 1
        if task.exit_code is not None:
            self.exit_code = max(self.exit_code or 0, task.exit_code)
        if task.signal is not None:
            self.signal = max(self.signal or 0, task.signal)
        self.start_time = earliest(self.start_time, task.start_time)
        self._end(task.outcome, task.end_time or 0.0, task.index, task.cause)
        if task.usage is not None:
            self.cpu_user += task.usage.cpu_user
            self.cpu_system += task.usage.cpu_system
            peak = (task.usage.max_rss, not task.usage.max_rss_at_most)
            self.peak = max(self.peak, peak)

    def add_never_begun(self, count: int, outcome: Outcome, cause: str, now: float) -> None:
        """Count elements that ended without ever having begun."""
        self.counts[outcome] = self.counts.get(outcome, 0) + count
        self._end(outcome, now, NO_INDEX - 1, cause)

    def _end(self, outcome: Outcome, time: float, index: int, cause: str) -> None:
        """The cause is that of the worst end, and the latest of those."""
        self.end_time = max(self.end_time, time)
        telling = (RANK[outcome], time, index)
        if telling > self._telling:
            self._telling, self.cause = telling, cause

    @property
    def ended(self) -> int:
        return sum(self.counts.values())

    def usage(self) -> Usage:
        max_rss, certain = self.peak
        return Usage(
            cpu_user=self.cpu_user,
            cpu_system=self.cpu_system,
            max_rss=max_rss,
            max_rss_at_most=not certain,
        )

    def summary(self) -> Summary:
        """The whole job's end. At least one element must have been counted."""
        return Summary(
            outcome=max(self.counts, key=RANK.__getitem__),
            exit_code=self.exit_code,
            signal=self.signal,
            counts={outcome.value: count for outcome, count in self.counts.items()},
            start_time=self.start_time,
            end_time=self.end_time,
            cause=self.cause,
            usage=self.usage(),
        )


class LiveJob:
    """A job with elements still to end: which wait untouched, which have a record, and how the
    rest ended."""

    __slots__ = ("_tally", "brief", "job", "tasks", "waiting")

    def __init__(self, job: Job, waiting: IndexSet) -> None:
        self.job = job
        self.waiting = waiting
        self.tasks: dict[int, Task] = {}
        self.brief = False
        self._tally: Tally | None = None

    @property
    def tally(self) -> Tally:
        """The ended elements; made when it is first asked for, since most of a long queue waits."""
        if self._tally is None:
            self._tally = Tally()
        return self._tally

    @property
    def finished(self) -> bool:
        return not self.waiting and not self.tasks

    @property
    def waits(self) -> bool:
        """Whether any of it is still to be started, for the first time or once more."""
        return bool(self.waiting) or any(
            task.state is State.PENDING for task in self.tasks.values()
        )

    def task(self, index: int) -> Task | None:
        """The record of an element that has not ended; a fresh one if it never began; None if it
        ended."""
        known = self.tasks.get(index)
        if known is None and index in self.waiting:
            return Task(job=self.job.id, index=index)
        return known

    def put(self, task: Task) -> None:
        """Keep the element's record, or count it if it has ended."""
        if task.index not in self.tasks and task.index in self.waiting:
            self.waiting = self.waiting.without(task.index)
        if task.state is State.ENDED:
            self.tasks.pop(task.index, None)
            self.tally.add(task)
        else:
            self.tasks[task.index] = task

    @property
    def start_time(self) -> float | None:
        """When the first of its elements began its latest attempt."""
        first = self.tally.start_time
        for task in self.tasks.values():
            first = earliest(first, task.start_time)
        return first

    def state(self) -> State:
        """The job's state: that of its most active element; pending if it has begun nothing."""
        states = {task.state for task in self.tasks.values()}
        for state in (State.RUNNING, State.STOPPING, State.SUSPENDED):
            if state in states:
                return state
        return State.PENDING
