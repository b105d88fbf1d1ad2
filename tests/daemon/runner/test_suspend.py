"""A suspended run stands still, whoever is killed meanwhile, and goes on where it stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from hpcshell.daemon.runner import wire
from hpcshell.machine import processes
from tests.daemon.runner.test_killed import KILLS
from tests.support.runners import Driver, eventually, running

FAMILY = (
    "(setsid sh -c 'echo $$ > stray; while :; do sleep 0.01; done' &);"
    " sh -c 'echo $$ > child; while :; do sleep 0.01; done' &"
    " echo up > up; read line < gate; exit 7"
)
"""A leader, a child and a stray, all of which fork without end."""

SAVING = (
    "trap 'echo saved >> saved' USR1; trap 'echo term >> saved; exit 4' TERM;"
    " echo up > up; while :; do sleep 0.02; done"
)
"""Tells which of the two it was sent, in this order even where both have come when it looks."""


@pytest.fixture
def runner() -> Iterator[Driver]:
    with running() as driver:
        os.mkfifo(driver.home / "gate")
        yield driver


def begin(runner: Driver, script: str = FAMILY, **more: object) -> None:
    runner.start(1, script, **more)
    runner.started(1)
    eventually(lambda: (runner.home / "up").exists())


def suspend_with_limit(runner: Driver, seconds: float) -> None:
    """It stands still from now on, and only then has a limit that it could have reached before."""
    runner.order(wire.Suspend(run=1), wire.Limit(run=1, time_limit=seconds))


def members(runner: Driver) -> list[processes.Row]:
    """Every process of the run, by its environment; those that have ended left out."""
    words = [f"HPCSHELL_HOME={runner.home}".encode(), b"HPC_RUN_ID=1"]
    rows = processes.snapshot()
    mine = [row for row in rows.values() if row.state not in processes.ZOMBIE]
    return [row for row in mine if processes.environment_has(row.pid, words)]


def states(runner: Driver) -> set[str]:
    return {row.state for row in members(runner)}


def stands_still(runner: Driver) -> bool:
    """Nothing runs: what is not stopped hangs in the kernel until a child of its, which is, execs
    (vfork)."""
    rows = members(runner)
    stopped = {row.ppid for row in rows if row.state == "T"}
    return bool(rows) and all(
        row.state == "T" or (row.state == "D" and row.pid in stopped) for row in rows
    )


def let_go(runner: Driver) -> None:
    (runner.home / "gate").write_text("\n")


def is_suspended(runner: Driver) -> bool:
    """As the runner tells whoever connects."""
    runner.reports.pop(1, None)
    runner.connect()
    return runner.started(1).suspended


def test_all_of_it_stands_still_and_goes_on(runner: Driver) -> None:
    begin(runner)
    eventually(lambda: (runner.home / "stray").exists() and (runner.home / "child").exists())
    assert not is_suspended(runner)
    runner.order(wire.Suspend(run=1))
    eventually(lambda: stands_still(runner))
    assert is_suspended(runner)
    runner.order(wire.Suspend(run=1))
    eventually(lambda: stands_still(runner))
    runner.order(wire.Resume(run=1))
    eventually(lambda: "T" not in states(runner))
    assert not is_suspended(runner)
    runner.order(wire.Resume(run=1))
    let_go(runner)
    assert runner.exit_code(1) == 7


def test_what_forks_without_end_is_stopped(runner: Driver) -> None:
    script = "for i in $(seq 60); do (sleep 63 &) ; setsid sleep 63 & sleep 0.01; done; wait"
    begin(runner, f"echo up > up; ({script}) & ({script}) & ({script}) & wait")
    runner.order(wire.Suspend(run=1))
    eventually(lambda: stands_still(runner), patience=60.0)
    runner.say(wire.Stop(run=1, cause="cancel", grace=0.0))
    assert isinstance(runner.ended(1), wire.Ended)


def test_the_clock_of_the_time_limit_stands_still(runner: Driver) -> None:
    began = time.monotonic()
    begin(runner, "echo up > up; sleep 60", time_limit=3600.0, grace=0.1)
    suspend_with_limit(runner, 0.6)
    with pytest.raises(AssertionError, match="not within"):
        runner.ended(1, patience=0.8)
    runner.order(wire.Resume(run=1))
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert end.stopped_by == "timeout"
    assert time.monotonic() - began >= 0.6 + 0.8


def test_a_warning_comes_as_late_as_the_limit(runner: Driver) -> None:
    warn = wire.Warn("USR1", 0.3, "leader")
    begin(runner, SAVING, time_limit=3600.0, warn=warn)
    suspend_with_limit(runner, 0.6)
    with pytest.raises(AssertionError, match="not within"):
        runner.ended(1, patience=0.8)
    assert not (runner.home / "saved").exists()
    runner.order(wire.Resume(run=1))
    assert runner.exit_code(1) == 4
    assert (runner.home / "saved").read_text().split() == ["saved", "term"]


def test_what_cannot_go_on_by_its_deadline_is_ended(runner: Driver) -> None:
    begin(runner, "trap 'exit 3' TERM; echo up > up; while :; do sleep 0.05; done")
    runner.order(wire.Suspend(run=1, within=0.2))
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.exit_code, end.stopped_by) == (3, "deadline")


def test_a_stop_lets_it_act_on_the_signal(runner: Driver) -> None:
    begin(runner, "trap 'exit 3' TERM; echo up > up; while :; do sleep 0.05; done")
    runner.order(wire.Suspend(run=1))
    runner.say(wire.Stop(run=1, cause="cancel"))
    assert runner.exit_code(1) == 3
    assert not runner.complaints


def test_what_is_being_ended_is_not_suspended(runner: Driver) -> None:
    begin(runner, "trap '' TERM; echo up > up; while :; do sleep 0.05; done")
    runner.say(wire.Stop(run=1, cause="cancel", grace=0.3), wire.Suspend(run=1))
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.signal, end.stopped_by) == (signal.SIGKILL, "cancel")


def test_somebody_may_kill_what_is_suspended(runner: Driver) -> None:
    begin(runner)
    runner.order(wire.Suspend(run=1))
    os.kill(runner.started(1).pid, signal.SIGKILL)
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.signal, end.stopped_by) == (signal.SIGKILL, None)
    assert not states(runner)


def test_a_runner_that_is_told_to_leave_ends_what_is_suspended(runner: Driver) -> None:
    begin(runner, "trap 'echo term > term; exit 3' TERM; echo up > up; read line < gate")
    runner.order(wire.Suspend(run=1))
    runner.say(wire.Shutdown(cancel=True))
    assert runner.exit_code(1) == 3


# -- killed meanwhile ---------------------------------------------------------------------------


@pytest.mark.parametrize("who", KILLS)
def test_it_stays_suspended_through_a_kill_and_the_exit_code_is_known(
    runner: Driver, who: str
) -> None:
    begin(runner)
    runner.order(wire.Suspend(run=1))
    KILLS[who](runner)
    eventually(lambda: stands_still(runner))
    assert is_suspended(runner)
    runner.order(wire.Resume(run=1))
    let_go(runner)
    assert runner.exit_code(1) == 7
    assert not runner.missing


@pytest.mark.parametrize("who", KILLS)
@pytest.mark.parametrize("order", ["suspend", "resume", "stop"])
def test_an_order_given_at_the_moment_of_a_kill_is_carried_through(
    runner: Driver, who: str, order: str
) -> None:
    """It is on record or it is not; what is said once more, as the daemon does, settles it."""
    begin(runner)
    said: wire.AnyOrder = wire.Suspend(run=1)
    if order != "suspend":
        runner.order(said)
        said = wire.Resume(run=1)
    if order == "stop":
        said = wire.Stop(run=1, cause="cancel")
    runner.say(said)
    KILLS[who](runner)
    runner.say(said)
    if order == "suspend":
        eventually(lambda: stands_still(runner))
        runner.say(wire.Resume(run=1))
    if order == "stop":
        end = runner.ended(1)
        assert isinstance(end, wire.Ended)
        assert end.stopped_by == "cancel"
        return
    eventually(lambda: "T" not in states(runner))
    let_go(runner)
    assert runner.exit_code(1) == 7


@pytest.mark.parametrize("who", KILLS)
def test_the_clock_stands_still_through_a_kill(runner: Driver, who: str) -> None:
    begin(runner, "echo up > up; sleep 60", time_limit=3600.0, grace=0.1)
    suspend_with_limit(runner, 0.6)
    KILLS[who](runner)
    with pytest.raises(AssertionError, match="not within"):
        runner.ended(1, patience=0.8)
    runner.order(wire.Resume(run=1))
    KILLS[who](runner)
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert end.stopped_by == "timeout"


# -- told before it is ended --------------------------------------------------------------------


def preempt(before: float, grace: float = 5.0) -> wire.Stop:
    return wire.Stop(run=1, cause="preempt", grace=grace, ahead=wire.Warn("USR1", before, "leader"))


@pytest.mark.parametrize("suspended", [False, True])
def test_it_is_told_first_and_ended_later(runner: Driver, suspended: bool) -> None:
    begin(runner, SAVING)
    if suspended:
        runner.order(wire.Suspend(run=1))
    began = time.monotonic()
    runner.say(preempt(0.5), preempt(0.5))
    assert runner.exit_code(1) == 4
    assert time.monotonic() - began >= 0.5
    assert (runner.home / "saved").read_text().split() == ["saved", "term"]


def test_it_need_not_wait_for_the_end(runner: Driver) -> None:
    begin(runner, "trap 'exit 9' USR1; echo up > up; while :; do sleep 0.02; done")
    runner.say(preempt(30.0))
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.exit_code, end.stopped_by) == (9, "preempt")


def test_what_is_then_cancelled_waits_no_longer(runner: Driver) -> None:
    begin(runner, SAVING)
    runner.say(preempt(30.0), wire.Stop(run=1, cause="cancel"))
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.exit_code, end.stopped_by) == (4, "preempt")


@pytest.mark.parametrize("grace", [0.0, 0.2])
@pytest.mark.parametrize("who", KILLS)
def test_an_end_to_come_survives_a_kill(runner: Driver, who: str, grace: float) -> None:
    begin(runner, "trap '' TERM USR1; echo up > up; while :; do sleep 0.02; done")
    runner.order(preempt(0.5, grace))
    KILLS[who](runner)
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert (end.signal, end.stopped_by) == (signal.SIGKILL, "preempt")


def test_a_signal_that_is_none_is_complained_of(runner: Driver) -> None:
    begin(runner)
    runner.order(wire.Stop(run=1, cause="preempt", ahead=wire.Warn("NIX", 1.0)))
    assert any("NIX" in complaint for complaint in runner.complaints)
    let_go(runner)
    assert runner.exit_code(1) == 7
