"""`hpc run`: as if the command ran here."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.support.homes import HPC


@pytest.fixture
def cli(shared: Cli) -> Cli:
    return shared


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [HPC, "run", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("line", "out", "err", "code"),
    [
        ("echo out; echo err >&2", "out\n", "err\n", 0),
        ("exit 3", "", "", 3),
        ("kill -9 $$", "", "", 137),
        ("printf open", "open", "", 0),
        ("seq 3", "1\n2\n3\n", "", 0),
    ],
)
def test_streams_and_exit_code_are_the_command_s(shared, line, out, err, code):
    done = subprocess.run([HPC, "run", "sh", "-c", line], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == (out, err, code)


def test_nothing_is_left_in_the_directory_and_the_log_is_kept(cli):
    before = sorted(os.listdir())
    subprocess.run([HPC, "run", "echo", "kept"], check=True, capture_output=True)
    assert sorted(os.listdir()) == before
    assert cli("logs").out == "kept\n"


def test_output_files_that_are_named_are_written(cli):
    cli("run", "--output", "named.txt", "echo", "x", check=True)
    assert Path("named.txt").read_text() == "x\n"


def test_a_script_is_a_script(cli):
    Path("s.sh").write_text("#!/bin/sh\n#HPC --name=dirs\necho $HPC_JOB_NAME $1\n")
    done = subprocess.run([HPC, "run", "./s.sh", "a"], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("dirs a\n", 0)


def test_a_command_that_is_not_there_says_so(cli):
    said = cli("run", "no-such-command")
    assert (said.code, "no-such-command" in said.err) == (127, True)


def test_a_dry_run_runs_nothing(cli):
    said = cli("run", "--dry-run", "touch", "made", check=True)
    assert "would submit" in said.out
    assert not Path("made").exists()


def test_an_array_is_refused(cli):
    assert cli("run", "--array", "0-3", "true").code == 2


def test_output_comes_as_it_is_written(shared):
    os.mkfifo("go")
    process = start("sh", "-c", "echo first; read x < go; echo second")
    assert process.stdout is not None
    assert process.stdout.readline() == "first\n"
    Path("go").write_text("x\n")
    assert process.communicate(timeout=30)[0] == "second\n"
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_cancels_the_job(cli, number):
    process = start("sh", "-c", "echo ready; exec sleep 600")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "cancelling" in err
    assert "Traceback" not in err
    assert cli("show", "--json").json["state"] == "CANCELLED"


def test_a_hangup_that_is_ignored_stays_ignored(cli):
    os.mkfifo("go4")
    process = subprocess.Popen(
        ["nohup", HPC, "run", "sh", "-c", "echo ready; read x < go4; echo done"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    Path("go4").write_text("x\n")
    assert process.stdout.read() == "done\n"
    assert process.wait(30) == 0


def test_a_flood_of_output_does_not_keep_an_interruption_out(cli):
    process = start("sh", "-c", "seq 400000; exec sleep 600")
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert cli("wait").code == 7


def test_a_second_interruption_leaves_at_once(cli):
    line = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    process = start("--grace", "1s", "sh", "-c", line)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert "cancelling" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert cli("wait").code == 7


def test_what_waits_is_cancelled_by_an_interruption_too(cli):
    blocker = cli("submit", "--quiet", "--cpus", "4", "--", "sleep", "600", check=True).out.strip()
    process = start("true")
    while cli("show", "--json").json["id"] == int(blocker):
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert cli("show", "--json").json["state"] == "CANCELLED"
    cli("cancel", blocker, check=True)


def test_a_reader_that_leaves_ends_the_command(cli):
    line = "while echo y; do sleep 0.01; done"
    done = subprocess.run(
        ["bash", "-c", f"{HPC} run sh -c '{line}' | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout == "y\n141\n"
    cli("wait")
    assert cli("show", "--json").json["state"] == "CANCELLED"


def test_a_time_limit_that_passes_is_said(cli):
    said = cli("run", "--time", "0.2s", "sleep", "600")
    assert said.code == 143
    assert "TIMEOUT" in said.err


def test_json_is_the_document_of_the_job(cli):
    assert cli("run", "--json", "true", check=True).json["state"] == "COMPLETED"
