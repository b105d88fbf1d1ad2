"""A part of a log, by number or by time; and fewer jobs of a workload."""

from __future__ import annotations

from math import inf
from typing import Any, Final

import numpy as np
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.units import format_duration
from hpcshell.trace.clean import CODED, Workload
from hpcshell.trace.oddities import Tally
from hpcshell.trace.record import FIELDS, OURS, Bools, Ints, Trace

_COLUMNS: Final = (*("id", "submit", "run", "procs", "request", *CODED, "memory", "row"),)
_OF_TRACE: Final = (*FIELDS, *OURS, "line")


def rows(workload: Workload, chosen: Ints | slice) -> Workload:
    """The jobs of these rows, on the same machine. Their times stay what they are."""
    kept = {field: getattr(workload, field) for field in workload.__struct_fields__}
    for field in _COLUMNS:
        column = kept[field][chosen]
        column.flags.writeable = False
        kept[field] = column
    return Workload(**kept)


def between(trace: Trace, workload: Workload, since: float, until: float) -> Trace:
    """What of a log was submitted at or after `since` and before `until`; `workload` is all of it,
    cleaned. Raises `Wrong`: there is no job that can be simulated."""
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
    early = since <= 0  # what was submitted before the log begins counts as of its beginning
    return _only(trace, ((trace.submit >= since) | early) & (trace.submit < until))


def numbered(trace: Trace, workload: Workload, first: int, last: int) -> Trace:
    """What of a log comes with the jobs from the first to the last in the order of submission,
    counted from 1, both included; `workload` is all of it, cleaned. What is left out by cleaning
    goes with the job behind it, or else with the last. Raises `Wrong`: there are none."""
    jobs = len(workload)
    if not 1 <= first <= last or first > jobs:
        raise Wrong(f"{workload.name}: has no jobs {first:,}-{last:,}", f"it has 1-{jobs:,}")
    place = np.empty(len(trace), np.int64)
    place[np.argsort(trace.submit, kind="stable")] = np.arange(len(trace))
    since = place[workload.row[first - 2]] if first > 1 else -1
    until = place[workload.row[last - 1]] if last < jobs else len(trace)
    return _only(trace, (place > since) & (place <= until))


def _only(trace: Trace, inside: Bools) -> Trace:
    """These jobs of a log; its lines that are no jobs belong to no part, and stay counted."""
    chosen = np.flatnonzero(inside)
    columns: dict[str, Any] = {}
    for field in _OF_TRACE:
        columns[field] = getattr(trace, field)[chosen]
        columns[field].flags.writeable = False
    labels = tuple(trace.labels[row] for row in chosen.tolist()) if trace.labels else ()
    return replace(trace, **columns, labels=labels)


def noted(workload: Workload, odd: Bools, word: str) -> Workload:
    """The same, with these jobs counted as that oddity."""
    tally = Tally(workload.oddities, workload.examples)
    found = workload.called(np.flatnonzero(odd))
    tally.add(word, (f"job {job}" for job in found), len(found))
    return replace(workload, oddities=tally.counts, examples=tally.examples)


def parted(workload: Workload, trace: Trace) -> Workload:
    """The same, with the jobs counted that start with fewer others than the log says."""
    whole, here = _sizes(trace.gang), _sizes(workload.gang)
    known = workload.gang >= 0
    gangs = np.where(known, workload.gang, 0)
    return noted(workload, known & (whole[gangs] > here[gangs]), "gang_parted")


def _sizes(gang: Ints) -> Ints:
    """How many jobs are in each gang, by its number."""
    return np.bincount(gang[gang >= 0], minlength=1)
