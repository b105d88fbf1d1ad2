"""Deleting for good, in slices: no change keeps the others waiting for long."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, or_, select

from hpcshell.track.store.tables import (
    answers,
    chunks,
    experiments,
    files,
    jobs,
    models,
    runs,
    series,
    tokens,
    webhooks,
)

SLICE: Final = 20
"""Runs of one change."""
ROWS: Final = 1000
"""Small rows of one change."""
REMEMBERED: Final = 7 * 86400.0
"""For so many seconds events and answers are known again when they come again."""


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What is gone for good. What was uploaded for it is the caller's to remove."""

    runs: list[str] = []
    models: list[str] = []
    experiments: list[int] = []
    more: bool = False
    """Whether there is more to purge: ask again."""

    @property
    def owners(self) -> list[str]:
        """Whose uploads are of no use any more."""
        return [*self.runs, *self.models]


def due(connection: Connection, before: float) -> tuple[int, int]:
    """How many runs and experiments would go."""
    count = func.count()
    return (
        connection.scalar(select(count).select_from(runs).where(runs.c.deleted_at < before)) or 0,
        connection.scalar(
            select(count).select_from(experiments).where(experiments.c.deleted_at < before)
        )
        or 0,
    )


def purge(connection: Connection, before: float, most: int = SLICE) -> Purged:
    """Remove what was deleted before this instant, at most so many runs; experiments, and the
    models logged there, once they have no runs."""
    ids = connection.scalars(
        select(runs.c.run_id).where(runs.c.deleted_at < before).order_by(runs.c.seq).limit(most)
    ).all()
    if ids:
        _forget_runs(connection, list(ids))
    if len(ids) == most:
        return Purged(runs=list(ids), more=True)
    empty = experiments.c.deleted_at < before, ~_runs_of_experiment()
    gone = connection.scalars(select(experiments.c.id).where(*empty).limit(most)).all()
    old = or_(models.c.deleted_at < before, models.c.experiment_id.in_(gone))
    lost = connection.scalars(models.delete().where(old).returning(models.c.model_id)).all()
    connection.execute(experiments.delete().where(experiments.c.id.in_(gone)))
    more = len(gone) == most
    return Purged(runs=list(ids), models=list(lost), experiments=list(gone), more=more)


def _runs_of_experiment() -> Any:
    return select(runs.c.seq).where(runs.c.experiment_id == experiments.c.id).exists()


def _forget_runs(connection: Connection, ids: list[str]) -> None:
    """Their rows and, by the references, all that belongs to them. How far their spool files were
    taken in stays known: else what is deleted would be taken in once more."""
    keys = connection.scalars(
        select(runs.c.job_key).where(runs.c.run_id.in_(ids), runs.c.job_key.is_not(None))
    ).all()
    own = select(series.c.id).where(series.c.run_id.in_(ids))
    connection.execute(chunks.delete().where(chunks.c.series_id.in_(own)))
    connection.execute(series.delete().where(series.c.run_id.in_(ids)))
    connection.execute(files.delete().where(files.c.run_id.in_(ids)))
    connection.execute(runs.delete().where(runs.c.run_id.in_(ids)))
    alone = ~select(runs.c.seq).where(runs.c.job_key == jobs.c.key).exists()
    connection.execute(jobs.delete().where(jobs.c.key.in_(keys), alone))


def forget(connection: Connection, before: float, most: int = ROWS) -> bool:
    """Remove events, kept answers and sessions from before; whether there is more."""
    return any(
        [
            _forget(connection, webhooks.c.event, webhooks.c.received_at < before, most),
            _forget(connection, answers.c.key, answers.c.created_at < before, most),
            _forget(
                connection, tokens.c.id, tokens.c.session & (tokens.c.expires_at < before), most
            ),
        ]
    )


def _forget(connection: Connection, key: Any, old: Any, most: int) -> bool:
    its = select(key).where(old).limit(most)
    return connection.execute(key.table.delete().where(key.in_(its))).rowcount == most
