"""The list of all jobs, window by window: each job once, whatever is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.daemon.verbs import listing
from tests.support.benches import Bench, Clock


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
    assert not bench.complaints()


def all_of(bench: Bench, **asked: Any) -> list[int]:
    """The ids of all pages."""
    found: list[int] = []
    before = None
    while True:
        where: dict[str, Any] = {} if before is None else {"before": before}
        answer = bench.ask("jobs", limit=2, **where, **asked)
        found += [row["id"] for row in answer["rows"]]
        if (before := answer["before"]) is None:
            return found


@pytest.mark.parametrize("window", [1, 2, 3, 5000])
def test_every_window_gives_the_same_list(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(listing, "WINDOW", window)
    for number in range(9):
        bench.submit("true", hold=True, name=f"n{number % 2}", tags=("t",) if number % 3 else ())
    for job in (2, 5, 6):
        bench.ask("cancel", ids=[str(job)])
    assert all_of(bench) == list(range(9, 0, -1))
    assert all_of(bench, states=["CANCELLED"]) == [6, 5, 2]
    assert all_of(bench, states=["PENDING"]) == [9, 8, 7, 4, 3, 1]
    assert all_of(bench, names=["n0"]) == [9, 7, 5, 3, 1]
    assert all_of(bench, tags=["t"], names=["n1"]) == [8, 6, 2]
    assert all_of(bench, user="nobody at all") == []
    assert all_of(bench, partition="main") == list(range(9, 0, -1))
    assert all_of(bench, partition="other") == []
    assert all_of(bench, partition="other") == []


def test_windows_that_were_empty_are_looked_through_again_once_something_happens(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "WINDOW", 2)
    for _ in range(7):
        bench.submit("true", hold=True)
    for job in (2, 5, 1):
        assert job not in all_of(bench, states=["CANCELLED"])
        assert job not in all_of(bench, states=["CANCELLED"])
        bench.ask("cancel", ids=[str(job)])
        assert job in all_of(bench, states=["CANCELLED"])
    bench.submit("true", hold=True)
    assert all_of(bench, states=["CANCELLED"]) == [5, 2, 1]


def test_what_is_shown_of_an_ended_job_is_what_the_history_has(bench: Bench) -> None:
    bench.submit("true")
    bench.finish(1)
    bench.submit("true", array="0-2", hold=True)
    bench.ask("cancel", ids=["2"])
    assert bench.ask("jobs")["rows"] == bench.ask("history")["rows"][::1]


def test_the_history_goes_on_behind_a_row(bench: Bench) -> None:
    for _ in range(5):
        bench.submit("true", hold=True)
    bench.ask("cancel", all=True)
    rows = bench.ask("history", limit=2)["rows"]
    last = rows[-1]
    rest = bench.ask("history", behind=[last["end_time"], last["id"]])["rows"]
    assert [row["id"] for row in rows + rest] == [5, 4, 3, 2, 1]
    with pytest.raises(Wrong):
        bench.ask("history", behind=[1.0, 2, 3])


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": "x"}, {"before": -1}])
def test_what_is_no_page_is_refused(bench: Bench, asked: dict[str, Any]) -> None:
    with pytest.raises(Wrong):
        bench.ask("jobs", **asked)
