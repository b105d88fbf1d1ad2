"""What a run leaves behind ends with it, however it hides, and nothing of anybody else's does."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from hpcshell.daemon.runner import orphans, wire
from hpcshell.daemon.runner.orphans import Orphans
from hpcshell.machine import processes, tags
from tests.support.homes import processes_of, wait_for_exit
from tests.support.runners import Driver, eventually, running

HIDDEN = "(env -i setsid sh -c 'echo $$ > hidden; exec sleep 300' &);"
"""No environment, a session of its own, and no parent of the run's."""

RELAY = """
import os, sys, time
if len(sys.argv) == 1:
    os.execve(sys.executable, [sys.executable, "-S", __file__, os.getcwd()], {})
limit = time.monotonic() + 30
open("up", "w").close()
while time.monotonic() < limit:
    if os.fork():
        os._exit(0)
    os.setsid()
"""
"""Forks and exits without end: no process of it lives for a millisecond."""

BREEDERS = """
import os, sys, time
if len(sys.argv) == 1:
    os.execve(sys.executable, [sys.executable, "-S", __file__, os.getcwd()], {})
open("up", "w").close()
for generation in range(8):
    os.fork()
    os.setsid() if os.getpid() != os.getsid(0) else None
    time.sleep(0.01)
time.sleep(300)
"""
"""Each of them forks, as fast as it can, 255 descendants in sessions of their own."""

UNINTERRUPTED = """
import os
os.mkfifo("never")
open_it = [(os.POSIX_SPAWN_OPEN, 0, "never", os.O_RDONLY, 0)]
open("up", "w").write(f"{os.getpid()}\\n")
os.posix_spawn("/bin/true", ["true"], {}, file_actions=open_it)
"""
"""Waits in state D for a child that waits in a call of its own."""


@pytest.fixture
def runner() -> Iterator[Driver]:
    with running() as driver:
        driver.start(1, "exec sleep 300")
        driver.started(1)
        yield driver


