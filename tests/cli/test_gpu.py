"""`hpc gpu`: the box at the prompt."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.core.boxkeys import sample, schema
from hpcshell.jobs import call
from tests.support.homes import HPC
from tests.support.runners import eventually

FIELDS = [
    "timestamp",
    "level",
    "logger",
    "thread",
    "message",
    "job_id",
    "gpu_ids",
    "required_gpus",
    "attempt",
]


@pytest.fixture
def lab(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a script and a file of jobs, on a machine of eight cards."""
    monkeypatch.setenv("HPC_GPUS__PROVIDER", "fake")
    monkeypatch.setenv("HPC_GPUS__COUNT", "8")
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "64")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("import sys; print(sys.argv[1:])\n")
    (tmp_path / "jobs.txt").write_text("0,a.py,,--mode test,0-3\n")
    return tmp_path


@pytest.fixture
def started(lab: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Commands that go on until they are told to end, which they are in any case."""
    found: list[subprocess.Popen[str]] = []
    yield found
    for process in found:
        if process.poll() is None:
            process.kill()
        process.communicate()


def start(started: list[subprocess.Popen[str]], *words: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    started.append(subprocess.Popen([HPC, "gpu", *words], stdout=pipe, stderr=pipe, text=True))
    return started[-1]


# ------------------------------------------------------------------------------- configuration


def test_the_sample_is_the_complete_example_and_right(hpc, lab: Path):
    printed = hpc("gpu", "config-sample", check=True).stdout
    assert printed == sample()
    assert json.loads(hpc("gpu", "config-sample", "--schema", check=True).stdout) == schema()


def test_a_configuration_is_put_into_its_place(hpc, home: Path, lab: Path):
    (lab / "c.json").write_text('{"scheduler": {"num_gpus": 3, "job_timeout_s": 60}}')
    done = hpc("gpu", "start", "--config", "c.json", check=True)
    assert "no file of jobs is configured" in done.stderr
    shown = hpc("config", "show", "--origin", "defaults.time", check=True).stdout
    assert f"{home}/config/gpu.json scheduler.job_timeout_s" in shown
    assert (home / "config" / "gpu.json").stat().st_mode & 0o777 == 0o600
    assert "time limit 1m 0s" in hpc("gpu", "add", "a.py", check=True).stderr


def test_directories_of_scripts_that_are_not_there_are_told(hpc, lab: Path):
    (lab / "c.json").write_text('{"security": {"allowed_script_paths": [".", "later"]}}')
    done = hpc("gpu", "start", "--config", "c.json", check=True)
    (note,) = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert note.endswith("later': no script may lie there yet")


def test_a_wrong_configuration_is_refused_and_changes_nothing(hpc, home: Path, lab: Path):
    (lab / "c.json").write_text('{"gpu": {"memory_treshold": 1}}')
    done = hpc("gpu", "start", "--config", "c.json")
    assert done.returncode == 2
    assert "c.json: there is no key 'gpu.memory_treshold'" in done.stderr
    assert "did you mean memory_threshold?" in done.stderr
    assert not (home / "config" / "gpu.json").exists()
    assert hpc("gpu", "start", "--config", "none.json").returncode == 3


# ------------------------------------------------------------------------------------ one by one


def test_a_script_is_added_listed_and_cancelled(hpc, lab: Path):
    (lab / "long.py").write_text("import time; time.sleep(600)")
    words = ("--args", "--x 'a b'", "--priority", "0", "--gpus", "0,2", "--share", "0.5")
    added = hpc("gpu", "add", "long.py", *words, check=True)
    assert added.stdout == "Submitted job 1\n"
    assert "0.5 GPUs, cards 0,2" in added.stderr
    eventually(lambda: "RUNNING" in hpc("gpu", "list-jobs").stdout)
    (row,) = json.loads(hpc("gpu", "list-jobs", "--status", "running", "--json").stdout)["rows"]
    assert (row["name"], row["priority"], row["gpus"]) == ("long.py", 750, 0.5)
    assert row["cards"] in ([0], [2])
    assert row["command"][2:] == ["--x", "a b"]
    assert hpc("gpu", "cancel-job", "1", check=True).stdout.startswith("job 1 ")
    hpc("wait", "1")
    assert hpc("gpu", "list-jobs", "--status", "cancelled", "--quiet").stdout == "1\n"
    assert hpc("gpu", "list-jobs", "--status", "running", "--quiet").stdout == ""


def test_jobs_that_ended_are_counted_where_not_all_are_shown_and_keep_their_cards(hpc, lab: Path):
    lines = "".join(f"1,a.py,,--n {n},{n}\n" for n in range(3))
    (lab / "jobs.txt").write_text(lines)
    hpc("gpu", "watch", "jobs.txt", "--once", check=True)
    hpc("wait", "1", "2", "3", check=True)
    some = hpc("gpu", "list-jobs", "--limit", "2", check=True)
    assert "2 of 3 ended jobs shown; all with --limit 0" in some.stderr
    document = json.loads(hpc("gpu", "list-jobs", "--limit", "1", "--json").stdout)
    assert (len(document["rows"]), document["total"]) == (1, 3)
    rows = json.loads(hpc("gpu", "list-jobs", "--json").stdout)["rows"]
    assert {row["id"]: row["cards"] for row in rows} == {1: [0], 2: [1], 3: [2]}
    assert "shown" not in hpc("gpu", "list-jobs", "--status", "completed").stderr
    none = hpc("gpu", "list-jobs", "--status", "RUNNING", check=True)
    assert (none.stdout, none.stderr) == ("", "no job is running\n")


def test_a_dry_run_adds_nothing(hpc, lab: Path):
    done = hpc("gpu", "add", "a.py", "--dry-run", check=True)
    assert done.stdout == "would submit 'a.py'\n"
    assert hpc("gpu", "list-jobs", "--quiet", check=True).stdout == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add", "none.py"), 3, "there is no script"),
        (("add", "a.py", "--priority", "9"), 2, "priority '9' is none of them"),
        (("add", "a.py", "--gpus", "x"), 2, "'x' is no list of cards"),
        (("add", "a.py", "--gpus", "3-1"), 2, "names no cards"),
        (("add", "a.py/"), 3, "there is no script"),
        (("add", "a.py", "--conda-env", "a\nb"), 2, "hpc: --conda-env: "),
        (("add", "a.py", "--name", "a\nb"), 2, "hpc: --name: "),
        (("add", "a.py", "--share", "-1"), 2, "-1"),
        (("add", "a.py", "--share", "0.001"), 2, "--share: '0.001' is no number of GPUs"),
        (("add", "a.py", "--share", "nan"), 2, "is no number of GPUs"),
        (("add", "a.py", "--share", "65"), 2, "65"),
        (("add", "a.py", "--args", "it's"), 2, "cannot be taken apart"),
        (("add",), 2, "missing argument 'SCRIPT'"),
        (("list-jobs", "--status", "runing"), 2, "did you mean running?"),
        (("cancel-job", "99"), 3, "there is no job '99'"),
        (("stop",), 3, "nothing follows a file of jobs"),
        (("watch", "none.txt", "--once"), 3, "there is no file"),
        (("watch", ".", "--once"), 2, "is a directory"),
        (("lst-jobs",), 2, "did you mean 'list-jobs'?"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(hpc, lab: Path, words, code: int, said: str):
    done = hpc("gpu", *words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_times_of_jobs_are_told_and_may_be_switched_off(hpc, lab: Path):
    told = hpc("gpu", "metrics", check=True).stdout
    assert "Total Jobs: 0\nAvg Execution Time: -\n" in told
    hpc("gpu", "add", "a.py", check=True)
    hpc("wait", "1", check=True)
    jobs = json.loads(hpc("gpu", "metrics", "--json", check=True).stdout)["jobs"]
    assert (jobs["total"], jobs["ran"]) == (1, 1)
    assert jobs["average"] == jobs["median"] > 0
    off = hpc("gpu", "metrics", env={"HPC_BOX__METRICS": "no"})
    assert (off.returncode, "switched off" in off.stderr) == (4, True)


def test_nobody_has_a_session_to_join_at_first(hpc, lab: Path):
    done = hpc("gpu", "screens", check=True)
    assert "no sessions" in done.stderr
    assert json.loads(hpc("gpu", "screens", "--json").stdout)["screens"] == []


# --------------------------------------------------------------------------------- files of jobs


def test_a_file_is_read_once_and_each_line_submitted_once(hpc, lab: Path):
    (lab / "jobs.txt").write_text("0,a.py,,--mode test,0-3\n7,a.py\n")
    first = hpc("gpu", "watch", "jobs.txt", "--once")
    assert (first.returncode, first.stdout) == (8, "Submitted job 1 (line 1)\n")
    assert "hpc: line 2: priority '7' is none of" in first.stderr
    again = hpc("gpu", "watch", "jobs.txt", "--once")
    assert (again.returncode, again.stdout) == (8, "")
    (lab / "jobs.txt").write_text("0,a.py,,--mode test,0-3\n")
    assert hpc("gpu", "watch", "jobs.txt", "--once", check=True).stdout == ""


def test_what_is_written_is_never_a_file_that_was_there(hpc, lab: Path):
    (lab / "precious.txt").write_text("MY PRECIOUS")
    before = (lab / "jobs.txt").read_text()
    for state, code in (("precious.txt", 4), ("jobs.txt", 2)):
        done = hpc("gpu", "watch", "jobs.txt", "--once", env={"HPC_BOX__STATE_FILE": state})
        assert done.returncode == code, done.stderr
    log = hpc("gpu", "start", "--jobs-file", "jobs.txt", env={"HPC_BOX__LOG_FILE": "jobs.txt"})
    assert (log.returncode, "box.log_file are one file" in log.stderr) == (2, True)
    assert (lab / "precious.txt").read_text() == "MY PRECIOUS"
    assert (lab / "jobs.txt").read_text() == before
    hpc("gpu", "watch", "jobs.txt", "--once", env={"HPC_BOX__STATE_FILE": "s.json"}, check=True)
    assert '"submitted"' in (lab / "s.json").read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "make it, one job a line"),
        ("1,a.py\n".encode("utf-16"), "save it as UTF-8"),
        (b"\x7fELF\0", "save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_once_is_told_of_once(
    hpc, lab: Path, content: bytes | None, said: str
):
    (lab / "jobs.txt").unlink()
    if content is not None:
        (lab / "jobs.txt").write_bytes(content)
    lines = hpc("gpu", "watch", "jobs.txt", "--once").stderr.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["hpc", "hint"]
    assert said in lines[1]


def test_with_json_each_thing_is_a_line(hpc, lab: Path):
    done = hpc("gpu", "watch", "jobs.txt", "--once", "--json", check=True)
    assert json.loads(done.stdout) == {"what": "submitted", "line": 1, "text": "", "job": "1"}


def test_a_file_is_followed_until_it_is_told_to_end(lab: Path, started):
    watch = start(started, "watch", "jobs.txt", "--interval", "0.1")
    assert watch.stdout is not None
    assert watch.stdout.readline() == "Submitted job 1 (line 1)\n"
    with (lab / "jobs.txt").open("a") as file:
        file.write("1,a.py\n")
    assert watch.stdout.readline() == "Submitted job 2 (line 2)\n"
    watch.send_signal(signal.SIGTERM)
    _, said = watch.communicate(timeout=60)
    assert watch.returncode == 0
    assert "go on under the daemon" in said


def test_who_is_killed_at_any_time_submits_nothing_twice(hpc, lab: Path, started):
    (lab / "jobs.txt").unlink()
    for turn in range(4):
        with (lab / "jobs.txt").open("a") as file:
            file.writelines(f"1,a.py,,--n {turn}.{n},\n" for n in range(15))
        watch = start(started, "watch", "jobs.txt", "--interval", "0.1", "--quiet")
        assert watch.stdout is not None
        watch.stdout.readline()
        watch.kill()
        watch.communicate()
    hpc("gpu", "watch", "jobs.txt", "--once", check=True)
    live = hpc("queue", "--tag", "gpubox", "--limit", "0", "--quiet", check=True).stdout.split()
    ended = hpc("history", "--tag", "gpubox", "--limit", "0", "--quiet", check=True).stdout.split()
    assert len({*live, *ended}) == 60


def test_start_follows_the_file_and_logs_what_becomes_of_the_jobs(hpc, lab: Path, started):
    config = {"files": {"log_file": "box.log", "jobs_file": "jobs.txt"}}
    (lab / "config.json").write_text(json.dumps(config))
    box = start(started, "start", "--config", "config.json")
    assert box.stdout is not None
    assert box.stdout.readline() == "Submitted job 1 (line 1)\n"

    def lines() -> list[dict[str, object]]:
        return [json.loads(line) for line in (lab / "box.log").read_text().splitlines()]

    eventually(lambda: any("completed" in str(line["message"]) for line in lines()))
    box.send_signal(signal.SIGINT)
    _, said = box.communicate(timeout=60)
    assert (box.returncode, "stopped: 0 running and 0 waiting jobs" in said) == (0, True)
    assert all(list(line) == FIELDS for line in lines())
    start_line = next(line for line in lines() if line["message"] == "Job assigned successfully")
    assert (start_line["level"], start_line["logger"]) == ("INFO", "gpu_scheduler")
    assert (start_line["job_id"], start_line["required_gpus"]) == ("1", 1.0)
    assert start_line["gpu_ids"] in ([0], [1], [2], [3])
    assert start_line["attempt"] == 1
    assert "stopped" in str(lines()[-1]["message"])


@pytest.mark.parametrize("words", [("start", "--jobs-file"), ("watch",)])
def test_it_ends_in_its_time_though_the_daemon_hangs(
    lab: Path, started, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
):
    monkeypatch.setenv("HPC_BOX__STOP_WITHIN", "2s")
    box = start(started, *words, "jobs.txt")
    assert box.stdout is not None
    box.stdout.readline()
    daemon = call("hello")["pid"]
    os.kill(daemon, signal.SIGSTOP)
    try:
        box.send_signal(signal.SIGTERM)
        _, said = box.communicate(timeout=30)
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert box.returncode == 0
    assert "what runs is not known: the daemon has not answered" in said


def test_in_the_background_it_is_one_and_ends_when_told(hpc, home: Path, lab: Path):
    first = hpc("gpu", "start", "--jobs-file", "jobs.txt", "--daemon", "--quiet", check=True)
    pid = int(first.stdout)
    try:
        second = hpc("gpu", "start", "--jobs-file", "jobs.txt")
        assert (second.returncode, f"process {pid}" in second.stderr) == (4, True)
        eventually(lambda: "COMPLETED" in hpc("gpu", "list-jobs").stdout)
        assert hpc("gpu", "stop", "--quiet", check=True).stdout == f"{pid}\n"
        assert hpc("gpu", "stop").returncode == 3
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_the_log_goes_on_after_the_daemon_was_away(hpc, lab: Path, started):
    (lab / "config.json").write_text('{"files": {"log_file": "box.log", "jobs_file": "jobs.txt"}}')
    box = start(started, "start", "--config", "config.json")
    assert box.stdout is not None
    box.stdout.readline()
    hpc("wait", "1", check=True)
    hpc("daemon", "stop", check=True)
    hpc("gpu", "add", "a.py", check=True)

    def ended() -> set[object]:
        lines = [json.loads(line) for line in (lab / "box.log").read_text().splitlines()]
        return {line["job_id"] for line in lines if "completed" in line["message"]}

    eventually(lambda: ended() == {"1", "2"}, 40.0)


def test_what_happened_while_nobody_followed_is_logged_by_the_next(hpc, lab: Path, started):
    (lab / "jobs.txt").write_text("1,slow.py\n")
    os.mkfifo(lab / "gate")
    (lab / "slow.py").write_text("open('gate').read()")
    (lab / "config.json").write_text('{"files": {"log_file": "box.log", "jobs_file": "jobs.txt"}}')
    first = start(started, "start", "--config", "config.json")
    assert first.stdout is not None
    first.stdout.readline()
    eventually(lambda: "assigned" in (lab / "box.log").read_text())
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    hpc("gpu", "add", "a.py", check=True)
    (lab / "gate").write_text("")
    hpc("wait", "1", "2", check=True)
    start(started, "start")

    def told() -> list[tuple[object, str, object]]:
        lines = [json.loads(line) for line in (lab / "box.log").read_text().splitlines()]
        return [
            (line["job_id"], line["message"].split()[1], line["attempt"])
            for line in lines
            if line["message"].startswith("Job ")
        ]

    eventually(lambda: len(told()) >= 6)
    assert sorted(told(), key=str) == [
        ("1", "added", None),
        ("1", "assigned", 1),
        ("1", "completed", 1),
        ("2", "added", None),
        ("2", "assigned", 1),
        ("2", "completed", 1),
    ]


def test_a_log_that_cannot_be_written_is_refused_or_told_of(hpc, lab: Path, started):
    (lab / "config.json").write_text('{"files": {"log_file": ".", "jobs_file": "jobs.txt"}}')
    done = hpc("gpu", "start", "--config", "config.json")
    assert (done.returncode, "cannot be written: Is a directory" in done.stderr) == (2, True)
    (lab / "config.json").write_text('{"files": {"log_file": "/dev/full"}}')
    words = ("--config", "config.json", "--jobs-file", "jobs.txt")
    box = start(started, "start", *words)
    assert box.stdout is not None
    assert box.stdout.readline() == "Submitted job 1 (line 1)\n"
    box.send_signal(signal.SIGINT)
    _, said = box.communicate(timeout=60)
    assert said.count("lines are lost: the log /dev/full cannot be written: No space left") == 1
