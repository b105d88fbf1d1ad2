"""Orders are asked for again often enough, and never for more than their part of the time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.daemon.reranking import BURST, SHARE, Reranking
from hpcshell.machine import clock as clocks
from tests.support.benches import Bench, Clock, configuration


class Queue:
    def foremost(self) -> object:
        return self


class View:
    """Takes `cost` seconds to rank, by the clock it moves."""

    def __init__(self, time: list[float]) -> None:
        self.queue = Queue()
        self.time = time
        self.cost = 0.0
        self.spent = 0.0

    def advance(self, now: float) -> None:
        pass

    def rerank(self) -> bool:
        self.time[0] += self.cost
        self.spent += self.cost
        return True


class Engine:
    """As much of one as is asked."""

    def __init__(self, view: View, age: str) -> None:
        tables = {"scheduler": {"order": "wfp3", "rerank": age}}
        found = configuration(**tables)
        self.view = view
        self.dirty = False
        self.regime = type("Regime", (), {"timely": True})
        self.host = type("Host", (), {"settings": found})


@given(
    costs=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60),
    pauses=st.lists(st.floats(0.0, 2.0), min_size=60, max_size=60),
    age=st.sampled_from(("0s", "1s", "30s")),
)
def test_no_more_than_its_part_of_the_time(
    costs: list[float], pauses: list[float], age: str
) -> None:
    time = [1000.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clocks, "monotonic", lambda: time[0])
        view = View(time)
        alarms: list[float] = []
        ranking = Reranking(lambda seconds, ring: alarms.append(seconds))
        engine: Any = Engine(view, age)
        for cost, pause in zip(costs, pauses, strict=False):
            time[0] += pause
            view.cost = cost
            ranking.renew(engine, 0.0)
            assert view.spent <= BURST + SHARE * (time[0] - 1000.0) + max(costs)
        assert len(alarms) <= 1, "it is asked for again once, not once for every decision"


def test_a_short_queue_is_in_order_at_every_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    tables = {"scheduler": {"order": "wfp3", "rerank": "0s"}}
    bench = Bench(tmp_path, settings=configuration(**tables))
    blocker = bench.submit(request={"cpus": 4})
    long = bench.submit(request={"cpus": 4, "time_limit": 6000.0})
    clock.pass_time(10.0)
    short = bench.submit(request={"cpus": 4, "time_limit": 6.0})
    clock.pass_time(10.0)
    bench.finish(blocker)
    assert (bench.state(short), bench.state(long)) == ("RUNNING", "PENDING")
    bench.close()
