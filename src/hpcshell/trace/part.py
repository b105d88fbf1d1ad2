"""A part of a workload: some of its jobs, or those of some span of time."""

from __future__ import annotations

from math import inf
from typing import Final

import numpy as np

from hpcshell.core.errors import Wrong
from hpcshell.core.units import format_duration
from hpcshell.trace.clean import CODED, Workload
from hpcshell.trace.record import Ints

_COLUMNS: Final = (*("id", "submit", "run", "procs", "request", *CODED, "memory", "row"),)


def rows(workload: Workload, chosen: Ints | slice) -> Workload:
    """The jobs of these rows, on the same machine. Their times stay what they are."""
    kept = {field: getattr(workload, field) for field in workload.__struct_fields__}
    for field in _COLUMNS:
        column = kept[field][chosen]
        column.flags.writeable = False
        kept[field] = column
    return Workload(**kept)


def between(workload: Workload, since: float, until: float) -> Workload:
    """The jobs submitted at or after `since` and before `until`. Raises `Wrong`: there are none."""
    first, last = np.searchsorted(workload.submit, [since, until]).tolist()
    if first >= last:
        span = f"from {format_duration(since)} on"
        if until < inf:
            span = f"from {format_duration(since)} until {format_duration(until)}"
        whole = f"the first comes at {format_duration(float(workload.submit[0]))}, the last at "
        raise Wrong(
            f"{workload.name}: no job was submitted {span}",
            whole + format_duration(float(workload.submit[-1])),
        )
    return rows(workload, slice(first, last))


def numbered(workload: Workload, first: int, last: int) -> Workload:
    """The jobs from the first to the last in the order of submission, counted from 1, both
    included. Raises `Wrong`: there are none."""
    if not 1 <= first <= last or first > len(workload):
        raise Wrong(
            f"{workload.name}: has no jobs {first:,}-{last:,}",
            f"it has 1-{len(workload):,}",
        )
    return rows(workload, slice(first - 1, last))
