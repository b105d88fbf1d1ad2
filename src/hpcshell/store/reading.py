"""What is asked of the queue. Every answer is fetched whole or page by page: no reader holds the
writer up, and none keeps an old state of the database alive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import NO_INDEX, Job, NodeNote, Outcome, Run, State, Summary, Task
from hpcshell.policy.reserve import Reservation
from hpcshell.store import opening
from hpcshell.store.failures import in_words
from hpcshell.store.past import PastReader
from hpcshell.store.rows import (
    NOTHING,
    PLAIN,
    Ending,
    LiveJob,
    StoredJob,
    decode_job,
    decode_node,
    decode_reservation,
    decode_run,
    decode_summary,
    decode_task,
    dropped_task,
    indices_of,
    share,
)

_PAGE: Final = 2000
_STATES: Final = frozenset(state.value for state in State)

_LIVE_JOBS: Final = "SELECT id, record FROM job WHERE ended = 0 AND id > ? ORDER BY id LIMIT ?"
_LIVE_TASKS: Final = (
    "SELECT task.job, task.record FROM job CROSS JOIN task ON task.job = job.id"
    " WHERE job.ended = 0 AND job.id BETWEEN ? AND ? AND task.state <> 'ENDED'"
)
_LIVE_COUNTS: Final = (
    "SELECT task.job, task.outcome, count(*) FROM job CROSS JOIN task ON task.job = job.id"
    " WHERE job.ended = 0 AND job.id BETWEEN ? AND ? AND task.state = 'ENDED'"
    " GROUP BY task.job, task.outcome"
)
_LIVE_RUNS: Final = (
    "SELECT run.record FROM job CROSS JOIN task ON task.job = job.id"
    " CROSS JOIN run ON run.job = task.job AND run.idx = task.idx"
    " WHERE job.ended = 0 AND task.state IN ('RUNNING', 'SUSPENDED', 'STOPPING')"
    " AND run.end_time IS NULL ORDER BY run.id"
)
_PREPARED_RUNS: Final = _LIVE_RUNS.replace("IN ('RUNNING', 'SUSPENDED', 'STOPPING')", "= 'PENDING'")
_BEGUN: Final = "SELECT idx FROM task WHERE job = ? ORDER BY idx"
_TALLY: Final = "SELECT ifnull(outcome, state), count(*) FROM task WHERE job = ? GROUP BY 1"


class Reader(PastReader):
    """Questions to the queue, over a connection of its own or the store's.

    A `word` is a state, or an outcome for what has ended. Raises `Broken` when the file is damaged.
    """

    @classmethod
    def of(cls, path: Path) -> Reader:
        """A reader beside the daemon's store, for another thread or process. It cannot write."""
        with in_words(path):
            connection = opening.connect(path, 5.0, how="mode=ro")
            connection.execute("PRAGMA query_only = ON")
        return cls(path, connection)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def live_jobs(self) -> Iterator[LiveJob]:
        """All jobs that have not ended, by id."""
        last = 0
        like: Job | None = None
        while rows := self._all(_LIVE_JOBS, (last, _PAGE)):
            span = (rows[0][0], rows[-1][0])
            last = span[1]
            tasks: dict[int, list[Task]] = defaultdict(list)
            for number, record in self._all(_LIVE_TASKS, span):
                tasks[number].append(self._decoded(decode_task, record))
            ended: dict[int, dict[str, int]] = defaultdict(dict)
            for number, outcome, count in self._all(_LIVE_COUNTS, span):
                ended[number][outcome] = count
            for number, record in rows:
                job = self._decoded(decode_job, record)
                if like is not None:
                    share(job, like)
                like = job
                yield self._live(job, tasks.pop(number, []), ended.pop(number, {}))

    def job(self, job: int) -> StoredJob | None:
        """One job, live or ended."""
        found = self.jobs((job,))
        return found[0] if found else None

    def jobs(self, ids: Iterable[int]) -> list[StoredJob]:
        """Those of the jobs that there are, in the order asked for."""
        found = []
        for number in ids:
            for record, summary in self._all(
                "SELECT record, summary FROM job WHERE id = ?", (number,)
            ):
                ending = None if summary is None else self._decoded(decode_summary, summary)
                found.append(StoredJob(self._decoded(decode_job, record), ending))
        return found

    def job_summary(self, job: int) -> Summary | None:
        """How a job ended; None while it lives, and if there is none."""
        found = self.job(job)
        return None if found is None else found.summary

    def task(self, job: int, index: int = NO_INDEX) -> Task | None:
        """An element with a record, or dropped with others; None while it waits."""
        rows = self._all("SELECT record FROM task WHERE job = ? AND idx = ?", (job, index))
        if rows:
            return self._decoded(decode_task, rows[0][0])
        found = self.job(job)
        return None if found is None else dropped_task(found.job, found.summary, index)

    def tasks(
        self, job: int, words: Sequence[str] = (), *, limit: int = -1, after: int = NO_INDEX - 1
    ) -> list[Task]:
        """Elements with a record, by index, of some words or all; pages go on `after` an index."""
        if not words:
            sql = "SELECT idx, record FROM task WHERE job = ? AND idx > ? ORDER BY idx LIMIT ?"
            return [
                self._decoded(decode_task, row[1]) for row in self._all(sql, (job, after, limit))
            ]
        found: list[tuple[int, bytes]] = []
        for word in words:
            # The pages of all words together hold the page of any of them.
            sql = (
                f"SELECT idx, record FROM task WHERE {_at(word)} AND job = ? AND idx > ?"
                " ORDER BY idx LIMIT ?"
            )
            found += self._all(sql, (job, after, limit))
        found.sort()
        return [
            self._decoded(decode_task, row[1]) for row in found[: limit if limit >= 0 else None]
        ]

    def ended_tasks(self, job: int) -> Iterator[Task]:
        """The elements with a record that have ended, by index, a page at a time."""
        last = NO_INDEX - 1
        while page := self.tasks(job, ("ENDED",), limit=_PAGE, after=last):
            yield from page
            last = page[-1].index

    def outcomes(self, job: int) -> list[Ending]:
        """When and how the elements with a record began and ended, by index; for dependencies."""
        sql = "SELECT idx, start_time, end_time, outcome FROM task WHERE job = ? ORDER BY idx"
        return [
            Ending(index, began, ended, None if outcome is None else Outcome(outcome))
            for index, began, ended, outcome in self._all(sql, (job,))
        ]

    def tally(self, job: int) -> dict[str, int]:
        """How many elements are at which word; those still waiting without a record are PENDING."""
        found = self.job(job)
        if found is None:
            return {}
        if found.summary is not None and found.summary.counts:
            return dict(found.summary.counts)
        counts: dict[str, int] = dict(self._all(_TALLY, (job,)))
        rest = len(indices_of(found.job)) - sum(counts.values())
        if rest:
            word = "PENDING" if found.job.dropped is None else found.job.dropped.value
            counts[word] = counts.get(word, 0) + rest
        return counts

    def run(self, run: int) -> Run | None:
        """One attempt."""
        rows = self._all("SELECT record FROM run WHERE id = ?", (run,))
        return self._decoded(decode_run, rows[0][0]) if rows else None

    def runs(self, job: int, index: int = NO_INDEX) -> list[Run]:
        """The attempts at one element, first to last."""
        sql = "SELECT record FROM run WHERE job = ? AND idx = ? ORDER BY attempt"
        return [self._decoded(decode_run, row[0]) for row in self._all(sql, (job, index))]

    def live_runs(self) -> list[Run]:
        """The attempts without an end, of elements that are under way."""
        return [self._decoded(decode_run, row[0]) for row in self._all(_LIVE_RUNS)]

    def prepared_runs(self) -> list[Run]:
        """The attempts that are recorded and not begun, of elements that wait."""
        return [self._decoded(decode_run, row[0]) for row in self._all(_PREPARED_RUNS)]

    def kept(self, key: str) -> bytes | None:
        """What was last remembered under a name (`Change.keep`)."""
        rows = self._all("SELECT value FROM meta WHERE key = ?", (key,))
        return bytes(rows[0][0]) if rows else None

    def reservations(self) -> list[Reservation]:
        """All of them, in the order of their start."""
        rows = self._all("SELECT record FROM reservation ORDER BY start_time, name")
        return [self._decoded(decode_reservation, row[0]) for row in rows]

    def node(self, name: str) -> NodeNote:
        """Whether the machine takes new work; it does, if nothing else was said."""
        rows = self._all("SELECT record FROM node WHERE name = ?", (name,))
        return self._decoded(decode_node, rows[0][0]) if rows else NodeNote()

    def blob(self, key: str) -> bytes | None:
        """A script or an environment by its key."""
        rows = self._all("SELECT content FROM blob WHERE hash = ?", (key,))
        return bytes(rows[0][0]) if rows else None

    def _live(self, job: Job, tasks: list[Task], ended: dict[str, int]) -> LiveJob:
        indices = indices_of(job)
        begun = len(tasks) + sum(ended.values())
        if job.dropped is not None:
            rest = len(indices) - begun
            if rest:
                ended[job.dropped.value] = ended.get(job.dropped.value, 0) + rest
            return LiveJob(job, tasks, NOTHING, ended, rest)
        if begun == 0:
            return LiveJob(job, tasks, indices, ended, 0)
        if indices is PLAIN:
            return LiveJob(job, tasks, NOTHING, ended, 0)
        rows = self._all(_BEGUN, (job.id,))
        waiting = _remaining(indices, (row[0] for row in rows))
        return LiveJob(job, tasks, waiting, ended, 0)


def _at(word: str) -> str:
    if word in _STATES:
        return f"state = '{word}'"
    bad = "" if word == Outcome.COMPLETED.value else "outcome <> 'COMPLETED' AND "  # for the index
    return f"{bad}outcome = '{Outcome(word).value}'"


def _remaining(indices: IndexSet, begun: Iterable[int]) -> IndexSet:
    """The set less ascending members of it, in one pass and without another set of them."""
    kept: list[range] = []
    parts = iter(indices.ranges)
    part = range(0)
    for index in begun:
        while index not in part:
            if part:
                kept.append(part)
            part = next(parts)
        at = part.index(index)
        if at:
            kept.append(part[:at])
        part = part[at + 1 :]
    if part:
        kept.append(part)
    return IndexSet((*kept, *parts))
