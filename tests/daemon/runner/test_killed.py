"""Whatever is killed, whenever: a run is started once, and how it ended is known."""

from __future__ import annotations

import os
import random
import select
import signal
import time
from collections.abc import Iterator

import pytest

from hpcshell.daemon.runner import wire
from hpcshell.machine import processes
from tests.support.homes import wait_for_exit
from tests.support.runners import Driver, eventually, running


@pytest.fixture
def runner() -> Iterator[Driver]:
    with running() as driver:
        yield driver


def start_waiting(runner: Driver, run: int, code: int, **more: object) -> None:
    """A run that ends with `code` when somebody writes into its pipe."""
    os.mkfifo(runner.home / f"gate{run}")
    runner.start(run, f"echo {run} >> begun; read line < gate{run}; exit {code}", **more)
    runner.started(run)


def let_go(runner: Driver, run: int) -> None:
    (runner.home / f"gate{run}").write_text("\n")


def begun(runner: Driver) -> list[int]:
    try:
        return [int(line) for line in (runner.home / "begun").read_text().split()]
    except FileNotFoundError:
        return []


def kill_worker(runner: Driver) -> None:
    pid = runner.link.runner_pid
    runner.kill_worker()
    wait_for_exit(pid, 10)
    runner.connect()
    assert runner.link.runner_pid != pid


def kill_keeper(runner: Driver) -> None:
    standings, pid = runner.standings, runner.link.runner_pid
    runner.kill_keeper()
    runner.hear_until(lambda: runner.standings > standings)
    assert runner.link.keeper_pid == pid


def kill_both(runner: Driver) -> None:
    pids = runner.link.runner_pid, runner.link.keeper_pid
    for pid in pids:  # stopped first: none may see the other die
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        wait_for_exit(pid, 10)
    runner.connect()
    assert runner.link.runner_pid not in pids


KILLS = {"worker": kill_worker, "keeper": kill_keeper, "both": kill_both}


@pytest.mark.parametrize("who", KILLS)
def test_an_exit_code_survives_a_kill(runner: Driver, who: str) -> None:
    start_waiting(runner, 1, 41)
    KILLS[who](runner)
    start_waiting(runner, 2, 42)
    let_go(runner, 1)
    let_go(runner, 2)
    assert (runner.exit_code(1), runner.exit_code(2)) == (41, 42)
    assert begun(runner) == [1, 2]
    assert not runner.missing


@pytest.mark.parametrize("first", KILLS)
@pytest.mark.parametrize("second", KILLS)
@pytest.mark.parametrize("third", ["worker", "keeper"])
def test_exit_codes_survive_kill_after_kill(
    runner: Driver, first: str, second: str, third: str
) -> None:
    for run, who in enumerate((first, second, third), 1):
        start_waiting(runner, run, 50 + run)
        KILLS[who](runner)
    for run in (1, 2, 3):
        let_go(runner, run)
    assert [runner.exit_code(run) for run in (1, 2, 3)] == [51, 52, 53]
    assert begun(runner) == [1, 2, 3]
    assert not runner.missing


def test_a_run_that_ends_while_nobody_is_there_is_found_or_called_lost(runner: Driver) -> None:
    start_waiting(runner, 1, 9)
    pid = runner.started(1).pid
    for victim in (runner.link.runner_pid, runner.link.keeper_pid):
        os.kill(victim, signal.SIGSTOP)
    for victim in (runner.link.runner_pid, runner.link.keeper_pid):
        os.kill(victim, signal.SIGKILL)
    let_go(runner, 1)
    wait_for_exit(pid, 10)
    report = runner.ended(1)
    if isinstance(report, wire.Ended):  # init had not yet reaped it
        assert report.exit_code == 9
    else:
        assert isinstance(report, wire.Lost)
        assert "no runner" in report.reason


def test_time_limits_survive(runner: Driver) -> None:
    script = "trap '' TERM; echo up > up; while :; do sleep 0.05; done"
    runner.start(1, script, time_limit=3600.0, grace=0.2)
    eventually((runner.home / "up").exists)
    runner.order(wire.Limit(run=1, time_limit=1.0))
    reached = time.monotonic() + 1.2
    kill_worker(runner)
    kill_keeper(runner)
    kill_both(runner)
    began = max(reached, time.monotonic())
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.signal, end.stopped_by) == (signal.SIGKILL, "timeout")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("who", KILLS)
def test_a_stop_begun_is_carried_through(runner: Driver, who: str) -> None:
    runner.start(1, "trap '' TERM; echo up > up; while :; do sleep 0.05; done")
    runner.started(1)
    eventually((runner.home / "up").exists)
    runner.order(wire.Stop(run=1, cause="cancel", grace=0.5))
    KILLS[who](runner)
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.signal, end.stopped_by) == (signal.SIGKILL, "cancel")


