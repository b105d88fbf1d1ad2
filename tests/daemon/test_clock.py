"""P7: somebody sets the clock. What runs keeps its limits, what waits neither starts too early nor
waits for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.benches import Bench, Clock
from tests.support.daemons import Daemon

HOUR, YEAR = 3600.0, 365.25 * 86400


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
    assert not bench.complaints()


@pytest.mark.parametrize("jump", [-HOUR, YEAR])
def test_a_jump_ends_nothing_that_runs(bench: Bench, clock: Clock, jump: float) -> None:
    job = bench.submit("true", request={"time_limit": 60.0})
    orders = len(bench.runner.orders)
    clock.set_wall(jump)
    bench.settle()
    assert bench.state(job) == "RUNNING"
    assert len(bench.runner.orders) == orders, "the limit is the runner's, by its own clock"
    bench.finish(job)
    assert bench.state(job) == "COMPLETED"


def test_a_begin_time_is_that_of_the_clock_on_the_wall(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true", begin=clock.wall + 2 * HOUR)
    clock.set_wall(HOUR)
    bench.settle()
    assert bench.state(job) == "PENDING"
    clock.set_wall(HOUR)
    bench.settle()
    assert bench.state(job) == "RUNNING"


def test_what_is_to_begin_later_waits_again_when_the_clock_is_set_back(
    bench: Bench, clock: Clock
) -> None:
    clock.set_wall(YEAR)
    bench.settle()
    clock.set_wall(-YEAR)
    bench.settle()
    job = bench.submit("true", begin=clock.wall + 60.0)
    assert bench.state(job) == "PENDING"
    clock.pass_time(61.0)
    bench.settle()
    assert bench.state(job) == "RUNNING"


def test_a_retry_does_not_wait_as_long_as_the_clock_was_wrong(bench: Bench, clock: Clock) -> None:
    job = bench.submit("false", retry={"limit": 1, "delay": 10.0, "jitter": 0.0})
    bench.finish(job, code=1)
    clock.set_wall(-HOUR)
    bench.settle()
    clock.pass_time(11.0)
    bench.settle()
    assert bench.show(job)["attempt"] == 2


def test_the_same_when_the_daemon_was_away_meanwhile(bench: Bench, clock: Clock) -> None:
    job = bench.submit("false", retry={"limit": 1, "delay": 10.0, "jitter": 0.0})
    bench.finish(job, code=1)
    clock.set_wall(-HOUR)
    bench.crash()
    bench.settle()
    assert bench.show(job)["attempt"] == 2


def test_a_small_correction_changes_nothing(bench: Bench, clock: Clock) -> None:
    job = bench.submit("false", retry={"limit": 1, "delay": 10.0, "jitter": 0.0})
    bench.finish(job, code=1)
    clock.set_wall(-0.5)
    bench.settle()
    assert bench.show(job)["attempt"] == 1
    clock.pass_time(11.0)
    bench.settle()
    assert bench.show(job)["attempt"] == 2


@pytest.mark.parametrize("jump", [-HOUR, YEAR])
def test_a_wait_takes_its_time_by_the_steady_clock(bench: Bench, clock: Clock, jump: float) -> None:
    job = bench.submit("true")
    number = bench.send("wait", ids=[job], timeout=30.0)
    bench.settle()
    clock.set_wall(jump)
    bench.settle()
    assert bench.heard() == []
    clock.pass_time(31.0)
    bench.settle()
    assert bench.answer(number)["timed_out"]


@pytest.mark.parametrize("jump", [-HOUR, YEAR])
def test_an_end_before_its_start_is_recorded_as_it_is_told(
    bench: Bench, clock: Clock, jump: float
) -> None:
    job = bench.submit("true")
    clock.set_wall(jump)
    bench.finish(job, code=3)
    assert bench.state(job) == "FAILED"
    bench.crash()
    bench.settle()
    assert bench.show(job)["exit_code"] == 3


CLOCKED = """
import os, time
if os.environ.get("TEST_CLOCK"):
    import hpcshell.machine.clock as clock
    def now(read=os.environ["TEST_CLOCK"]):
        with open(read) as file:
            return time.time() + float(file.read() or 0)
    clock.now = now
"""


@pytest.mark.parametrize("jump", [-HOUR, YEAR])
def test_a_real_daemon_and_its_runner_keep_a_time_limit_over_a_jump(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    (tmp_path / "sitecustomize.py").write_text(CLOCKED)
    offset = tmp_path / "offset"
    offset.write_text("0")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TEST_CLOCK", str(offset))
    daemon = Daemon(home, {"HPC_RESOURCES__CPUS": "3"})
    daemon.start()
    client = daemon.client()
    common = {"cwd": str(tmp_path), "env": {}, "stdout": "/dev/null"}
    limited = {**common, "argv": ["sleep", "300"], "request": {"time_limit": 1.5}}
    free = {**common, "argv": ["sleep", "300"]}
    jobs = client.call("submit", submissions=[limited, free])["jobs"]
    ids = [job["id"] for job in jobs]
    offset.write_text(str(jump))
    done = client.call("wait", ids=ids[:1])["done"]
    assert done[0]["state"] == "TIMEOUT"
    assert client.call("wait", ids=ids[1:], timeout=0.2)["timed_out"]
    [view] = client.call("show", ids=ids[1:])["jobs"]
    assert view["state"] == "RUNNING"
    assert daemon.complaints == []
