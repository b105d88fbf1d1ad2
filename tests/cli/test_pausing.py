"""suspend, resume and preempt, with jobs that really run and daemons that are really killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from hpcshell.machine import checkpoints, processes
from hpcshell.machine.paths import places
from tests.cli.conftest import Cli
from tests.support.homes import wait_for_exit
from tests.support.runners import eventually

WAITS = "echo $$ > pid; while [ ! -e go ]; do sleep 0.02; done; exit 7"


def submit(cli: Cli, *words: str | int) -> str:
    return cli("submit", "--quiet", *words, check=True).out.strip()


def waiting(cli: Cli, *options: str | int) -> str:
    """A job that runs until there is a file `go`, then exits with 7."""
    return begun(cli, WAITS, *options)


def begun(cli: Cli, line: str, *options: str | int) -> str:
    """A job that has written its process id."""
    job = submit(cli, *options, "--", "sh", "-c", line)
    eventually(lambda: Path("pid").exists() and Path("pid").read_text().strip())
    return job


def stopped() -> bool:
    row = processes.look(int(Path("pid").read_text()))
    return row is not None and row.state in "TD"


def state(cli: Cli, job: str) -> str:
    return str(cli("show", job, "--json", check=True).json["state"])


def kill_daemon(cli: Cli) -> None:
    pid = int(cli("daemon", "status", "--json", check=True).json["pid"])
    os.kill(pid, signal.SIGKILL)
    wait_for_exit(pid, 10)


def kill_runner(cli: Cli) -> None:
    def pid() -> int:
        return int(cli("daemon", "status", "--json", check=True).json["runner_pid"] or 0)

    eventually(lambda: processes.look(pid()) is not None)  # the daemon has met the one there is
    doomed = pid()
    os.kill(doomed, signal.SIGKILL)
    wait_for_exit(doomed, 10)


def test_it_stands_still_and_goes_on(cli: Cli) -> None:
    job = waiting(cli, "--time", "1h")
    said = cli("suspend", job, check=True)
    assert said.out == f"job {job} suspended (RUNNING -> SUSPENDED)\n"
    assert said.err == ""
    eventually(stopped)
    assert "SUSPENDED" in cli("queue", check=True).out
    assert "suspended by" in cli("queue", check=True).out
    assert f"hpc resume {job}" in cli("explain", job, check=True).out
    assert "suspended" in cli("resources", check=True).out
    assert cli("resume", "--dry-run", job, check=True).out.startswith(f"job {job} would be resumed")
    said = cli("resume", job, check=True)
    assert said.out == f"job {job} resumed (SUSPENDED -> RUNNING)\n"
    Path("go").touch()
    assert cli("wait", "--propagate", job).code == 7
    shown = cli("show", job, "--json", "--story", check=True).json
    assert shown["suspended"] > 0
    assert [entry["kind"] for entry in shown["story"]] == [
        *("submit", "start", "suspend", "resume", "end"),
    ]
    assert "Suspended" in cli("show", job, check=True).out


def test_what_cannot_be_done_is_said(cli: Cli) -> None:
    held = submit(cli, "--hold", "--", "true")
    said = cli("suspend", held)
    assert (said.code, said.out) == (4, "")
    assert "only what runs can be suspended" in said.err
    assert cli("resume", held).code == 4
    assert cli("suspend", "99").code == 3
    assert cli("preempt", held, "--mode", "pause").code == 2
    running = submit(cli, "--", "sleep", "600")
    assert cli("suspend", running, held, "--json").code == 8
    assert cli("suspend", "--quiet", running).code == 4
    assert cli("resume", "--quiet", running, check=True).out == f"{running}\n"


def test_it_waits_for_its_cpus(cli: Cli) -> None:
    job = waiting(cli, "--cpus", 3)
    cli("suspend", job, check=True)
    other = submit(cli, "--cpus", 2, "--", "sleep", "600")
    said = cli("resume", job, check=True)
    assert said.out == f"job {job} goes on as soon as its CPUs are free (SUSPENDED)\n"
    assert "it waits for 3 cpus (2 of 4 are free)" in cli("explain", job, check=True).out
    assert state(cli, job) == "SUSPENDED"
    cli("cancel", other, check=True)
    Path("go").touch()
    assert cli("wait", "--propagate", job).code == 7


@pytest.mark.parametrize("kill", [kill_daemon, kill_runner])
def test_a_kill_changes_nothing(cli: Cli, kill) -> None:
    job = waiting(cli)
    cli("suspend", job, check=True)
    kill(cli)
    assert state(cli, job) == "SUSPENDED"
    eventually(stopped)
    cli("resume", job, check=True)
    kill(cli)
    Path("go").touch()
    assert cli("wait", "--propagate", job).code == 7


@pytest.mark.parametrize("how", ["cancel", "requeue", "stop"])
def test_it_acts_on_the_signal_that_ends_it(cli: Cli, how: str) -> None:
    line = "trap 'echo told > told; exit 3' TERM; [ -e told ] && exit 0; " + WAITS
    job = begun(cli, line)
    cli("suspend", job, check=True)
    eventually(stopped)
    if how == "stop":
        cli("daemon", "stop", "--cancel", check=True)
    else:
        cli(how, job, check=True)
    code = cli("wait", job).code
    assert code == {"cancel": 7, "requeue": 0, "stop": 7}[how]
    assert Path("told").exists()


def test_somebody_kills_it(cli: Cli) -> None:
    job = waiting(cli)
    cli("suspend", job, check=True)
    os.kill(int(Path("pid").read_text()), signal.SIGKILL)
    assert cli("wait", job).code == 1
    assert cli("show", job, "--json", check=True).json["signal"] == 9


SAVES = """
if [ "$HPC_RESTART_COUNT" -gt 0 ]; then cat saved; exit 5; fi
trap 'echo half > saved; touch "$HPC_CHECKPOINT_FILE"' USR1
trap 'echo told >> saved; exit 9' TERM
echo $$ > pid
while :; do sleep 0.02; done
"""


@pytest.mark.parametrize("kill", [None, kill_daemon, kill_runner])
def test_it_saves_and_is_started_again(cli: Cli, kill) -> None:
    job = begun(cli, SAVES, "--checkpoint-signal", "B:USR1@1", "--grace", "60s")
    run = cli("show", job, "--json", check=True).json["run"]
    said = cli("preempt", job, check=True)
    assert said.out == f"job {job} preempted (RUNNING -> COMPLETING)\n"
    if kill is not None:
        kill(cli)
        cli("queue", check=True)
    assert cli("wait", "--propagate", job).code == 5
    assert cli("logs", job, check=True).out.endswith("half\ntold\n")
    shown = cli("show", job, "--json", check=True).json
    assert (shown["attempt"], shown["preempted"]) == (2, 1)
    assert checkpoints.last_checkpoint(places(os.environ).checkpoints, run) is not None


def test_it_ends_as_preempted(cli: Cli) -> None:
    job = waiting(cli)
    cli("preempt", job, "--mode", "cancel", "--grace", "0", check=True)
    cli("wait", job)
    assert state(cli, job) == "PREEMPTED"
    assert "preempted by" in cli("history", check=True).out
