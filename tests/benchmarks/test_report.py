"""What the benchmarks print and keep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from harness.figures import Goal, Turn
from harness.report import Record, goal_table, number, table


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.01234, "0.0123"), (1.5, "1.50"), (99.95, "100.0"), (1234.5, "1,234")],
)
def test_a_number_has_three_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_a_table_is_aligned() -> None:
    lines = table(["who", "rate"], [["a", 1000.0], ["longer", None]]).splitlines()
    assert lines == [
        "| who    |  rate |",
        "| ------ | ----: |",
        "| a      | 1,000 |",
        "| longer |     - |",
    ]


def test_a_goal_that_was_not_measured_is_not_passed() -> None:
    text = goal_table([Goal("rate", "fast", "/s", at_least=7)], {})
    assert "SKIP" in text
    assert "PASS" not in text


def test_the_record_holds_every_turn_and_every_verdict(tmp_path: Path) -> None:
    one = Turn("x", "1.0", "throughput", 0, 10, 0.5, 0.1, 0.0, {"start": [0.1]})
    record = Record(
        "throughput",
        {"cpu": "some"},
        "cgroup",
        {},
        [one],
        skipped={"y": "absent"},
        figures={"rate": 20.0},
    )
    record.save(tmp_path / "deep/r.json", [Goal("rate", "fast", "/s", at_least=7)])
    kept = json.loads((tmp_path / "deep/r.json").read_text())
    assert kept["schema"] == 1
    assert kept["turns"][0]["seconds"] == 0.5
    assert kept["skipped"] == {"y": "absent"}
    assert kept["goals"][0]["verdict"] == "PASS"
