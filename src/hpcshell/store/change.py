"""One transaction. Everything it records becomes durable at once, or none of it does."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, Protocol

from hpcshell.core.records import Job, NodeNote, Run, State, Summary, Task
from hpcshell.policy.reserve import Reservation
from hpcshell.store.rows import encode

OnWrite = Callable[[str, int, str], None]
"""Told `before` or `after`, the number of the write since the opening, and what is written."""

_ADD_JOB: Final = (
    "INSERT OR ROLLBACK INTO job (id, uid, user, name, tags, env, script, submit_time, record)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE_JOB: Final = (
    "UPDATE OR ROLLBACK job SET name = ?, tags = ?, submit_time = ?, record = ? WHERE id = ?"
)
_END_JOB: Final = (
    "UPDATE OR ROLLBACK job SET ended = 1, end_time = ?, outcome = ?, summary = ? WHERE id = ?"
)
_ADD_TASK: Final = (
    "INSERT OR IGNORE INTO task"
    " (state, outcome, exit_code, start_time, end_time, record, job, idx)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE_TASK: Final = (
    "UPDATE OR ROLLBACK task SET state = ?, outcome = ?, exit_code = ?, start_time = ?,"
    " end_time = ?, record = ? WHERE job = ? AND idx = ?"
)
_ADD_RUN: Final = (
    "INSERT OR ROLLBACK INTO run (id, job, idx, attempt, end_time, record)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_UPDATE_RUN: Final = "UPDATE OR ROLLBACK run SET end_time = ?, record = ? WHERE id = ?"
_ADD_EVENT: Final = (
    "INSERT OR ROLLBACK INTO event (seq, time, job, idx, kind, state, cause, detail)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_RESERVATION: Final = (
    "INSERT OR REPLACE INTO reservation (name, start_time, end_time, record) VALUES (?, ?, ?, ?)"
)
_DROP_RESERVATION: Final = "DELETE FROM reservation WHERE name = ?"
_PUT_NODE: Final = "INSERT OR REPLACE INTO node (name, state, record) VALUES (?, ?, ?)"
_SKIP_RUNS: Final = "UPDATE meta SET value = ? WHERE key = 'purged_run' AND value < ?"
_KEEP: Final = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"
_NEW: Final = (State.RUNNING, State.PENDING)
_ADD_BLOB: Final = "INSERT OR IGNORE INTO blob (hash, content) VALUES (?, ?)"


class Ids:
    """The last ids given out."""

    __slots__ = ("event", "job", "run")

    def __init__(self, job: int, run: int, event: int) -> None:
        self.job = job
        self.run = run
        self.event = event


class Writer(Protocol):
    """What a change needs of its store."""

    ids: Ids
    blobs: set[str]

    def write(self, kind: str, sql: str, row: tuple[Any, ...]) -> int:
        """Carry out one statement of the open transaction; the number of rows it touched."""


class Change:
    """Records what happened. Made by `Store.change()`; of no use after its block."""

    __slots__ = ("_tasks", "_writer", "blobs", "ids")

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._tasks: dict[tuple[int, int], Task] = {}
        self.ids = Ids(writer.ids.job, writer.ids.run, writer.ids.event)
        self.blobs: set[str] = set()

    def next_job_id(self) -> int:
        """An id no job has had. It is given again if this change fails: nobody was told of it."""
        self.ids.job += 1
        return self.ids.job

    def next_run_id(self) -> int:
        """An id no run has had; like `next_job_id`."""
        self.ids.run += 1
        return self.ids.run

    def skip_runs(self, last: int) -> None:
        """Give out no run id up to `last`: somebody knows runs of those ids that we do not."""
        if last > self.ids.run:
            self.ids.run = last
            self._writer.write("meta", _SKIP_RUNS, (last, last))

    def keep(self, key: str, value: bytes) -> None:
        """Remember this under a name, in place of what was remembered; see `Reader.kept`."""
        self._writer.write("meta", _KEEP, (key, value))

    def add_blob(self, content: bytes) -> str:
        """Store a script or an environment, once for all that are equal. Returns its key."""
        key = blob_key(content)
        if key not in self._writer.blobs and key not in self.blobs:
            self._writer.write("blob", _ADD_BLOB, (key, content))
            self.blobs.add(key)
        return key

    def add_job(self, job: Job) -> None:
        """A new job, with an id from `next_job_id` and keys from `add_blob`."""
        launch = job.launch
        row = (
            job.id,
            job.uid,
            job.user,
            job.name,
            _joined(job.tags),
            launch.env or None,
            launch.script or None,
            job.submit_time,
            encode(job),
        )
        self._writer.write("job", _ADD_JOB, row)

    def update_job(self, job: Job) -> None:
        """The amended job in place of the one stored."""
        row = (job.name, _joined(job.tags), job.submit_time, encode(job), job.id)
        _one(self._writer.write("job_update", _UPDATE_JOB, row), "job", job.id)

    def end_job(self, job: int, summary: Summary) -> None:
        """The job is over, after all its elements; from now on nothing of it changes."""
        self.settle()
        row = (summary.end_time, summary.outcome.value, encode(summary), job)
        _one(self._writer.write("job_end", _END_JOB, row), "job", job)

    def put_task(self, task: Task) -> None:
        """An element as it now is, whether or not it had a record.

        One that changes several times is written once: brief elements begin and end together.
        """
        self._tasks[task.job, task.index] = task

    def settle(self) -> None:
        """Write the elements as they are by now."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            self._write_task(task)

    def _write_task(self, task: Task) -> None:
        row = (
            task.state.value,
            None if task.outcome is None else task.outcome.value,
            task.exit_code,
            task.start_time,
            task.end_time,
            encode(task),
            task.job,
            task.index,
        )
        # Nearly always it is about to begin, and has no record yet, or ends, and has one.
        first, second = _UPDATE_TASK, _ADD_TASK
        if task.state in _NEW and task.attempt <= 1:
            first, second = second, first
        if not self._writer.write("task", first, row):
            _one(self._writer.write("task", second, row), "element", task.job)

    def add_run(self, run: Run) -> None:
        """A new attempt, with an id from `next_run_id`; after `put_task` of its element."""
        self.settle()
        row = (run.id, run.job, run.index, run.attempt, run.end_time, encode(run))
        self._writer.write("run", _ADD_RUN, row)

    def update_run(self, run: Run) -> None:
        """What became known of a run (its pid), or its end: with `end_time` it is final."""
        row = (run.end_time, encode(run), run.id)
        _one(self._writer.write("run_update", _UPDATE_RUN, row), "run", run.id)

    def end_run(self, run: Run) -> None:
        """The end of a run; its `end_time` is set, and it never changes again."""
        if run.end_time is None:
            raise ValueError(f"run {run.id} has no end_time")
        self.update_run(run)

    def put_reservation(self, one: Reservation) -> None:
        """A reservation, new or in place of the one of its name."""
        row = (one.name, one.start, one.end, encode(one))
        self._writer.write("reservation", _PUT_RESERVATION, row)

    def drop_reservation(self, name: str) -> None:
        """It is no more."""
        if self._writer.write("reservation", _DROP_RESERVATION, (name,)) != 1:
            raise LookupError(f"no reservation {name} in the store")

    def put_node(self, name: str, note: NodeNote) -> None:
        """Whether the machine takes new work."""
        self._writer.write("node", _PUT_NODE, (name, note.state, encode(note)))

    def add_event(
        self,
        time: float,
        job: int | None,
        kind: str,
        *,
        index: int | None = None,
        state: str = "",
        cause: str = "",
        detail: Any = None,
    ) -> int:
        """One line of the story; `detail` is anything JSON can say. Returns its number."""
        self.ids.event += 1
        said = None if detail is None else encode(detail)
        row = (self.ids.event, time, job, index, kind, state, cause, said)
        self._writer.write("event", _ADD_EVENT, row)
        return self.ids.event


def blob_key(content: bytes) -> str:
    """The key under which these bytes are stored."""
    return blake2b(content, digest_size=16).hexdigest()


def _joined(tags: tuple[str, ...]) -> str:
    return f",{','.join(tags)}," if tags else ""


def _one(touched: int, what: str, number: int) -> None:
    if touched != 1:
        raise LookupError(f"no {what} {number} in the store")
