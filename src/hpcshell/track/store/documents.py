"""Rows of runs as documents, whole pages of them in a constant number of questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, select

from hpcshell.track.records import JobRow, Number, Run, Summary, number
from hpcshell.track.store import jobs as joined
from hpcshell.track.store.jobs import Prices
from hpcshell.track.store.tables import experiments, jobs, params, runs, series, tags

_OWN: Final = tuple(name for name in Run.__struct_fields__ if name in runs.c and name != "config")
_RUNS: Final = (
    select(
        runs.c.seq, runs.c.job_key, runs.c.config, experiments.c.name, *(runs.c[n] for n in _OWN)
    )
    .join(experiments, runs.c.experiment_id == experiments.c.id)
    .where(runs.c.seq.in_(bindparam("numbers", expanding=True)))
)
_PARAMS: Final = (
    select(params.c.run_id, params.c.key, params.c.value)
    .where(params.c.run_id.in_(bindparam("ids", expanding=True)))
    .order_by(params.c.run_id, params.c.key)
)
_TAGS: Final = (
    select(tags.c.run_id, tags.c.key, tags.c.value)
    .where(tags.c.run_id.in_(bindparam("ids", expanding=True)))
    .order_by(tags.c.run_id, tags.c.key)
)
_SUMMARY: Final = (
    *("count", "last", "last_step", "last_time", "min", "min_step", "max", "max_step"),
)
_SERIES: Final = (
    select(series.c.run_id, series.c.key, *(series.c[name] for name in _SUMMARY))
    .where(series.c.run_id.in_(bindparam("ids", expanding=True)))
    .order_by(series.c.run_id, series.c.key)
)
_JOBS: Final = select(jobs).where(jobs.c.key.in_(bindparam("keys", expanding=True)))


def documents(connection: Connection, numbers: Sequence[int], prices: Prices) -> list[Run]:
    """The runs of these numbers in this order, each whole."""
    if not numbers:
        return []
    rows = {row[0]: row for row in connection.execute(_RUNS, {"numbers": numbers})}
    found = [rows[number] for number in numbers if number in rows]
    at = 4 + _OWN.index("run_id")
    whose = {"ids": [row[at] for row in found]}
    its_params = _texts(connection, _PARAMS, whose)
    its_tags = _texts(connection, _TAGS, whose)
    its_metrics = _metrics(connection, whose)
    its_jobs = _jobs(connection, [row[1] for row in found if row[1] is not None], prices)
    return [
        Run(
            **dict(zip(_OWN, row[4:], strict=True)),
            config={} if row[2] == "{}" else msgspec.json.decode(row[2]),
            experiment=row[3],
            params=its_params.get(row[at], {}),
            tags=its_tags.get(row[at], {}),
            metrics=its_metrics.get(row[at], {}),
            job=its_jobs.get(row[1]),
        )
        for row in found
    ]


def _texts(connection: Connection, statement: Any, whose: Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for run_id, key, value in connection.execute(statement, whose):
        if run_id in found:
            found[run_id][key] = value
        else:
            found[run_id] = {key: value}
    return found


def _metrics(connection: Connection, whose: Any) -> dict[str, dict[str, Summary]]:
    found: dict[str, dict[str, Summary]] = {}
    for run_id, key, *values in connection.execute(_SERIES, whose):
        found.setdefault(run_id, {})[key] = summary(*values)
    return found


def summary(
    count: int,
    last: float | None,
    last_step: int,
    last_time: float,
    *extremes: Any,
) -> Summary:
    """Columns of `series` from `count` on, as they are in the table."""
    least, least_step, greatest, greatest_step = extremes
    return Summary(
        count=count,
        last=number(last),
        last_step=last_step,
        last_time=last_time,
        min=_extreme(least, least_step),
        min_step=least_step,
        max=_extreme(greatest, greatest_step),
        max_step=greatest_step,
    )


def _extreme(value: float | None, step: int | None) -> Number | None:
    return None if step is None else number(value)


def _jobs(connection: Connection, keys: list[int], prices: Prices) -> dict[Any, JobRow]:
    if not keys:
        return {}
    rows = connection.execute(_JOBS, {"keys": keys}).mappings()
    return {row["key"]: joined.document(row, prices) for row in rows}
