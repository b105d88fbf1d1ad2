"""The best runs of an experiment by a metric."""

from __future__ import annotations

from typing import Final, Literal

from sqlalchemy import Connection, select

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.track.records import Document, Run, number
from hpcshell.track.store import experiments, texts
from hpcshell.track.store.deadlines import SECONDS, deadline
from hpcshell.track.store.documents import documents
from hpcshell.track.store.filters.sql import condition
from hpcshell.track.store.filters.vocabulary import RUNS
from hpcshell.track.store.jobs import NO_PRICES, Prices
from hpcshell.track.store.tables import runs, series

By = Literal["last", "min", "max"]
MOST: Final = 1000


class Best(Document, frozen=True, kw_only=True):
    """A run and its place, from 1 on; the same value does not make the same place."""

    rank: int
    value: float | str
    step: int
    run: Run


_its: Final = runs.alias()
"""Asked for first: the runs of an experiment are fewer than all that have the metric."""


def best(
    connection: Connection,
    experiment_id: int,
    metric: str,
    *,
    least: bool = False,
    by: By | None = None,
    filter: str = "",
    limit: int = 10,
    prices: Prices = NO_PRICES,
) -> list[Best]:
    """The runs with the greatest values, or the least; of each the value `by` which it is judged
    (`None`: the best that it had). NaN is no value; of the same value the earlier run is better.
    Raises `NotFound` or `Wrong`."""
    if not 1 <= limit <= MOST:
        raise Wrong(f"limit: {limit} is not possible", f"write 1 to {MOST}")
    judged = by or ("min" if least else "max")
    if judged not in ("last", "min", "max"):
        raise Wrong(f"by: {quote(judged)} is not possible", "there are last, min, max")
    experiments.show(connection, experiment_id)
    value, step = series.c[judged], series.c[f"{judged}_step"]
    own = select(_its.c.run_id).where(_its.c.experiment_id == experiment_id)
    statement = (
        select(runs.c.seq, value, step)
        .join_from(series, runs, series.c.run_id == runs.c.run_id)
        .where(series.c.key == texts.key(metric, "metric"), value.is_not(None))
        .where(series.c.run_id.in_(own), runs.c.deleted_at.is_(None))
        .order_by(value.asc() if least else value.desc(), runs.c.seq)
        .limit(limit)
    )
    if (filtered := condition(RUNS, filter)) is not None:
        statement = statement.where(filtered)
    with deadline(connection, SECONDS):
        rows = connection.execute(statement).all()
    found = documents(connection, [row[0] for row in rows], prices)
    return [
        Best(rank=rank, value=number(row[1]), step=row[2], run=run)
        for rank, (row, run) in enumerate(zip(rows, found, strict=True), start=1)
    ]
