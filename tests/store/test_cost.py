"""Coarse guards of what the store may cost; `python -m tests.store.cost` has the figures."""

from __future__ import annotations

from pathlib import Path

from hpcshell.store.store import Store
from tests.store import cost, made


def test_a_turn_of_an_array_costs_less_than_a_millisecond_of_cpu(store: Store) -> None:
    assert cost.turns(store)["cpu_us"] < 1000


def test_ten_thousand_queued_jobs_are_loaded_in_a_second(path: Path) -> None:
    figures = cost.loading(path, 10_000)
    assert figures["jobs"] == 10_000
    assert figures["cpu_s"] < 1


def test_a_million_elements_are_one_row(store: Store) -> None:
    with store.change() as change:
        made.submit(change, array="0-999999")
    [live] = store.live_jobs()
    assert len(live.waiting) == 1_000_000
    assert store.tally(1) == {"PENDING": 1_000_000}
