"""When a run last wrote a checkpoint."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcshell.machine import checkpoints, clock


def test_it_is_when_its_file_was_touched(tmp_path: Path) -> None:
    directory = str(tmp_path)
    assert checkpoints.last_checkpoint(directory, 7) is None
    file = Path(checkpoints.path_of(directory, 7))
    file.touch()
    os.utime(file, (1000.0, 2000.5))
    assert checkpoints.last_checkpoint(directory, 7) == 2000.5


def test_it_is_never_in_the_future(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: 5000.0)
    Path(checkpoints.path_of(str(tmp_path), 7)).touch()
    assert checkpoints.last_checkpoint(str(tmp_path), 7) == 5000.0


def test_it_keeps_its_age_when_the_clock_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, time in (("7", 4000.0), ("8", 4950.0), ("other", 4000.0)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    monkeypatch.setattr(clock, "now", lambda: 5000.0)
    checkpoints.move(str(tmp_path), 900.0)
    times = {path.name: path.stat().st_mtime for path in tmp_path.iterdir()}
    assert times == {"7": 4900.0, "8": 4950.0, "other": 4000.0}, "8 is by the new clock already"
    checkpoints.move(str(tmp_path / "nowhere"), 900.0)


def test_what_runs_left_behind_is_removed(tmp_path: Path) -> None:
    for name in ("1", "2", "12", "other"):
        (tmp_path / name).touch()
    (tmp_path / "directory").mkdir()
    checkpoints.tidy(str(tmp_path), {2, 3})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "directory"]
    checkpoints.tidy(str(tmp_path / "nowhere"), {2})
