"""The runner keeps runs that are to follow others, and starts each in the place of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from hpcshell.daemon.runner import wire
from tests.support.runners import Driver, running


@pytest.fixture
def runner() -> Iterator[Driver]:
    with running() as driver:
        os.mkfifo(driver.home / "gate")
        yield driver


def open_gate(runner: Driver) -> None:
    """Let the run go that reads from the gate."""
    (runner.home / "gate").write_text("go\n")


def test_each_starts_when_the_one_before_it_is_over(runner: Driver) -> None:
    runner.start(1, "read line < gate; echo 1 >> order; exit 3")
    runner.start(2, "echo 2 >> order", after=1)
    runner.start(3, "echo 3 >> order", after=2)
    runner.started(1)
    assert not (runner.home / "order").exists()
    open_gate(runner)
    first = runner.ended(1)
    assert isinstance(first, wire.Ended)
    assert (first.exit_code, first.successor) == (3, 2)
    assert runner.exit_code(3) == 0
    assert (runner.home / "order").read_text() == "1\n2\n3\n"


def test_one_that_comes_too_late_is_given_back(runner: Driver) -> None:
    runner.start(1, "exit 0")
    assert runner.exit_code(1) == 0
    runner.start(2, "touch never", after=1)
    runner.start(3, "touch never", after=2)
    runner.hear_until(lambda: len(runner.recalled) == 2)
    assert runner.recalled == [2, 3]
    runner.start(2, "exit 4")
    assert runner.exit_code(2) == 4
    assert not (runner.home / "never").exists()


def test_one_that_is_to_follow_a_good_end_is_given_back_after_a_bad_one(runner: Driver) -> None:
    runner.start(1, "read line < gate; exit 1")
    runner.start(2, "touch never", after=1, if_ok=True)
    runner.start(3, "touch never", after=2)
    runner.started(1)
    open_gate(runner)
    runner.hear_until(lambda: runner.recalled)
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert end.successor == 0
    assert runner.recalled == [2, 3]
    runner.start(4, "read line < gate")
    runner.start(5, "exit 0", after=4, if_ok=True)
    runner.started(4)
    open_gate(runner)
    assert runner.exit_code(5) == 0
    assert not (runner.home / "never").exists()


def test_a_recall_gives_back_all_that_has_not_begun(runner: Driver) -> None:
    runner.start(1, "read line < gate")
    runner.start(2, "touch never", after=1)
    runner.start(3, "touch never", after=2)
    runner.started(1)
    runner.say(wire.Recall(number=1))
    runner.hear_until(lambda: runner.recalled)
    assert runner.recalled == [2, 3]
    open_gate(runner)
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert end.successor == 0
    assert not (runner.home / "never").exists()


def test_a_new_connection_has_lent_nothing(runner: Driver) -> None:
    runner.start(1, "read line < gate")
    runner.start(2, "touch never", after=1)
    runner.started(1)
    del runner.ordered[2]  # it is not ordered again
    runner.connect()
    open_gate(runner)
    assert runner.exit_code(1) == 0
    runner.start(3, "exit 0")
    assert runner.exit_code(3) == 0
    assert not (runner.home / "never").exists()


def test_what_follows_one_that_cannot_be_started_is_given_back(runner: Driver) -> None:
    runner.start(1, "read line < gate")
    runner.start(2, "/not/there", "x", after=1)
    runner.start(3, "touch never", after=2)
    runner.started(1)
    open_gate(runner)
    assert isinstance(runner.ended(2), wire.FailedToStart)
    runner.hear_until(lambda: runner.recalled)
    assert runner.recalled == [3]


def test_one_that_is_started_in_its_own_right_follows_nobody_any_more(runner: Driver) -> None:
    runner.start(1, "read line < gate")
    runner.start(2, "echo x >> once", after=1)
    runner.started(1)
    runner.start(2, "echo x >> once")
    assert runner.exit_code(2) == 0
    runner.say(wire.Ack(runs=[2]))
    open_gate(runner)
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert end.successor == 0
    assert (runner.home / "once").read_text() == "x\n"


def test_one_that_is_to_follow_another_follows_the_first_no_more(runner: Driver) -> None:
    os.mkfifo(runner.home / "other")
    runner.start(1, "read line < gate")
    runner.start(2, "read line < other")
    runner.start(3, "echo x >> once", after=1)
    runner.start(3, "echo x >> once", after=2)
    runner.started(1)
    runner.started(2)
    (runner.home / "other").write_text("go\n")
    assert runner.exit_code(3) == 0
    runner.say(wire.Ack(runs=[3]))
    open_gate(runner)
    end = runner.ended(1)
    assert isinstance(end, wire.Ended)
    assert end.successor == 0
    assert (runner.home / "once").read_text() == "x\n"


def test_a_follower_begins_in_its_own_directory_and_with_its_own_umask(runner: Driver) -> None:
    (runner.home / "deep").mkdir()
    runner.start(1, "read line < gate", umask=0o077)
    runner.start(2, "pwd; umask", after=1, cwd=str(runner.home / "deep"), stdout="o", umask=0o022)
    runner.started(1)
    open_gate(runner)
    assert runner.exit_code(2) == 0
    assert (runner.home / "deep/o").read_text() == f"{runner.home}/deep\n0022\n"


@pytest.mark.parametrize("whom", ["keeper_pid", "runner_pid", "nobody"])
def test_how_everything_stands_means_that_nothing_is_kept(runner: Driver, whom: str) -> None:
    runner.start(1, "read line < gate")
    runner.start(2, "touch never", after=1)
    runner.started(1)
    del runner.ordered[2]  # it is not ordered again
    before = runner.standings
    if whom == "nobody":
        runner.say(wire.Inventory())
    else:
        os.kill(getattr(runner.link, whom), signal.SIGKILL)
    runner.hear_until(lambda: runner.standings > before)
    open_gate(runner)
    assert runner.exit_code(1) == 0
    runner.start(3, "exit 0")
    assert runner.exit_code(3) == 0
    assert not (runner.home / "never").exists()


def test_what_was_recalled_during_a_long_stop_does_not_begin_after_it(runner: Driver) -> None:
    runner.start(1, "read line < gate")
    runner.start(2, "touch never", after=1)
    runner.started(1)
    pids = (runner.link.keeper_pid, runner.link.runner_pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    open_gate(runner)
    runner.say(wire.Recall(number=1))
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
    runner.hear_until(lambda: runner.recalled)
    assert runner.exit_code(1) == 0
    assert not (runner.home / "never").exists()
