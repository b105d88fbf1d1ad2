"""Experiments and runs, made in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Connection, NullPool, create_engine, make_url

from hpcshell.track.records import Run
from hpcshell.track.store import experiments, runs
from hpcshell.track.store.runs import NewRun
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import metadata, secrets, series

NOW = 1_700_000_000.0


def psycopg_url(url: str) -> URL:
    """The URL with the driver that we have."""
    return make_url(url).set(drivername="postgresql+psycopg")


def emptied(url: URL) -> None:
    """Leave the tables of a database of PostgreSQL with nothing but its own keys in them."""
    names = [table.name for table in metadata.sorted_tables if table is not secrets]
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(names)} RESTART IDENTITY")


def experiment(store: Store, name: str = "mnist", now: float = NOW) -> int:
    """The number of a new one."""
    return store.change(lambda connection: experiments.create(connection, name, now=now)).id


def run(store: Store, experiment_id: int, now: float = NOW, **fields: Any) -> Run:
    """A new one."""
    new = NewRun(experiment_id=experiment_id, **fields)
    return store.change(lambda connection: runs.create(connection, new, now))


def show(store: Store, run_id: str) -> Run:
    """How it is now."""
    with store.reading() as connection:
        return runs.show(connection, run_id)


def measured(connection: Connection, run_id: str, metrics: Mapping[str, float | None]) -> None:
    """Write summaries of metrics of which only the last value matters; `None` is NaN."""
    for key, value in metrics.items():
        row = {
            "run_id": run_id,
            "key": key,
            "count": 1,
            "chunks": 0,
            "last": value,
            "last_step": 0,
            "last_time": NOW,
            "min": value,
            "min_step": None if value is None else 0,
            "max": value,
            "max_step": None if value is None else 0,
        }
        connection.execute(series.insert(), row)


def log(store: Store, run_id: str, metrics: Mapping[str, float | None]) -> None:
    """The same as a change of its own."""
    store.change(lambda connection: measured(connection, run_id, metrics))
