"""Runs beside each other: in what they differ, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.words import quote
from hpcshell.track.records import Document, Run, Summary
from hpcshell.track.store import texts
from hpcshell.track.store.documents import documents
from hpcshell.track.store.jobs import NO_PRICES, Prices
from hpcshell.track.store.tables import runs

MOST: Final = 100
"""Runs beside each other."""

_numbers: Final = select(runs.c.run_id, runs.c.seq).where(
    runs.c.run_id.in_(bindparam("ids", expanding=True))
)


class Compared(Document, frozen=True, kw_only=True):
    """Each list has one value for each run, `None` where a run has none."""

    runs: list[Run]
    differing: dict[str, list[str | None]]
    """Parameters that are not the same in all runs."""
    same: dict[str, str]
    """Parameters that are."""
    metrics: dict[str, list[Summary | None]]
    columns: dict[str, list[Any]]
    """What else differs: status, seed, duration, what the job took and cost."""


def compare(connection: Connection, ids: Sequence[str], prices: Prices = NO_PRICES) -> Compared:
    """These runs, in this order. Raises `NotFound` or `Wrong`."""
    known = many(connection, ids, prices)
    differing: dict[str, list[str | None]] = {}
    same: dict[str, str] = {}
    for key in _keys(run.params for run in known):
        values = [run.params.get(key) for run in known]
        first = values[0]
        if first is not None and all(value == first for value in values):
            same[key] = first
        else:
            differing[key] = values
    return Compared(
        runs=known,
        differing=differing,
        same=same,
        metrics={
            key: [run.metrics.get(key) for run in known]
            for key in _keys(run.metrics for run in known)
        },
        columns={
            name: values
            for name, values in _columns(known).items()
            if any(value != values[0] for value in values)
        },
    )


def many(connection: Connection, ids: Sequence[str], prices: Prices = NO_PRICES) -> list[Run]:
    """The runs of these ids, in this order, each once. Raises `NotFound` or `Wrong`."""
    wanted = list(dict.fromkeys(map(texts.run_id, ids)))
    if not 1 <= len(wanted) <= MOST:
        raise Wrong(f"{len(wanted):,} runs cannot be compared", f"name 1 to {MOST}")
    rows = connection.execute(_numbers, {"ids": wanted})
    numbers: dict[str, int] = {row[0]: row[1] for row in rows}
    for run_id in wanted:
        if run_id not in numbers:
            raise NotFound(f"there is no run {quote(run_id)}", "hpc track runs lists them")
    return documents(connection, [numbers[run_id] for run_id in wanted], prices)


def duration(run: Run) -> float | None:
    """Seconds from its start to its end; `None` while it goes on."""
    if run.started_at is None or run.ended_at is None:
        return None
    return run.ended_at - run.started_at


def _columns(known: Sequence[Run]) -> dict[str, list[Any]]:
    jobs = [run.job for run in known]
    columns: dict[str, list[Any]] = {
        name: [getattr(run, name) for run in known]
        for name in ("experiment", "name", "status", "user", "host", "seed")
    }
    columns["duration"] = [duration(run) for run in known]
    for name in ("cpu_hours", "gpu_hours", "max_rss", "cpu_efficiency", "cost"):
        columns[name] = [None if job is None else getattr(job, name) for job in jobs]
    return columns


def _keys(each: Iterable[Iterable[str]]) -> list[str]:
    return sorted({key for keys in each for key in keys})
