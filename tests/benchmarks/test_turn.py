"""A turn is held in a process of its own and leaves nothing behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from harness.turn import Ask, Failed, Place, hold_turn
from peers.commands import edges, makefile, ninja_file


def alive_in(directory: Path) -> list[str]:
    """Processes whose working directory is below it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                where = os.readlink(entry / "cwd")
            except OSError:
                continue
            if where.startswith(str(directory)):
                found.append(entry.name)
    return found


def test_a_contender_answers_and_is_cleared_away(tmp_path: Path) -> None:
    place = Place(sys.executable, tmp_path, timeout=30)
    (turn,) = hold_turn("Python threads", [Ask("throughput", 20)], place, round_number=3)
    assert (turn.contender, turn.tasks, turn.round) == ("Python threads", 20, 3)
    assert turn.seconds > 0
    assert turn.cpu_seconds >= 0
    assert list(tmp_path.iterdir()) == []
    assert alive_in(tmp_path) == []


def test_a_contender_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    place = Place(sys.executable, tmp_path, timeout=0.01)
    with pytest.raises(Failed, match="time limit"):
        hold_turn("Python threads", [Ask("throughput", 100_000)], place)
    assert list(tmp_path.iterdir()) == []
    assert alive_in(tmp_path) == []


def test_an_error_in_a_contender_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="no_such_question"):
        hold_turn("Python threads", [Ask("no_such_question", 1)], Place(sys.executable, tmp_path))


def test_a_chain_waits_for_the_one_before_and_a_fan_for_all() -> None:
    assert edges("chain", 3) == [("t0", []), ("t1", ["t0"]), ("t2", ["t1"])]
    assert edges("fan", 2) == [
        ("first", []),
        ("t0", ["first"]),
        ("t1", ["first"]),
        ("last", ["t0", "t1"]),
    ]
    assert edges("throughput", 2) == [("t0", []), ("t1", [])]
    assert "t1: t0\n" in makefile("chain", 2)
    assert "build t1: true t0\n" in ninja_file("chain", 2)
