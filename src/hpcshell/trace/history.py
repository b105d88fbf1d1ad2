"""Reads our own history: what `hpc history --json` prints."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.trace.numbering import coded, numbered
from hpcshell.trace.oddities import SHOWN, Tally
from hpcshell.trace.record import UNKNOWN, Trace, trace_of, unknown_columns

COMMAND: Final = "hpc history --elements --limit 0 --json"

STATUS: Final = {
    "COMPLETED": 1,
    "FAILED": 0,
    "CANCELLED": 5,
    "TIMEOUT": 0,
    "OUT_OF_MEMORY": 0,
    "NODE_FAIL": 0,
    "PREEMPTED": 0,
    "DEADLINE": 0,
}
"""How a job ended, and the numbers of the Standard Workload Format."""

KIB: Final = 1024.0


class _Usage(Record, frozen=True, kw_only=True):
    cpu_time: float | None = None
    max_rss: float | None = None


class _Row(Record, frozen=True, kw_only=True):
    """Of a job's document, what a trace tells."""

    label: str
    submit_time: float
    state: str | None = ""
    start_time: float | None = None
    end_time: float | None = None
    cpus: int = UNKNOWN
    memory: float | None = None
    time_limit: float | None = None
    user: str | None = ""
    account: str | None = ""
    partition: str | None = ""
    qos: str | None = ""
    gang: str | None = ""
    elements: dict[str, msgspec.Raw] | None = None
    usage: _Usage | None = None

    @property
    def going(self) -> bool:
        """Whether it has not ended yet."""
        return self.state not in STATUS

    @property
    def run(self) -> float:
        if self.start_time is None or self.end_time is None or self.going:
            return UNKNOWN
        return self.end_time - self.start_time


class _Document(Record, frozen=True, kw_only=True):
    rows: list[_Row]


def read_history(name: str, content: bytes) -> Trace:
    """The jobs in the order of their submission; `submit` counts from the first.

    Raises `Wrong`: not that document, no job.
    """
    try:
        listed = msgspec.json.decode(content, type=_Document).rows
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Wrong(f"{name}: is no history: {error}", f"say: {COMMAND}") from None
    tally = Tally()
    arrays = [row for row in listed if row.elements is not None]
    _note(tally, name, "whole_array", arrays)
    rows = sorted((row for row in listed if row.elements is None), key=lambda row: row.submit_time)
    if not rows:
        lacks = "has arrays without their elements" if arrays else "has no job in it"
        raise Wrong(f"{name}: {lacks}", f"say: {COMMAND}")
    _note(tally, name, "not_ended", [row for row in rows if row.going])
    return _trace(name, rows, tally)


def _note(tally: Tally, name: str, word: str, rows: list[_Row]) -> None:
    tally.add(word, (f"{name}: job {row.label}" for row in rows[:SHOWN]), len(rows))


def _trace(name: str, rows: list[_Row], tally: Tally) -> Trace:
    columns = unknown_columns(len(rows))
    first = rows[0].submit_time
    columns["submit"][:] = [row.submit_time - first for row in rows]
    columns["wait"][:] = [
        UNKNOWN if row.start_time is None else row.start_time - row.submit_time for row in rows
    ]
    columns["run"][:] = [row.run for row in rows]
    columns["going"][:] = [row.going for row in rows]
    columns["procs"][:] = [row.cpus for row in rows]
    columns["used_procs"][:] = [UNKNOWN if row.start_time is None else row.cpus for row in rows]
    columns["request"][:] = [row.time_limit or np.inf for row in rows]
    columns["status"][:] = [STATUS.get(row.state or "", UNKNOWN) for row in rows]
    procs = np.maximum(columns["procs"], 1)
    usages = [row.usage or _Usage() for row in rows]
    for column, values, unit in (
        ("memory", [row.memory for row in rows], KIB),
        ("used_memory", [usage.max_rss for usage in usages], KIB),
        ("used_cpu", [usage.cpu_time for usage in usages], 1.0),
    ):
        shares = np.array([value or np.nan for value in values], np.float64) / unit / procs
        columns[column][:] = np.where(np.isnan(shares), UNKNOWN, shares)
    names: dict[str, tuple[str, ...]] = {}
    for column, words in (
        ("user", [row.user or "" for row in rows]),
        ("group", [row.account or "" for row in rows]),
        ("queue", [row.partition or "" for row in rows]),
        ("qos", [row.qos or "" for row in rows]),
        ("gang", [f"{row.user} {row.gang}" if row.gang else "" for row in rows]),
    ):
        columns[column][:], names[column] = coded(words)
    columns["id"], labels = numbered([row.label for row in rows])
    return trace_of(
        name,
        columns,
        tally,
        header={"UnixStartTime": str(int(first))},
        names={column: words for column, words in names.items() if words},
        labels=labels,
    )
