"""Runs to log to, and what plain Python says of points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select

from hpcshell.track.points.chunks import Points
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import experiments, runs, series

Triple = tuple[int, float, float]
RUN = "0" * 32


def triples(points: int = 30) -> st.SearchStrategy[list[Triple]]:
    """Points of all kinds, many of them alike."""
    step = st.one_of(st.integers(0, 5), st.integers(-(1 << 63), (1 << 63) - 1))
    time = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(allow_nan=False, allow_infinity=False))
    value = st.one_of(st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0]), st.floats())
    return st.lists(st.tuples(step, time, value), max_size=points)


def add_run(connection: Connection, run_id: str = RUN, *, user: str = "") -> str:
    """A run that goes on, in an experiment of its own."""
    one = {"name": f"of {run_id}", "created_at": 1.0, "updated_at": 1.0}
    experiment = connection.execute(insert(experiments).returning(experiments.c.id), one).scalar()
    row = {
        "run_id": run_id,
        "experiment_id": experiment,
        "status": "RUNNING",
        "source": "rest",
        "user": user,
        "created_at": 1.0,
        "updated_at": 1.0,
    }
    connection.execute(insert(runs), row)
    return run_id


def made_run(store: Store, run_id: str = RUN, *, user: str = "") -> str:
    return store.change(lambda connection: add_run(connection, run_id, user=user))


def points_of(some: Sequence[Triple]) -> Points:
    return Points.of(some)


def expected_order(some: Sequence[Triple]) -> list[Triple]:
    return [one for _, one in sorted(enumerate(some), key=lambda pair: (*pair[1][:2], pair[0]))]


def expected_summary(some: Sequence[Triple]) -> dict[str, Any]:
    last = max(some, key=lambda p: (p[0], p[1], not math.isnan(p[2]), _known(p[2])))
    numbers = [value for _, _, value in some if not math.isnan(value)]
    low, high = min(numbers, default=None), max(numbers, default=None)
    return {
        "count": len(some),
        "last": None if math.isnan(last[2]) else last[2],
        "last_step": last[0],
        "last_time": last[1],
        "min": low,
        "min_step": min((s for s, _, v in some if v == low), default=None),
        "max": high,
        "max_step": min((s for s, _, v in some if v == high), default=None),
    }


def _known(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def summary(connection: Connection, run_id: str, key: str) -> dict[str, Any]:
    """What the store says of a metric."""
    kept = [series.c[name] for name in expected_summary([(0, 0.0, 0.0)])]
    where = (series.c.run_id == run_id, series.c.key == key)
    return dict(connection.execute(select(*kept).where(*where)).mappings().one())


def same(one: Sequence[Triple], other: Sequence[Triple]) -> bool:
    """Equal, NaN being equal to itself."""
    return [(s, t, repr(v)) for s, t, v in one] == [(s, t, repr(v)) for s, t, v in other]


class _Undone(Exception):
    """Ends a change that is not to last."""


def undone(store: Store, law: Callable[[Connection], None]) -> None:
    """What a law does to the store is undone, so that it may be tried often."""

    def work(connection: Connection) -> None:
        law(connection)
        raise _Undone

    with pytest.raises(_Undone):
        store.change(work)
