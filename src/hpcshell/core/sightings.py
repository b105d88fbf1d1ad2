"""What is seen of a job on a cluster, in our words; and the conditions it waits for there."""

from __future__ import annotations

from typing import Final

from hpcshell.core.records import Record

UNKNOWN: Final = "UNKNOWN"
"""The state of a job of which nobody can tell what it is doing."""
LIVE: Final = frozenset({"PENDING", "RUNNING", "SUSPENDED", "COMPLETING"})
ENDED: Final = frozenset(
    {
        *("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY"),
        *("NODE_FAIL", "PREEMPTED", "DEADLINE"),
    }
)
GONE: Final = "GONE"
"""The state of a job that its scheduler has forgotten, and of whose end nobody knows."""


class Sighting(Record, frozen=True, kw_only=False, gc=False):
    """One job, or one element, or what is left of an array, as the scheduler shows it.

    `native` is the id that its commands take. `number` is the part of it that all of an array
    share; `element` its index, `waiting` the index text of elements that have no line of their own
    yet. `state` is one of `LIVE`, `ENDED` or UNKNOWN, `word` what the scheduler said. `ended` tells
    how: `exit_code`, or the `signal`. Instants are Unix seconds, sizes bytes; None and "": not
    told. `key` is that of the `Order`, where it is seen.

    Who reads thousands of jobs gives the fields in their order: by name they cost ten times as
    much.
    """

    native: str
    number: str
    element: int | None = None
    waiting: str = ""
    key: str = ""
    state: str = UNKNOWN
    word: str = ""
    held: bool = False
    reason: str = ""
    reason_code: str = ""
    name: str = ""
    user: str = ""
    partition: str = ""
    account: str = ""
    qos: str = ""
    priority: int | None = None
    submit_time: float | None = None
    start_time: float | None = None
    end_time: float | None = None
    expected_start: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    cpus: int | None = None
    memory: int | None = None
    gpus: int | None = None
    time_limit: float | None = None
    nodes: tuple[str, ...] = ()
    restarts: int = 0
    cpu_time: float | None = None
    max_rss: int | None = None
    cwd: str = ""
    stdout: str = ""
    stderr: str = ""


class Parent(Record, frozen=True, kw_only=True):
    """One condition of a dependency: `kind` as in `core.dependencies`, the native ids of the jobs
    that it names (several: all of them), `delay` in seconds. `directories` are those of the parents
    that were submitted here, in the order of `ids` ("" for others). `singleton` has no ids."""

    kind: str
    ids: tuple[str, ...] = ()
    delay: float = 0.0
    directories: tuple[str, ...] = ()
