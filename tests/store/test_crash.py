"""`kill -9` before and after every write: each change is there whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hpcshell.store.store import Store
from tests.store.crashing import STEPS, tables


def _states(path: Path) -> tuple[list[list[str]], int]:
    """What is stored after 0, 1, 2, ... changes, and how many writes all of them are."""
    writes: list[int] = []
    with Store.open(path, on_write=lambda when, number, kind: writes.append(number)) as store:
        states = [tables(store)]
        for step in STEPS:
            with store.change() as change:
                step(change)
            states.append(tables(store))
    return states, max(writes)


def test_whatever_write_it_is_killed_at_a_change_is_there_whole_or_not_at_all(
    tmp_path: Path,
) -> None:
    states, count = _states(tmp_path / "whole.db")
    places = tmp_path / "killed"
    places.mkdir()
    subprocess.run(
        [sys.executable, "-m", "tests.store.crashing", places, "1", "1"],
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    killed = [place for place in places.iterdir() if place.name != f"before-{count + 1}"]
    assert len(killed) == 2 * count
    for place in killed:
        note = place / "acknowledged"
        acknowledged = int(note.read_text() or 0) if note.exists() else 0
        with Store.open(place / "hpcshell.db") as store:
            assert store.check() == []
            found = states.index(tables(store))
            assert found in (acknowledged, acknowledged + 1), place
            assert found == acknowledged or place.name.startswith("after"), place
            for step in STEPS[found:]:
                with store.change() as change:
                    step(change)
            assert tables(store) == states[-1], "and goes on as if nothing had happened"
