"""The benchmark of logging measures what it says, with a server that has it all in the end."""

from __future__ import annotations

from pathlib import Path

import pytest
import track_logging as bench


def test_all_figures_of_ours_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPCSHELL_HOME", str(tmp_path / "home"))
    figures, rows = bench.measure(tmp_path, 50, peers=False)
    assert {goal.figure for goal in bench.GOALS if "mlflow" not in goal.figure} <= set(figures)
    assert all(figure > 0 for figure in figures.values())
    assert len(rows) == 6
    left = list((tmp_path / "spool").iterdir())
    assert len(left) == 3, "what was sent is not kept"
