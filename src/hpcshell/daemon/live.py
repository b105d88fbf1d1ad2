"""What the daemon keeps in memory: the jobs that have not ended, and nothing of those that have."""

from __future__ import annotations

from typing import Final

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Job, Outcome, State, Summary, Task, Usage

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


class Tally:
    """The ended elements of one job, added up as they end."""

    __slots__ = (
        "cause",
        "counts",
        "cpu_system",
        "cpu_user",
        "end_time",
        "exit_code",
        "max_rss",
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
        self.max_rss = 0

    def add(self, task: Task) -> None:
        """Count one ended element."""
        if task.outcome is not None:
            self.counts[task.outcome] = self.counts.get(task.outcome, 0) + 1
        if task.exit_code is not None:
            self.exit_code = max(self.exit_code or 0, task.exit_code)
        self.signal = task.signal if self.signal is None else self.signal
        self.began(task)
        self.end_time = max(self.end_time, task.end_time or 0.0)
        self.cause = task.cause
        if task.usage is not None:
            self.cpu_user += task.usage.cpu_user
            self.cpu_system += task.usage.cpu_system
            self.max_rss = max(self.max_rss, task.usage.max_rss)

    def add_never_begun(self, count: int, outcome: Outcome, cause: str, now: float) -> None:
        """Count elements that ended without ever having begun."""
        self.counts[outcome] = self.counts.get(outcome, 0) + count
        self.end_time = max(self.end_time, now)
        self.cause = cause

    def began(self, task: Task) -> None:
        """Remember the earliest start."""
        if task.start_time is not None:
            self.start_time = min(self.start_time or task.start_time, task.start_time)

    @property
    def ended(self) -> int:
        return sum(self.counts.values())

    def usage(self) -> Usage:
        return Usage(cpu_user=self.cpu_user, cpu_system=self.cpu_system, max_rss=self.max_rss)

    def summary(self) -> Summary:
        """The whole job's end. At least one element must have been counted."""
        return Summary(
            outcome=max(self.counts, key=WORST.index),
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

    __slots__ = ("job", "tally", "tasks", "waiting")

    def __init__(self, job: Job, waiting: IndexSet) -> None:
        self.job = job
        self.waiting = waiting
        self.tasks: dict[int, Task] = {}
        self.tally = Tally()

    @property
    def finished(self) -> bool:
        return not self.waiting and not self.tasks

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
            self.tally.began(task)

    def state(self) -> State:
        """The job's state: that of its most active element; pending if it has begun nothing."""
        states = {task.state for task in self.tasks.values()}
        for state in (State.RUNNING, State.STOPPING, State.SUSPENDED):
            if state in states:
                return state
        return State.PENDING
