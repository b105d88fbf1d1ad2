"""hpc reservation and hpc node, with daemons that are really killed."""

from __future__ import annotations

import getpass
import os
import signal

import pytest

from hpcshell.cli.reach import client
from tests.cli.conftest import Cli
from tests.support.homes import wait_for_exit
from tests.support.runners import eventually

ME = getpass.getuser()


def kill_daemon(cli: Cli) -> None:
    pid = int(cli("daemon", "status", "--json", check=True).json["pid"])
    os.kill(pid, signal.SIGKILL)
    wait_for_exit(pid, 10)


def add(cli: Cli, *words: str, name: str = "week") -> None:
    cli("reservation", "add", name, "--users", ME, *words, check=True)


def state(cli: Cli, job: str) -> str:
    return str(cli("show", job, "--json", check=True).json["state"])


def test_from_its_making_to_its_end(cli: Cli) -> None:
    said = cli(
        "reservation", "add", "week", "--start", "now+2h", "--duration", "7d", "--cpus", "1",
        "--users", f"{ME},ben", "--accounts", "lab", "--idle", "1d", "--flex", check=True,
    )  # fmt: skip
    assert said.out.startswith("made: reservation week (to come): 1 cpu, ")
    assert said.out.endswith(f", for {ME}, ben, account lab\n")
    assert "week  INACTIVE" in cli("reservation", "list", check=True).out
    assert cli("reservation", "list", "--quiet", check=True).out == "week\n"
    shown = cli("reservation", "show", "week", check=True).out
    assert "Lasts:       7d" in shown
    assert "Let go:      after 1d" in shown
    [document] = cli("reservation", "list", "--json", check=True).json["reservations"]
    assert (document["flex"], document["idle"], document["jobs"]) == (True, 86400.0, [])
    kill_daemon(cli)
    assert cli("reservation", "list", "--json", check=True).json["reservations"] == [document]
    cli("reservation", "edit", "week", "--duration", "2h", "--idle", "0", "--no-flex", check=True)
    after = cli("reservation", "show", "week", "--json", check=True).json["reservation"]
    assert after["end"] - after["start"] == 7200.0
    assert (after["idle"], after["flex"], after["users"]) == (None, False, [ME, "ben"])
    assert cli("reservation", "remove", "week", "--dry-run", check=True).out.startswith(
        "would be removed: reservation week"
    )
    assert cli("reservation", "remove", "week", check=True).out.startswith("removed: ")
    assert cli("reservation", "list", check=True).err == "nothing is set apart\n"
    told = cli("events", check=True).out
    assert f"reservation week was made by {ME}" in told
    assert f"reservation week was removed by {ME}" in told


def test_a_job_waits_for_its_reservation_and_starts_when_it_begins(cli: Cli) -> None:
    add(cli, "--start", "now+2s", "--duration", "1h", "--cpus", "1")
    begins = cli("reservation", "show", "week", "--json", check=True).json["reservation"]["start"]
    job = cli(
        "submit", "--quiet", "--reservation", "week", "--time", "1m", "--", "true", check=True
    ).out.strip()
    assert "reservation week begins in" in cli("explain", job, check=True).out
    assert "reservation week begins in" in cli("queue", check=True).out
    assert cli("wait", job, "--timeout", "30s").code == 0
    assert cli("show", job, "--json", check=True).json["start_time"] >= begins
    assert cli("show", job, check=True).out.count("week") == 1