def read_pid(runner: Driver, name: str = "hidden") -> int:
    path = runner.home / name
    eventually(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def lives(pid: int) -> bool:
    row = processes.look(pid)
    return row is not None and row.state not in processes.ZOMBIE


def script(runner: Driver, name: str, text: str) -> str:
    path = runner.home / name
    path.write_text(text)
    return f"{sys.executable} -S {path}"


def alive(path: Path) -> list[int]:
    """The processes of a script."""
    return [pid for pid in processes_of(path) if lives(pid)]


def test_one_that_hides_is_ended_with_its_run_while_others_run(runner: Driver) -> None:
    os.mkfifo(runner.home / "gate")
    runner.start(2, f"{HIDDEN} read line < gate; exit 3")
    pid = read_pid(runner)
    (runner.home / "gate").write_text("\n")
    assert runner.exit_code(2) == 3
    assert not lives(pid)
    assert lives(runner.started(1).pid)


def test_one_that_hides_and_is_stopped_is_ended_with_its_run(runner: Driver) -> None:
    runner.start(2, f"{HIDDEN} until [ -s hidden ]; do :; done; kill -STOP $(cat hidden); exit 3")
    assert runner.exit_code(2) == 3
    assert not lives(read_pid(runner))


@pytest.mark.parametrize("who", ["worker", "keeper", "both"])
def test_one_that_hides_is_ended_with_its_run_whoever_was_killed(runner: Driver, who: str) -> None:
    os.mkfifo(runner.home / "gate")
    runner.start(2, f"{HIDDEN} read line < gate; exit 3")
    pid = read_pid(runner)
    victims = {"worker": runner.link.runner_pid, "keeper": runner.link.keeper_pid}
    for name, victim in victims.items():
        if who in (name, "both"):
            os.kill(victim, signal.SIGKILL)
            wait_for_exit(victim, 5.0)
    runner.connect()
    (runner.home / "gate").write_text("\n")
    runner.ended(2)
    assert not lives(pid)
    assert lives(runner.started(1).pid)


@pytest.mark.parametrize(("text", "runs"), [(RELAY, 12), (BREEDERS, 3)], ids=["relay", "breeders"])
def test_what_forks_faster_than_one_can_look_is_ended_with_its_run(
    runner: Driver, text: str, runs: int
) -> None:
    for run in range(2, 2 + runs):
        (runner.home / "up").unlink(missing_ok=True)
        command = script(runner, f"forks{run}.py", text)
        runner.start(run, f"{command} & until [ -e up ]; do :; done; sleep 0.05; exit 3")
        assert runner.exit_code(run) == 3
        assert not alive(runner.home / f"forks{run}.py")
    assert lives(runner.started(1).pid)


def test_one_that_no_signal_interrupts_does_not_keep_the_runner(runner: Driver) -> None:
    runner.start(2, "exec " + script(runner, "waits.py", UNINTERRUPTED))
    runner.start(3, "exec sleep 300")
    pid = read_pid(runner, "up")
    eventually(lambda: (row := processes.look(pid)) and row.state == "D")
    runner.say(wire.Stop(run=3, cause="cancel", grace=0.0), wire.Stop(run=2, cause="x", grace=0.1))
    assert runner.ended(3)
    end = runner.ended(2)
    assert isinstance(end, wire.Ended)
    assert end.signal == signal.SIGKILL
    assert not alive(runner.home / "waits.py")


@pytest.mark.parametrize("limit", ["unlimited", "1", "0"])
def test_one_that_changes_the_limit_is_ended_with_the_last_run_at_the_latest(
    runner: Driver, limit: str
) -> None:
    runner.start(2, f"bash -c 'ulimit -x {limit}; exec env -i setsid sh -c \"{SLEEPS}\"' & {WAITS}")
    assert runner.exit_code(2) == 3
    assert lives(runner.started(1).pid)
    runner.say(wire.Stop(run=1, cause="cancel", grace=0.0))
    runner.ended(1)
    assert not lives(read_pid(runner))


SLEEPS = "echo \\$\\$ > hidden; exec sleep 300"
WAITS = "until [ -s hidden ]; do :; done; exit 3"


def test_one_that_takes_another_run_s_number_harms_nobody(runner: Driver) -> None:
    own = tags.carried_by(runner.started(1).pid)
    runner.start(
        2, f"bash -c 'ulimit -S -x {own}; exec env -i setsid sh -c \"{SLEEPS}\"' & {WAITS}"
    )
    assert runner.exit_code(2) == 3
    taker = read_pid(runner)
    assert lives(runner.started(1).pid)
    runner.start(3, f"{HIDDEN} exit 0")
    assert runner.exit_code(3) == 0
    assert lives(runner.started(1).pid)
    runner.say(wire.Stop(run=1, cause="cancel", grace=0.0))
    runner.ended(1)
    assert not lives(taker)


def stranger(number: int, user: int | None = None) -> int:
    """A process that no runner has started, with this number as its limit."""
    pid = os.fork()
    if not pid:
        tags.carry(number)
        if user is not None:
            os.setuid(user)
        os.execve("/bin/sleep", ["sleep", "300"], {})
    return pid


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def leave_something(runner: Driver, run: int) -> None:
    """A run after whose end the runner looks at every process."""
    runner.start(run, f"{HIDDEN} until [ -s hidden ]; do :; done; exit 3")
    assert runner.exit_code(run) == 3
    assert not lives(read_pid(runner))


def test_a_limit_that_only_looks_like_a_number_means_nothing(runner: Driver) -> None:
    os.mkfifo(runner.home / "gate")
    runner.start(2, f"read line < gate; {HIDDEN} until [ -s hidden ]; do :; done; exit 3")
    runner.started(2)
    pid = stranger(2)
    (runner.home / "gate").write_text("\n")
    assert runner.exit_code(2) == 3
    assert lives(pid)
    end(pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_stranger_who_copies_a_number_is_not_hit_and_holds_nobody_up(runner: Driver) -> None:
    os.mkfifo(runner.home / "gate")
    runner.start(2, f"read line < gate; {HIDDEN} until [ -s hidden ]; do :; done; exit 3")
    pid = stranger(tags.carried_by(runner.started(2).pid), user=65534)
    (runner.home / "gate").write_text("\n")
    assert runner.exit_code(2) == 3
    assert lives(pid)
    end(pid)


INNER = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[2])
from tests.support.runners import Driver
driver = Driver(pathlib.Path(sys.argv[1]))
driver.connect()
for run in (2, 3):
    driver.start(run, "exec sleep 300")
pids = [driver.started(run).pid for run in (2, 3)]
pids += [driver.link.runner_pid, driver.link.keeper_pid]
pathlib.Path(sys.argv[1], "pids").write_text(" ".join(map(str, pids)) + "\\n")
driver.hear_until(lambda: False, 300)
"""


def test_a_runner_inside_a_run_has_numbers_of_its_own_and_ends_with_the_run(runner: Driver) -> None:
    command = script(runner, "inner.py", INNER).replace(" -S ", " ")
    inner = runner.home / "inner"
    inner.mkdir()
    env = {"PATH": os.environ["PATH"], "HPCSHELL_HOME": str(inner)}
    os.mkfifo(runner.home / "gate")
    hidden = f"(env -i PATH=$PATH HPCSHELL_HOME={inner} setsid {command} {inner} {os.getcwd()} &);"
    runner.start(3, f"{hidden} read line < gate; exit 4", env=env)
    pids_at = inner / "pids"
    eventually(lambda: pids_at.exists() and pids_at.read_text().endswith("\n"))
    pids = [int(word) for word in pids_at.read_text().split()]
    leave_something(runner, 2)  # the number that a run of the inner one has, too
    assert all(map(lives, pids))
    (runner.home / "gate").write_text("\n")
    assert runner.exit_code(3) == 4
    assert not any(map(lives, pids))
    assert lives(runner.started(1).pid)


def test_the_runner_of_a_home_takes_no_number_from_a_run_of_it(tmp_path: Path) -> None:
    with running() as outer:
        own = tags.number(tags.home_family(outer.places.state), 7)
        os.kill(outer.link.runner_pid, signal.SIGKILL)
        os.kill(outer.link.keeper_pid, signal.SIGKILL)
        before = tags.carried_by(os.getpid())
        tags.carry(own)
        try:
            outer.connect()
        finally:
            tags.drop()
        assert tags.carried_by(outer.link.keeper_pid) == before
        assert not tags.akin(tags.carried_by(outer.link.runner_pid), own)


def test_a_run_that_leaves_nothing_costs_no_look_at_any_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    roster = Mock(leaders={1: 1, 2: 2}, strays={3: frozenset((1,))}, doubtful={})
    monkeypatch.setattr(orphans, "processes", None)
    assert not Orphans(roster).left_by(Mock(run=9), children=3)
