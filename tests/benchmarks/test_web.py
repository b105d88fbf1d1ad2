"""The benchmark of readers reads all that it says, from a server over a store and a queue."""

from __future__ import annotations

from pathlib import Path

import pytest
import web as bench
from track_store import Size


def test_every_goal_is_measured(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "STREAMS", 20)
    monkeypatch.setattr(bench, "READERS", 5)
    size = Size(jobs=20, runs=4, points=8_000, experiments=1)
    figures = bench.measure(home, size, 0.05)
    assert {goal.figure for goal in bench.GOALS} <= figures.keys()
    assert all(figure > 0 for figure in figures.values())
    shown = capsys.readouterr().out
    assert all(f"| {path} " in shown for path in (*bench.PAGES, *bench.UNPAGED, bench.FIGURES))
