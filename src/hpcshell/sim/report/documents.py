"""What simulations found, for programs: documents, and CSV of the measures and of the jobs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from hpcshell.sim.simulate import Simulation

JOB_FIELDS: Final = ("job", "submit", "start", "end", "wait")
BATCH: Final = 1 << 15
"""Jobs that are written at once."""


def document(found: Simulation) -> dict[str, Any]:
    """The measures and what they are of. Seconds; shares are of 1."""
    measures, policy = found.measures, found.policy
    return {
        "policy": policy.name,
        "jobs": measures.jobs,
        "makespan": measures.makespan,
        "utilization": measures.utilization,
        "mean_wait": measures.mean_wait,
        "median_wait": measures.median_wait,
        "p95_wait": measures.p95_wait,
        "max_wait": measures.max_wait,
        "avebsld": measures.avebsld,
        "backfilled": found.backfilled_share,
        "cpu_seconds": found.cpu_seconds,
        "simulated_per_second": found.per_second,
        "user_avebsld": measures.user_avebsld,
        "fairness": measures.fairness,
        "overtaking": measures.overtaking,
        "trace": found.workload.name,
        "machine": found.workload.machine,
        "nodes": 0 if found.layout is None else len(found.layout.nodes),
        "place": "" if found.layout is None else found.layout.way,
        "order": policy.order,
        "fill": policy.fill or policy.order,
        "predict": policy.predict,
        "variant": policy.variant,
        "engine": found.engine,
        "cut_short": found.cut_short,
        "killed": found.killed,
        "lost": found.lost,
        "suspended": found.toll.suspended,
        "requeued": found.toll.requeued,
        "cancelled": found.toll.cancelled,
        "lost_work": found.toll.lost_work,
    }


def table_csv(simulations: Sequence[Simulation]) -> str:
    """One line a policy, with the names of the columns before them."""
    lines = io.StringIO()
    rows = [document(found) for found in simulations]
    writer = csv.DictWriter(lines, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"trace": _text(row["trace"])} for row in rows)
    return lines.getvalue()


def _text(word: str) -> str:
    """What a spreadsheet would take for a formula is marked as text."""
    return "'" + word if word[:1] in ("=", "+", "-", "@", "\t", "\r") else word


def jobs_csv(found: Simulation) -> Iterator[str]:
    """When each job was submitted, started and ended, in pieces of text; what is not known of a job
    that was not started is left empty."""
    yield ",".join(JOB_FIELDS) + "\n"
    work, start = found.workload, found.start
    columns = (work.submit, start, found.end, start - work.submit)
    for first in range(0, len(work), BATCH):
        chosen = slice(first, first + BATCH)
        called = map(_field, work.called(chosen))
        words = (_words(column[chosen]) for column in columns)
        yield "".join(",".join(line) + "\n" for line in zip(called, *words, strict=True))


def _field(word: str) -> str:
    """A word of a log as a field of CSV."""
    word = _text(word)
    return '"' + word.replace('"', '""') + '"' if set(word) & set(',"\r\n') else word


def _words(column: np.ndarray[Any, Any]) -> list[str]:
    """Whole numbers without a fraction."""
    return [
        "" if value != value else str(int(value)) if value == int(value) else repr(value)
        for value in column.tolist()
    ]
