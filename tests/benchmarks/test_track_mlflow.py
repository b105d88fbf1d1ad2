"""The benchmark of MLflow's client measures both of the servers that it is given, by rounds. Here
both are ours: MLflow's own takes half a minute to start."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import track_mlflow as bench


def test_every_goal_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "")
    options = argparse.Namespace(batches=1, single=2, rounds=1)
    with bench.ours(tmp_path / "one") as one, bench.ours(tmp_path / "another") as another:
        figures = bench.measure((bench.Logging(*one), bench.Logging(*another)), options)
    assert {goal.figure for goal in bench.GOALS} <= figures.keys()
    assert all(figure > 0 for figure in figures.values())
