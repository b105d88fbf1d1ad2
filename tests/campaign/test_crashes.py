"""Kill the daemon at every write, the runner and its keeper at random, and both: the laws still
hold.

`HPCSHELL_CAMPAIGN=full` tries every fault point and many seeds; otherwise a sample of them is
tried.
"""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from tests.campaign.scenario import Daemon, Study, check_laws, kill, runner_processes

FULL = os.environ.get("HPCSHELL_CAMPAIGN") == "full"
KILLS = 20
WRITES = 170
"""More writes than one undisturbed run of the scenario makes: the last points never fire."""


@pytest.fixture
def study(home: Path, tmp_path: Path) -> Study:
    work = tmp_path / "work"
    work.mkdir()
    return Study(home, work, Daemon(home))


def finish(study: Study, *, exit_codes_may_be_lost: bool = False) -> None:
    study.settle()
    check_laws(study, exit_codes_may_be_lost=exit_codes_may_be_lost)
    study.call("stop", cancel=True)
    if study.daemon.process is not None:
        study.daemon.process.wait(30)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES, 1 if FULL else 13))
def test_the_laws_hold_when_the_daemon_dies_at_a_write(
    study: Study, moment: str, write: int
) -> None:
    study.daemon.start(f"{moment}:{write}")
    study.run()
    finish(study)


@pytest.mark.parametrize("seed", range(60 if FULL else 3))
@pytest.mark.parametrize("victim", ["daemon", "runner", "keeper", "daemon and runner"])
def test_the_laws_hold_when_processes_are_killed_at_random(
    study: Study, victim: str, seed: int
) -> None:
    dice = random.Random(f"{victim} {seed}")
    study.daemon.start()
    done = threading.Event()
    killer = threading.Thread(target=kill_now_and_then, args=(study, victim, dice, done))
    killer.start()
    try:
        study.run()
    finally:
        done.set()
        killer.join()
    finish(study)


@pytest.mark.parametrize("seed", range(20 if FULL else 2))
def test_when_runner_and_keeper_die_at_once_exit_codes_are_lost_but_never_guessed(
    study: Study, seed: int
) -> None:
    dice = random.Random(seed)
    study.daemon.start()
    done = threading.Event()
    killer = threading.Thread(target=kill_now_and_then, args=(study, "both", dice, done))
    killer.start()
    try:
        study.run()
    finally:
        done.set()
        killer.join()
    finish(study, exit_codes_may_be_lost=True)


def kill_now_and_then(
    study: Study, victim: str, dice: random.Random, done: threading.Event
) -> None:
    """Until told otherwise, but not for ever, kill what is named after a short random while."""
    longest = 0.6 if "daemon" in victim else 0.1
    for _ in range(KILLS):
        if done.wait(dice.uniform(0.0, longest)):
            return
        if "runner" in victim or victim in ("keeper", "both"):
            worker, *keeper = runner_processes(study) or [0]
            doomed = {"keeper": keeper, "both": [worker, *keeper]}.get(victim, [worker])
            for pid in doomed:
                if pid:
                    kill(pid)
        if "daemon" in victim:
            study.daemon.kill()
