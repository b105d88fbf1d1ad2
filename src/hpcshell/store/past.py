"""What is asked about the past: the history, the story, and which ids a name stands for."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from hpcshell.core.records import NO_INDEX, Job, Run
from hpcshell.store.failures import explained
from hpcshell.store.rows import (
    Entry,
    Listed,
    Past,
    Submitted,
    Wanted,
    decode_detail,
    decode_job,
    decode_run,
    decode_summary,
    decode_task,
    dropped_task,
    encode,
)

T = TypeVar("T")

_EVENT: Final = "SELECT seq, time, job, idx, kind, state, cause, detail FROM event"


_ENDED_RUNS: Final = (
    "SELECT job.record, run.record FROM run CROSS JOIN job ON job.id = run.job"
    " WHERE run.end_time IS NOT NULL AND run.id"
)
_PAGE: Final = 2000

_SUBMITTED: Final = (
    "SELECT job.id, job.record, job.summary, task.record"
    " FROM job LEFT JOIN task ON task.job = job.id AND task.idx = -1"
)


class _Source(NamedTuple):
    """How rows of the history are found: what is selected, counted, and in which order."""

    rows: str
    counted: str
    order: str
    ended: str
    of: str


_JOBS: Final = _Source(
    rows="job.record, job.summary, task.record"
    " FROM job LEFT JOIN task ON task.job = job.id AND task.idx = -1",
    counted="FROM job",
    order="job.end_time DESC, job.id DESC",
    ended="job.ended = 1",
    of="job",
)
_ELEMENTS: Final = _Source(
    rows="job.record, NULL, task.record FROM task CROSS JOIN job ON job.id = task.job",
    counted="FROM task CROSS JOIN job ON job.id = task.job",
    order="task.end_time DESC, task.job DESC, task.idx DESC",
    ended="task.state = 'ENDED'",
    of="task",
)


class Asking:
    """A connection, and the two ways a question can fail."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def _decoded(self, decode: Callable[[bytes], T], record: bytes) -> T:
        try:
            return decode(record)
        except (msgspec.MsgspecError, TypeError, UnicodeError) as error:
            raise explained(error, self.path) from error