def test_a_script_names_it_as_in_slurm(cli: Cli) -> None:
    add(cli, "--start", "now", "--duration", "1h", "--cpus", "1")
    with open("job.sh", "w") as file:
        file.write("#!/bin/sh\n#SBATCH --reservation=week\n#SBATCH -t 1\ntrue\n")
    job = cli("submit", "--quiet", "job.sh", check=True).out.strip()
    assert cli("wait", job, "--timeout", "30s").code == 0
    assert cli("show", job, "--json", check=True).json["reservation"] == "week"
    cli("reservation", "remove", "week", check=True)
    refused = cli("submit", "job.sh")
    assert (refused.code, "there is no reservation 'week'" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["add", "a"], 2, "whom is it for?"),
        (["add", "a", "--users", "u"], 2, "when is it to begin"),
        (["add", "a", "--users", "u", "--maintenance"], 2, "--maintenance is for nobody"),
        (["add", "a", "--users", "u", "--start", "then", "--end", "now"], 2, "no point in time"),
        (["add", "a", "--users", "u", "--start", "now+2h", "--end", "now+1h", "--cpus", "1"],
         2, "it ends before it starts"),
        (["add", "a", "--users", "u", "--start", "now-2h", "--duration", "1h", "--cpus", "1"],
         2, "it would have ended"),
        (["add", "a", "--users", "u", "--start", "now-2h", "--duration", "4h", "--cpus", "1"],
         2, "it would have begun 2h"),
        (["add", "a", "--users", "u", "--start", "now", "--duration", "1h", "--cpus", "99999"],
         2, "it sets apart 99999 cpus; this machine has"),
        (["add", "a", "--users", "u", "--start", "now", "--duration", "0", "--cpus", "1"],
         2, "no time at all"),
        (["add", "a", "--users", "u", "--start", "now", "--duration", "1h", "--cpus", "x"],
         2, "no whole number"),
        (["add", "a", "--users", "u", "--start", "now", "--duration", "1h", "--end", "now+1h"],
         2, "say the same"),
        (["add", "a", "--users", "u", "--all", "--cpus", "1", "--start", "now"],
         2, "--all is the whole machine"),
        (["add", "a b", "--maintenance", "--start", "now", "--duration", "1h", "--all"],
         2, "one word"),
        (["add", "a\x1b[2J", "--maintenance", "--start", "now", "--duration", "1h", "--all"],
         2, "cannot be printed"),
        (["add", "a", "--users", "u", "--others", "x", "--start", "now"], 2, "no pair"),
        (["edit", "a"], 2, "nothing to change"),
        (["edit", "a", "--cpus", "1"], 3, "there is no reservation 'a'"),
        (["show", "a"], 3, "there is no reservation 'a'"),
        (["remove", "a"], 3, "there is no reservation 'a'"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)  # fmt: skip
def test_what_makes_no_sense_is_refused(cli: Cli, words: list[str], code: int, said: str) -> None:
    found = cli("reservation", *words)
    assert found.code == code
    assert said in found.err
    assert "\x1b" not in found.err
    assert "hint:" in found.err
    assert found.out == ""


def test_a_machine_is_drained_over_kill_9_and_taken_up_again(cli: Cli) -> None:
    assert cli("node", "status", "--quiet", check=True).out == "IDLE\n"
    runs = cli("submit", "--quiet", "--", "sleep", "600", check=True).out.strip()
    eventually(lambda: state(cli, runs) == "RUNNING")
    assert "would change" in cli("node", "drain", "--dry-run", check=True).out
    said = cli("node", "drain", "new", "disk", check=True).out
    assert f"DRAINING, new disk ({ME}, " in said
    job = cli("submit", "--quiet", "--", "true", check=True).out.strip()
    kill_daemon(cli)
    assert "it is drained (new disk)" in cli("queue", check=True).out
    assert "it is drained (new disk)" in cli("explain", job, check=True).out
    assert "DRAINING, new disk" in cli("resources", check=True).out
    assert "DRAINING, new disk" in cli("daemon", "status", check=True).out
    cli("cancel", runs, check=True)
    cli("wait", runs, check=False)
    assert cli("node", "status", "--json", check=True).json["state"] == "DRAINED"
    assert "(it was DRAINED)" in cli("node", "resume", check=True).out
    assert cli("wait", job, "--timeout", "30s").code == 0


def test_a_machine_that_is_down_puts_its_jobs_back(cli: Cli) -> None:
    assert cli("node", "down").code == 2
    job = cli("submit", "--quiet", "--", "sleep", "600", check=True).out.strip()
    eventually(lambda: state(cli, job) == "RUNNING")
    said = cli("node", "down", "power", check=True)
    assert said.err == f"make room: job {job}\n"
    eventually(lambda: state(cli, job) == "PENDING")
    assert cli("node", "status", "--quiet", check=True).out == "DOWN\n"
    cli("node", "resume", check=True)
    eventually(lambda: state(cli, job) == "RUNNING")
    cli("cancel", job, check=True)


def test_a_reservation_lapses_though_nobody_speaks(cli: Cli) -> None:
    add(cli, "--start", "now", "--duration", "1h", "--cpus", "1", "--idle", "1s")
    for said in client().stream("events", since=0, follow=True):
        if "nobody has used it" in said["cause"]:
            break
    assert cli("reservation", "list", "--quiet", check=True).out == ""
