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


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("seq 5 | {hpc} wc -l", "5\n"),
        ("seq 5 > f; {hpc} wc -l < f", "5\n"),
        ("seq 5 > f; (read x; {hpc} cat) < f", "2\n3\n4\n5\n"),
        ("{hpc} cat <<END\nhere\nEND", "here\n"),
        ("head -c 1000000 /dev/zero | {hpc} wc -c", "1000000\n"),
        ("{hpc} wc -c < /dev/null", "0\n"),
        ("{hpc} wc -c <&-", "0\n"),
        ("seq 5 | {hpc} --input /dev/null wc -l", "0\n"),
        ("yes | {hpc} head -1", "y\n"),
        (r"printf '#!/bin/sh\nwc -l\n' | {hpc} -", "0\n"),
        # what the command does not read stays for whoever comes next
        ("seq 3 | while read x; do {hpc} echo $x; done", "1\n2\n3\n"),
        ("seq 3 > f; while read x; do {hpc} echo $x; done < f", "1\n2\n3\n"),
    ],
)
def test_standard_input_is_the_command_s(shared, line, out):
    line = line.format(hpc=f"{HPC} run")
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == (out, "", 0)


def test_a_pipe_that_is_silent_and_never_ends_is_nobody_s_business(shared):
    reading, writing = os.pipe()
    done = subprocess.run([HPC, "run", "echo", "x"], stdin=reading, capture_output=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == (b"x\n", b"", 0)
    process = subprocess.Popen([HPC, "run", "head", "-1"], stdin=reading, stdout=subprocess.PIPE)
    os.write(writing, b"late\n")
    assert process.communicate(timeout=60)[0] == b"late\n"
    os.close(reading)
    os.close(writing)


def test_what_was_read_is_not_read_by_a_second_attempt(shared):
    line = f"seq 3 | {HPC} run --retries 2 sh -c 'cat; exit 3'"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("1\n2\n3\n", 3)
    assert "not retried" in done.stderr
    Path("f").write_text("x\n")
    line = f"{HPC} run --retries 1 --retry-delay 0s sh -c 'cat; exit 3' < f"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("x\nx\n", "", 3)


def test_input_whose_giver_was_killed_is_not_there(cli):
    reading, writing = os.pipe()
    blocker = cli("submit", "--quiet", "--cpus", "4", "--", "sleep", "600", check=True).out.strip()
    process = subprocess.Popen([HPC, "run", "cat"], stdin=reading)
    while cli("show", "--json").json["id"] == int(blocker):
        pass
    process.kill()
    process.wait()
    cli("cancel", blocker, check=True)
    cli("wait")
    said = cli("show", "--json").json
    assert (said["state"], "is gone" in said["reason"]) == ("FAILED", True)
    os.close(reading)
    os.close(writing)


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
