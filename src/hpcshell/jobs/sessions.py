"""The sessions of screen and tmux that running jobs have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hpcshell.core.records import Record
from hpcshell.jobs.doors import Door

PAGE: Final = 1000
_BEGUN: Final = ("RUNNING", "SUSPENDED", "STOPPING")


class OpenSession(Record, frozen=True, kw_only=True):
    """A session: whose (`job`, as `12_3` of an element; `id` is its job's), its program (`screen`,
    `tmux`), its name, since when (Unix) it runs, and the words that join it (none: it is not open
    yet)."""

    id: int
    job: str
    job_name: str
    program: str
    name: str
    since: float | None
    join: tuple[str, ...] = ()


def sessions(door: Door) -> list[OpenSession]:
    """All there are, in the order of the queue."""
    return [_of(row) for row in _begun(door) if row.get("session") and row["session"]["name"]]


def _begun(door: Door) -> Iterator[dict[str, Any]]:
    """The rows of jobs and elements that have begun, page by page of jobs."""
    offset, total = 0, 1
    while offset < total:
        answer = door.call("queue", states=list(_BEGUN), elements=True, limit=PAGE, offset=offset)
        total = answer["total"]
        offset += PAGE
        yield from (row for row in answer["rows"] if row["start_time"] and row["run"])


def _of(row: dict[str, Any]) -> OpenSession:
    session = row["session"]
    return OpenSession(
        id=row["id"],
        job=row["label"],
        job_name=row["name"],
        program=session["program"],
        name=session["name"],
        since=row["start_time"],
        join=tuple(session["join"] or ()),
    )
