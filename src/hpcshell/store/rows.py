"""What the store hands out besides the records of the core, and how records become bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import force_setattr

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import (
    NO_INDEX,
    Job,
    NodeNote,
    Outcome,
    Record,
    Run,
    State,
    Summary,
    Task,
)
from hpcshell.policy.reserve import Reservation

encode: Final = msgspec.json.Encoder().encode

decode_job: Final[Callable[[bytes], Job]] = msgspec.json.Decoder(Job).decode
decode_task: Final[Callable[[bytes], Task]] = msgspec.json.Decoder(Task).decode
decode_run: Final[Callable[[bytes], Run]] = msgspec.json.Decoder(Run).decode
decode_reservation: Final[Callable[[bytes], Reservation]] = msgspec.json.Decoder(Reservation).decode
decode_node: Final[Callable[[bytes], NodeNote]] = msgspec.json.Decoder(NodeNote).decode
decode_detail: Final[Callable[[bytes], Any]] = msgspec.json.Decoder().decode

NOTHING: Final = IndexSet()
PLAIN: Final = IndexSet((range(NO_INDEX, NO_INDEX + 1),))
"""The indices of a plain job."""


decode_summary: Final[Callable[[bytes], Summary]] = msgspec.json.Decoder(Summary).decode


class StoredJob(NamedTuple):
    """A job and, once it has ended, how."""

    job: Job
    summary: Summary | None


class LiveJob(NamedTuple):
    """A job that has not ended, as a restart needs it.

    `tasks` are its elements with a record that have not ended; `waiting` those without any record,
    none once they were dropped. `ended` counts all others, by outcome: `dropped` of them were
    dropped, the rest have records (`ended_tasks`).
    """

    job: Job
    tasks: list[Task]
    waiting: IndexSet
    ended: dict[str, int]
    dropped: int


class Entry(msgspec.Struct, frozen=True):
    """One line of the story: `job` None is the daemon's own, `index` None the job as a whole."""

    seq: int
    time: float
    job: int | None
    index: int | None
    kind: str
    state: str
    cause: str
    detail: Any


class Ending(NamedTuple):
    """When an element with a record began and ended, and how; None: not yet."""

    element: int
    began: float | None
    ended: float | None
    outcome: Outcome | None


class Past(NamedTuple):
    """A row of the history: an ended job (with the element of a plain one), or an ended element."""

    job: Job
    summary: Summary | None
    task: Task | None


class Wanted(Record, frozen=True, kw_only=True):
    """Which rows of the history. Empty means any; several values of one field mean: one of them.

    A job must carry all of `tags`. `since` (included) and `until` (excluded) are about the end.
    """

    users: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    elements: bool = False


class Listed(Record, frozen=True, kw_only=True):
    """Which jobs of a range of ids, ended or not: `least` to before `before`. Empty means any.

    `live` and `ended`: whether such are wanted; `outcomes` are those of the ended. `tags`: all of
    them.
    """

    before: int
    least: int
    users: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    partition: str = ""
    outcomes: tuple[str, ...] = ()
    live: bool = True
    ended: bool = True


class Submitted(NamedTuple):
    """A job by its id; `past`: how it ended, once it has."""

    id: int
    past: Past | None


def share(job: Job, like: Job) -> None:
    """Let a job that nobody else has yet use the equal parts of another: half of its memory.

    Queued jobs come in families: same user, directory, environment and request.
    """
    for mine, other, names in (
        (job, like, ("name", "user", "request", "array", "dependencies", "retry", "tags")),
        (job.launch, like.launch, ("argv", "cwd", "env", "script", "stdout", "stderr")),
    ):
        for name in names:
            ours, theirs = getattr(mine, name), getattr(other, name)
            if ours is not theirs and ours == theirs:
                force_setattr(mine, name, theirs)


def dropped_task(job: Job, summary: Summary | None, index: int) -> Task | None:
    """An element that ended without a record of its own, as one of those dropped together."""
    if job.dropped is None or index not in indices_of(job):
        return None
    return Task(
        job=job.id,
        index=index,
        state=State.ENDED,
        outcome=job.dropped,
        cause="" if summary is None else summary.cause,
        end_time=None if summary is None else summary.end_time,
    )


def indices_of(job: Job) -> IndexSet:
    """All elements of a job."""
    return PLAIN if job.array is None else IndexSet.parse(job.array.indices)
