"""The loop on the bench: one tick at a time, with a runner that pretends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.core.errors import NotYet
from hpcshell.daemon import runner_wire as wire
from tests.support.benches import Bench, Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
    assert not bench.complaints()


def test_a_job_is_started_and_its_end_is_told(bench: Bench) -> None:
    job = bench.submit("true")
    assert bench.state(job) == "RUNNING"
    bench.finish(job, code=3)
    assert bench.show(job)["exit_code"] == 3
    assert bench.state(job) == "FAILED"
    assert not bench.runner.reports, "its end was acknowledged"