class PastReader(Asking):
    """Questions about what happened."""

    def last_job_id(self, uid: int, back: int = 0) -> int | None:
        """The latest job of a user (`@`), or the one `back` before it (`@~2`)."""
        sql = "SELECT id FROM job WHERE uid = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
        rows = self._all(sql, (uid, back))
        return int(rows[0][0]) if rows else None

    def job_ids_by_name(self, name: str, uid: int | None = None) -> list[int]:
        """The jobs of a name, latest first; of one user, or of all."""
        whose, values = ("", (name,)) if uid is None else (" AND uid = ?", (name, uid))
        sql = f"SELECT id FROM job WHERE name = ?{whose} ORDER BY id DESC"
        return [row[0] for row in self._all(sql, values)]

    def submitted(self, listed: Listed) -> Iterator[Submitted]:
        """Jobs, the highest id first; nothing is read of those that are not asked for."""
        where, values = _listed(listed)
        sql = f"{_SUBMITTED} WHERE {where} ORDER BY job.id DESC"
        try:
            for number, *row in self._connection.execute(sql, values):
                yield Submitted(number, None if row[1] is None else self._past(*row))
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def history(
        self,
        wanted: Wanted,
        *,
        limit: int = -1,
        offset: int = 0,
        behind: tuple[float, ...] | None = None,
        total: int | None = None,
    ) -> tuple[list[Past], int]:
        """What ended, latest first, and how many rows there are without limit and offset, which is
        not counted where `total` is given. `behind`: only rows after the one of these values, which
        are those they are sorted by."""
        total = self.ended(wanted) if total is None else total
        if not total:
            return [], 0
        source = _ELEMENTS if wanted.elements else _JOBS
        where, values = _conditions(source, wanted)
        if behind is not None:
            where += f" AND ({source.order.replace(' DESC', '')}) < ({','.join('?' * len(behind))})"
            values = (*values, *behind)
        sql = f"SELECT {source.rows} WHERE {where} ORDER BY {source.order} LIMIT ? OFFSET ?"
        rows = self._all(sql, (*values, limit, offset))
        return [self._past(*row) for row in rows], total

    def ended(self, wanted: Wanted) -> int:
        """How many rows of the history there are."""
        source = _ELEMENTS if wanted.elements else _JOBS
        where, values = _conditions(source, wanted)
        return int(self._all(f"SELECT count(*) {source.counted} WHERE {where}", values)[0][0])

    def events(self, since: int = 0, *, job: int | None = None, limit: int = -1) -> list[Entry]:
        """What happened after event number `since`, in order; to one job, or to all."""
        if job is None:
            rows = self._all(f"{_EVENT} WHERE seq > ? ORDER BY seq LIMIT ?", (since, limit))
        else:
            sql = f"{_EVENT} WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?"
            rows = self._all(sql, (job, since, limit))
        return [self._entry(row) for row in rows]

    def story(self, job: int, index: int | None = None, *, limit: int = -1) -> list[Entry]:
        """All that happened to a job; or to one element, and to the job as a whole."""
        if index is None:
            return self.events(job=job, limit=limit)
        sql = f"{_EVENT} WHERE job = ? AND (idx IS NULL OR idx = ?) ORDER BY seq LIMIT ?"
        return [self._entry(row) for row in self._all(sql, (job, index, limit))]

    def ended_runs(self, after: int, among: Sequence[int] = ()) -> Iterator[tuple[Job, Run]]:
        """The attempts that have ended of all with a higher id, and of those named."""
        for start in range(0, len(among), _PAGE):
            ids = among[start : start + _PAGE]
            yield from self._ended_runs(f"IN ({','.join('?' * len(ids))})", ids)
        page = [after]
        while page:
            found = list(self._ended_runs("> ? ORDER BY run.id LIMIT ?", (page[-1], _PAGE)))
            yield from found
            page = [run.id for _, run in found]

    def _ended_runs(self, which: str, values: Sequence[int]) -> Iterator[tuple[Job, Run]]:
        for job, run in self._all(f"{_ENDED_RUNS} {which}", values):
            yield self._decoded(decode_job, job), self._decoded(decode_run, run)

    def first_submit(self) -> float | None:
        """When the oldest job that is still known was submitted."""
        rows = self._all("SELECT submit_time FROM job ORDER BY id LIMIT 1")
        return rows[0][0] if rows else None

    def _past(self, job: bytes, summary: bytes | None, task: bytes | None) -> Past:
        whole = self._decoded(decode_job, job)
        ending = None if summary is None else self._decoded(decode_summary, summary)
        if task is not None:
            return Past(whole, ending, self._decoded(decode_task, task))
        return Past(whole, ending, dropped_task(whole, ending, NO_INDEX))

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        seq, time, job, index, kind, state, cause, said = row
        detail = None if said is None else self._decoded(decode_detail, said)
        return Entry(seq, time, job, index, kind, state, cause, detail)


def _listed(listed: Listed) -> tuple[str, tuple[Any, ...]]:
    parts, values = ["job.id < ? AND job.id >= ?"], list[Any]([listed.before, listed.least])
    for column, among in (("job.user", listed.users), ("job.name", listed.names)):
        if among:
            parts.append(f"{column} IN ({','.join('?' * len(among))})")
            values += among
    for tag in listed.tags:
        parts.append("instr(job.tags, ?)")
        values.append(f",{tag},")
    if listed.partition:
        main = listed.partition == "main"  # the default is not written
        parts.append(f"{'NOT ' if main else ''}instr(job.record, ?)")
        values.append(b'"partition":' + (b'"' if main else encode(listed.partition)))
    ended = f"job.outcome IN ({','.join('?' * len(listed.outcomes))})"
    kinds = ["job.ended = 0"] if listed.live else []
    if listed.ended:
        kinds.append(ended if listed.outcomes else "job.ended = 1")
        values += listed.outcomes
    parts.append(f"({' OR '.join(kinds) or '0'})")
    return " AND ".join(parts), tuple(values)


def _conditions(source: _Source, wanted: Wanted) -> tuple[str, tuple[Any, ...]]:
    parts = [source.ended]
    values: list[Any] = []
    for column, among in (
        ("job.user", wanted.users),
        ("job.name", wanted.names),
        (f"{source.of}.outcome", wanted.outcomes),
    ):
        if among:
            parts.append(f"{column} IN ({','.join('?' * len(among))})")
            values += among
    for tag in wanted.tags:
        parts.append("instr(job.tags, ?)")
        values.append(f",{tag},")
    for sign, time in ((">=", wanted.since), ("<", wanted.until)):
        if time is not None:
            parts.append(f"{source.of}.end_time {sign} ?")
            values.append(time)
    return " AND ".join(parts), tuple(values)
