"""The made points of the benchmark are collected whole, each in one of the three ways."""

from __future__ import annotations

from pathlib import Path

import pytest
import sweep_collecting as bench

from hpcshell.sweeps.collecting import collected


def test_every_made_point_has_its_results(tmp_path: Path) -> None:
    points = collected([bench.written(tmp_path / str(index), index) for index in range(12)])
    losses = [point.metrics["loss"] for point in points]
    assert losses == pytest.approx([0.1 + index for index in range(12)])
    assert {"val.acc" in point.metrics for point in points} == {True, False}
    assert [point.index for point in points if point.state == "FAILED"] == [9]


def test_all_figures_are_measured(tmp_path: Path) -> None:
    assert set(bench.measure(tmp_path, 30)) == {goal.figure for goal in bench.GOALS}
