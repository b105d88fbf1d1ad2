"""Kill the daemon at every write, the runner and its keeper at random, and both: the laws still
hold.

`HPCSHELL_CAMPAIGN=full` tries every fault point and many seeds; otherwise a sample of them is
tried.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.campaign.scenario import CPUS, Study, check_laws, kill, runner_processes
from tests.support.daemons import Daemon

FULL = os.environ.get("HPCSHELL_CAMPAIGN") == "full"
KILLS = 20
WRITES = 440
"""More writes than one undisturbed run of the scenario makes: the last points never fire."""


@pytest.fixture
def study(home: Path, tmp_path: Path) -> Study:
    work = tmp_path / "work"
    work.mkdir()
    return Study(home, work, Daemon(home, {"HPC_RESOURCES__CPUS": str(CPUS)}))


def finish(study: Study, *, exit_codes_may_be_lost: bool = False) -> None:
    study.settle()
    check_laws(study, exit_codes_may_be_lost=exit_codes_may_be_lost)
    study.call("stop", cancel=True)
    if study.daemon.process is not None:
        study.daemon.process.wait(30)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES, 1 if FULL else 58))
def test_the_laws_hold_when_the_daemon_dies_at_a_write(
    study: Study, moment: str, write: int
) -> None:
    study.daemon.start(f"{moment}:{write}")
    study.run()
    finish(study)


@pytest.mark.parametrize("seed", range(40 if FULL else 2))
def test_the_laws_hold_when_the_daemon_dies_again_while_it_recovers(
    study: Study, seed: int
) -> None:
    dice = random.Random(f"recovery {seed}")
    study.daemon.faults = [
        f"{dice.choice(['before', 'after'])}:{dice.randint(1, most)}"
        for most in (150, 4, 4, 8, 60, 3, 3, 20, 5, 5, 5, 40, 10)
    ]
    study.run()
    finish(study)


@pytest.mark.parametrize("seed", range(10 if FULL else 1))
def test_the_laws_hold_when_the_daemon_is_stopped_for_a_while(study: Study, seed: int) -> None:
    dice = random.Random(f"stopped {seed}")
    study.daemon.start()
    with meanwhile(lambda: freeze(study, dice)):
        study.run()
    finish(study)


@pytest.mark.parametrize("seed", range(60 if FULL else 1))
@pytest.mark.parametrize("victim", ["daemon", "runner", "keeper", "daemon and runner"])
def test_the_laws_hold_when_processes_are_killed_at_random(
    study: Study, victim: str, seed: int
) -> None:
    dice = random.Random(f"{victim} {seed}")
    study.daemon.start()
    with meanwhile(lambda: kill_one(study, victim, dice)):
        study.run()
    finish(study)


@pytest.mark.parametrize("seed", range(20 if FULL else 1))
def test_when_runner_and_keeper_die_at_once_exit_codes_are_lost_but_never_guessed(
    study: Study, seed: int
) -> None:
    dice = random.Random(seed)
    study.daemon.start()
    with meanwhile(lambda: kill_one(study, "both", dice)):
        study.run()
    finish(study, exit_codes_may_be_lost=True)


@contextlib.contextmanager
def meanwhile(strike: Callable[[], float]) -> Iterator[None]:
    """Strike now and then, each time after as many seconds as it says, but not for ever."""
    done = threading.Event()
    failed: list[BaseException] = []

    def go() -> None:
        try:
            for _ in range(KILLS):
                if done.wait(strike()):
                    return
        except BaseException as error:
            failed.append(error)

    striker = threading.Thread(target=go)
    striker.start()
    try:
        yield
    finally:
        done.set()
        striker.join()
    assert not failed, failed


def freeze(study: Study, dice: random.Random) -> float:
    """SIGSTOP, longer than a job takes; then go on."""
    study.daemon.signal(signal.SIGSTOP)
    threading.Event().wait(dice.uniform(0.05, 0.5))
    study.daemon.signal(signal.SIGCONT)
    return dice.uniform(0.0, 0.3)


def kill_one(study: Study, victim: str, dice: random.Random) -> float:
    """Kill what is named; how long to wait before the next time."""
    if "runner" in victim or victim in ("keeper", "both"):
        worker, *keeper = runner_processes(study) or [0]
        doomed = {"keeper": keeper, "both": [worker, *keeper]}.get(victim, [worker])
        for pid in doomed:
            if pid:
                kill(pid)
    if "daemon" in victim:
        study.daemon.kill()
    return dice.uniform(0.0, 0.6 if "daemon" in victim else 0.1)