@pytest.mark.parametrize("who", KILLS)
def test_strays_of_an_adopted_run_are_killed(runner: Driver, who: str) -> None:
    os.mkfifo(runner.home / "gate")
    runner.start(1, "(setsid sh -c 'echo $$ > stray; exec sleep 63' &); read line < gate; exit 4")
    runner.started(1)
    KILLS[who](runner)
    stray = runner.home / "stray"
    eventually(lambda: stray.exists() and stray.read_text().strip())
    (runner.home / "gate").write_text("\n")
    assert runner.exit_code(1) == 4
    row = processes.look(int(stray.read_text()))
    assert row is None or row.state in processes.ZOMBIE


def test_usage_is_reported_after_the_worker_was_killed(runner: Driver) -> None:
    os.mkfifo(runner.home / "gate")
    runner.start(1, "read line < gate; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
    runner.started(1)
    kill_worker(runner)
    (runner.home / "gate").write_text("\n")
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert end.cpu_user > 0.01
    assert end.max_rss > 500_000
    assert end.max_rss_at_most


def campaign(runner: Driver, kills: list[str], runs: int, seed: int, one: bool) -> None:
    """Runs keep coming, at most four at a time, and kills every few milliseconds; with `one`, no
    sooner than the two are two again.
    """
    standings = 0
    chance = random.Random(seed)
    codes = {run: chance.choice([0, 1, 7, 77, 255]) for run in range(1, runs + 1)}
    todo = list(codes)
    kill_at = time.monotonic()
    while not all(runner.is_over(run) for run in codes):
        going = sum(not runner.is_over(run) for run in runner.ordered)
        for _ in range(min(4 - going, len(todo))):
            run = todo.pop(0)
            nap = chance.choice(["", "sleep 0.01;", "sleep 0.05;", "(setsid sleep 8 &);"])
            runner.start(run, f"echo {run} >> begun; {nap} exit {codes[run]}")
        whole = runner.standings > standings and not runner.link.closed
        if kills and time.monotonic() >= kill_at and (whole or not one):
            standings = runner.standings
            strike(runner, kills.pop())
            kill_at = time.monotonic() + chance.uniform(0.0, 0.15)
        listen_a_little(runner, 0.005)
    lost = [run for run in codes if isinstance(runner.reports[run], wire.Lost)]
    wrong = {
        run: (report.exit_code, codes[run])
        for run, report in runner.reports.items()
        if isinstance(report, wire.Ended) and report.exit_code != codes[run]
    }
    assert not wrong
    assert not runner.missing
    times = begun(runner)
    assert len(times) == len(set(times)), "a run was started twice"
    assert set(codes) - set(times) <= set(lost)
    assert len(lost) <= runs // 4, lost


def strike(runner: Driver, who: str) -> None:
    pids = {"worker": [runner.link.runner_pid], "keeper": [runner.link.keeper_pid]}
    pids["both"] = pids["worker"] + pids["keeper"]
    for pid in pids[who]:
        row = processes.look(pid)
        if row is not None and row.comm in ("hpc-worker", "hpc-keeper"):
            os.kill(pid, signal.SIGKILL)


def listen_a_little(runner: Driver, seconds: float) -> None:
    over = time.monotonic() + seconds
    if runner.link.closed and not runner.link.open():
        time.sleep(seconds)
        return
    while (left := over - time.monotonic()) > 0 and not runner.link.closed:
        if select.select([runner.link], [], [], left)[0]:
            runner.hear_now()


@pytest.mark.parametrize("seed", range(3))
def test_no_exit_code_is_lost_when_one_of_the_two_is_killed_again_and_again(
    runner: Driver, seed: int
) -> None:
    chance = random.Random(seed)
    kills = [chance.choice(["worker", "keeper"]) for _ in range(25)]
    campaign(runner, kills, 150, seed, one=True)
    assert not [each for each in runner.reports.values() if isinstance(each, wire.Lost)]


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_started_twice_whatever_is_killed(runner: Driver, seed: int) -> None:
    chance = random.Random(seed)
    kills = [chance.choice(["worker", "keeper", "both"]) for _ in range(20)]
    campaign(runner, kills, 120, seed, one=False)
