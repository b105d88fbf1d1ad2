"""The store that programs measure is as large as it says, and the figures are of all there is."""

from __future__ import annotations

from pathlib import Path

import pytest
import track_ingestion
import track_store
from sqlalchemy import URL, func, select

from hpcshell.track.points.reading import curves
from hpcshell.track.store import runs
from hpcshell.track.store.opening import open_store
from hpcshell.track.store.tables import jobs, series
from hpcshell.track.store.tables import runs as runs_table


def test_there_are_as_many_jobs_runs_and_points_as_were_asked_for(tmp_path: Path) -> None:
    size = track_store.Size(jobs=200, runs=20, points=20_000, experiments=3)
    with open_store(URL.create("sqlite", database=str(tmp_path / "track.db"))) as store:
        track_store.fill(store, size)
        with store.reading() as connection:
            assert connection.scalar(select(func.count()).select_from(jobs)) == 200
            assert connection.scalar(select(func.count()).select_from(runs_table)) == 20
            assert connection.scalar(select(func.sum(series.c.count))) == size.points
            run = runs.show(connection, track_store.run_id(19))
            assert run.job is not None
            assert run.job.id == "191"
            assert len(curves(connection, run.run_id, None)) == 24


def test_every_goal_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPCSHELL_HOME", str(tmp_path))
    figures = track_ingestion.measure(tmp_path, 0.01)
    assert figures.keys() == {goal.figure for goal in track_ingestion.GOALS}
    assert all(figure > 0 for figure in figures.values())
