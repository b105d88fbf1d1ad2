"""Runs in sessions end, stop, stand still and are cleared away as all others."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.daemon.runner import wire
from tests.daemon.runner.test_killed import KILLS
from tests.daemon.runner.test_suspend import members, stands_still
from tests.support.homes import processes_of
from tests.support.runners import Driver, eventually, running
from tests.support.terminals import programs_needed

WAITS = "echo up > up; while [ ! -e go ]; do sleep 0.02; done; exit 7"


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    programs_needed()


@pytest.fixture
def runner() -> Iterator[Driver]:
    with running() as driver:
        yield driver


@pytest.fixture(params=["screen", "tmux"])
def shown(request: pytest.FixtureRequest) -> wire.Session:
    return wire.Session(request.param, f"hpc-{os.getpid()}")


def begin(runner: Driver, shown: wire.Session, script: str = WAITS, **more: object) -> None:
    """Its job has begun, and its session is open."""
    runner.start(1, script, session=shown, stdout="out", **more)
    runner.started(1)
    join = Path(runner.places.session(1), "join")
    eventually(lambda: join.exists() and (runner.home / "up").exists())


def ended(runner: Driver) -> wire.Ended:
    report = runner.ended(1)
    assert isinstance(report, wire.Ended), report
    return report


def alive(runner: Driver) -> dict[int, str]:
    """What is alive of the run: all of this home but the runner."""
    own = (runner.link.runner_pid, runner.link.keeper_pid)
    return {pid: text for pid, text in processes_of(runner.home).items() if pid not in own}


def shows(runner: Driver) -> set[int]:
    """Host, viewer, and screen or tmux."""
    return {pid for pid, text in alive(runner).items() if runner.places.session(1) in text}


def nothing_left(runner: Driver) -> bool:
    return not alive(runner) and not os.path.exists(runner.places.session(1))


def test_it_ends_as_the_job_does_and_leaves_nothing(runner: Driver, shown: wire.Session) -> None:
    begin(runner, shown)
    (runner.home / "go").touch()
    assert ended(runner).exit_code == 7
    assert nothing_left(runner)


@pytest.mark.parametrize("whom", KILLS)
def test_the_exit_code_is_known_whoever_of_the_runner_is_killed(
    runner: Driver, shown: wire.Session, whom: str
) -> None:
    begin(runner, shown)
    KILLS[whom](runner)
    runner.connect()
    (runner.home / "go").touch()
    assert ended(runner).exit_code == 7
    eventually(lambda: nothing_left(runner))


def test_a_killed_host_takes_all_with_it(runner: Driver, shown: wire.Session) -> None:
    begin(runner, shown)
    os.kill(runner.started(1).pid, signal.SIGKILL)
    assert ended(runner).signal == signal.SIGKILL
    assert nothing_left(runner)


def test_a_killed_window_costs_the_job_nothing(runner: Driver, shown: wire.Session) -> None:
    begin(runner, shown)
    for pid, text in alive(runner).items():
        if text.lower().startswith(shown.program):
            os.kill(pid, signal.SIGKILL)
    (runner.home / "go").touch()
    assert ended(runner).exit_code == 7
    assert nothing_left(runner)


def test_to_stop_it_is_to_ask_the_job_and_not_what_shows_it(
    runner: Driver, shown: wire.Session
) -> None:
    script = "trap 'echo once >> told; exit 3' TERM; echo up > up; while :; do sleep 0.02; done"
    begin(runner, shown, script)
    runner.say(wire.Stop(run=1, cause="user"))
    report = ended(runner)
    assert (report.exit_code, report.stopped_by) == (3, "user")
    assert (runner.home / "told").read_text() == "once\n"
    assert nothing_left(runner)


def test_what_does_not_stop_is_killed(runner: Driver, shown: wire.Session) -> None:
    begin(runner, shown, "trap '' TERM HUP; echo up > up; while :; do sleep 0.02; done")
    runner.say(wire.Stop(run=1, cause="user", grace=0.2))
    assert ended(runner).signal == signal.SIGKILL
    assert nothing_left(runner)


def test_a_time_limit_ends_it(runner: Driver, shown: wire.Session) -> None:
    begin(runner, shown)
    runner.say(wire.Limit(run=1, time_limit=0.1))
    report = ended(runner)
    assert (report.signal, report.stopped_by) == (signal.SIGTERM, "timeout")


@pytest.mark.parametrize("to", ["leader", "all", "rest"])
def test_a_signal_reaches_whom_it_would_without_a_session(
    runner: Driver, shown: wire.Session, to: wire.Target
) -> None:
    wait = "while [ ! -e go ]; do sleep 0.02; done"
    child = f"trap 'echo child >> told' USR1; echo up > ready; {wait}"
    script = (
        f"trap 'echo leader >> told' USR1; ({child}) &"
        f" until [ -e ready ]; do :; done; echo up > up; {wait}; wait; exit 5"
    )
    begin(runner, shown, script)
    showing = shows(runner)
    runner.say(wire.Signal(run=1, signal="USR1", to=to))
    told = runner.home / "told"
    wanted = {"leader": {"leader"}, "all": {"leader", "child"}, "rest": {"child"}}[to]
    eventually(lambda: told.exists() and set(told.read_text().split()) == wanted)
    assert shows(runner) == showing
    (runner.home / "go").touch()
    assert ended(runner).exit_code == 5
    assert sorted(told.read_text().split()) == sorted(wanted)


def test_it_stands_still_with_its_window_and_goes_on(runner: Driver, shown: wire.Session) -> None:
    begin(runner, shown)
    assert shows(runner) <= {row.pid for row in members(runner)}
    runner.say(wire.Suspend(run=1))
    eventually(lambda: stands_still(runner))
    (runner.home / "go").touch()
    runner.say(wire.Resume(run=1))
    assert ended(runner).exit_code == 7


def test_two_at_once_are_two(runner: Driver, shown: wire.Session) -> None:
    for run in (1, 2):
        session = wire.Session(shown.program, f"hpc-{os.getpid()}_{run}")
        runner.start(run, f"echo {run}; exit {run}", session=session, stdout=f"out{run}")
    assert [runner.exit_code(run) for run in (1, 2)] == [1, 2]
    assert [(runner.home / f"out{run}").read_text() for run in (1, 2)] == ["1\n", "2\n"]


def test_a_command_that_is_not_there_is_told_as_without_a_session(
    runner: Driver, shown: wire.Session
) -> None:
    runner.start(1, "no-such-command", "x", session=shown, stdout="out")
    report = runner.ended(1)
    assert isinstance(report, wire.FailedToStart)
    assert report.exit_code == 127
    told = "hpc: the command 'no-such-command' was not found in PATH\n"
    assert (runner.home / "out").read_text() == told
