"""A trace: the jobs of a real or synthetic machine in columns, as its log tells them.

The columns are the 18 fields of the Standard Workload Format (Chapin, Cirne, Feitelson et al.,
"Benchmarks and Standards for the Evaluation of Parallel Job Schedulers", JSSPP 1999), whatever
format the log had. -1 is unknown everywhere. Nothing is repaired here: that is `clean`'s work.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from hpcshell.core.records import Record
from hpcshell.trace.oddities import Tally

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Columns: TypeAlias = dict[str, npt.NDArray[Any]]

FIELDS: Final = (
    "id",
    "submit",
    "wait",
    "run",
    "used_procs",
    "used_cpu",
    "used_memory",
    "procs",
    "request",
    "memory",
    "status",
    "user",
    "group",
    "app",
    "queue",
    "partition",
    "preceding",
    "think",
)
"""The columns in the order of the format's fields."""

OURS: Final = ("qos", "gang", "going")
"""Columns that the format has not: of which quality of service a job is, together with which others
it starts, and whether it has not ended yet (1: it has not)."""

REAL: Final = frozenset(
    {"submit", "wait", "run", "used_cpu", "used_memory", "request", "memory", "think"}
)
"""The columns that may have fractions; the others hold whole numbers."""

UNKNOWN: Final = -1


class Trace(Record, frozen=True, kw_only=True, eq=False):
    """Columns of equal length in the order of the log, read-only.

    `submit` counts from the header's UnixStartTime; `submit wait run request used_cpu think` are
    seconds (`used_cpu` the average of a processor), `memory used_memory` KiB a processor. `procs`
    and `request` (`inf`: no limit) were asked for, `used_procs` and `run` were had. `status` is 1
    completed, 0 failed, 5 cancelled. `line` is the line of the log a job stands in, 0 where there
    was none.

    `names` has the words behind the numbers of `user group queue qos gang`, where the log has
    words; `labels` the words behind `id`. `oddities` counts what was odd by word, `examples` has
    the first places of each; `oddities.sentences` says them.
    """

    name: str
    id: Ints
    submit: Floats
    wait: Floats
    run: Floats
    used_procs: Ints
    used_cpu: Floats
    used_memory: Floats
    procs: Ints
    request: Floats
    memory: Floats
    status: Ints
    user: Ints
    group: Ints
    app: Ints
    queue: Ints
    partition: Ints
    preceding: Ints
    think: Floats
    qos: Ints
    gang: Ints
    going: Ints
    line: Ints
    header: dict[str, str]
    names: dict[str, tuple[str, ...]]
    labels: tuple[str, ...]
    oddities: dict[str, int]
    examples: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.id)

    @property
    def machine(self) -> int:
        """Processors of the machine: the header's MaxProcs, or else MaxNodes; 0: it has neither."""
        for key in ("MaxProcs", "MaxNodes"):
            word = (self.header.get(key, "").split() or ["0"])[0]
            if word.isascii() and word.isdigit() and 0 < int(word[:19]) <= 2**53:
                return int(word)
        return 0

    def where(self, row: int) -> str:
        """The place of a job in its log, as `NAME:LINE`, or by its id."""
        line = int(self.line[row])
        if line:
            return f"{self.name}:{line}"
        return f"{self.name}: job {self.labels[row] if self.labels else self.id[row]}"


def empty_columns(rows: int) -> Columns:
    """Columns for `rows` jobs, not filled."""
    return {
        field: np.empty(rows, np.float64 if field in REAL else np.int64)
        for field in (*FIELDS, *OURS, "line")
    }


def unknown_columns(rows: int) -> Columns:
    """Columns for `rows` jobs of which nothing is known; they stand in no line."""
    columns = empty_columns(rows)
    for field in (*FIELDS, *OURS):
        columns[field].fill(UNKNOWN)
    columns["line"].fill(0)
    return columns


def trace_of(
    name: str,
    columns: Columns,
    tally: Tally | None = None,
    *,
    header: dict[str, str] | None = None,
    names: dict[str, tuple[str, ...]] | None = None,
    labels: tuple[str, ...] = (),
) -> Trace:
    """The trace that has these columns; they are made read-only."""
    for column in columns.values():
        column.flags.writeable = False
    return Trace(
        name=name,
        **cast(dict[str, Any], columns),
        header=header or {},
        names=names or {},
        labels=labels,
        oddities=dict(tally.counts) if tally else {},
        examples=dict(tally.examples) if tally else {},
    )
