"""`hpc simulate`: what happens besides jobs and policies, and what of it changes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import call
from tests.trace.made import jobs


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.swf"
    path.write_bytes(jobs((0, 100, 6, 100), (10, 50, 6, 200), (20, 30, 2, 60), (30, 10, 8, 600)))
    return path


# ---------------------------------------------------------------- preemption, gangs, reservations

RIGHTS = """
[scheduler]
preempt_mode = "requeue"
[qos.0]
[qos.1]
preempts = ["0"]
"""
QUEUES = (
    b"; MaxProcs: 4\n"
    b"1 0 -1 100 4 -1 -1 4 200 -1 1 1 1 -1 0 -1 -1 -1\n"
    b"2 30 -1 50 2 -1 -1 2 60 -1 1 2 1 -1 1 -1 -1 -1\n"
)
"""The second job is in queue 1, the first in queue 0."""


@pytest.fixture
def queues(trace: Path) -> Path:
    trace.write_bytes(QUEUES)
    Path("rights.toml").write_text(RIGHTS)
    return trace


def test_runs_make_room_as_the_policy_file_says(queues: Path) -> None:
    words = ("simulate", queues, "--policy", "rights.toml", "--map", "qos=queue")
    said = call(*words, "--jobs-out", "jobs.csv", check=True)
    assert "preemption: rights: 1 run requeued; 120 CPU-seconds lost" in said.out
    assert Path("jobs.csv").read_text().splitlines()[1:] == ["1,0,0,180,0", "2,30,30,80,0"]
    found = call(*words, "--json", check=True).json
    counts = [found[key] for key in ("suspended", "requeued", "cancelled", "lost_work")]
    assert counts == [0, 1, 0, 120]
    saving = call(*words, "--json", "--checkpoint", "20s", check=True).json
    assert saving["lost_work"] == 40


def test_what_of_a_policy_file_is_nobodys_is_told(queues: Path) -> None:
    said = call("simulate", queues, "--policy", "rights.toml", check=True)
    assert "rights: no job is of [qos.1]: it tells of none" in said.err
    assert "preemption" not in said.out


def test_jobs_of_a_gang_start_together(queues: Path) -> None:
    Path("gangs.csv").write_text("job,gang\n1,both\n2,both\n")
    words = ("simulate", queues, "--cpus", 8, "--gangs", "gangs.csv", "--jobs-out", "jobs.csv")
    call(*words, check=True)
    assert Path("jobs.csv").read_text().splitlines()[1:] == ["1,0,30,130,30", "2,30,30,80,0"]
    missing = call("simulate", queues, "--gangs", "none.csv")
    assert (missing.code, missing.out) == (3, "")
    refused = call("simulate", queues, "--gangs", "gangs.csv")
    assert "no gang fits the machine" in refused.err


APART = """
[[reservation]]
name = "early"
start = 0
end = "5s"
cpus = 1
maintenance = true

[[reservation]]
name = "maint"
start = "1m"
duration = "2m"
all = true
maintenance = true

[[reservation]]
name = "late"
start = "9d"
duration = "1h"
cpus = 1
users = ["1"]
"""


def test_a_machine_file_sets_parts_of_it_apart(queues: Path) -> None:
    Path("m.toml").write_text(APART)
    words = ("simulate", queues, "--machine", "m.toml", "--jobs-out", "jobs.csv")
    said = call(*words, check=True)
    assert "reservation maint: 4 processors, from 1m 0s until 3m 0s, for nobody" in said.err
    assert Path("jobs.csv").read_text().splitlines()[1:] == [
        "1,0,180,280,180",
        "2,30,280,330,250",
    ]
    assert "reservation late: under easy all jobs had ended at 5m 30s; it came too late" in said.err
    past = call(*words, "--from", "20s", check=True)
    assert "reservation early: is over before the first job; it did nothing" in past.err


# ------------------------------------------------------------------------ what changes nothing


def test_a_fault_after_the_last_end_is_told_to_have_done_nothing(trace: Path) -> None:
    said = call("simulate", trace, "--fault", "1d down 1 cpu for 1h", check=True)
    assert "fault: 1 processor goes down at 1d 0h for 1h 0m; jobs on it run again" in said.err
    late = "fault at 1d 0h: under easy all jobs had ended at 2m 40s; it came too late"
    assert late in said.err
    soon = call("simulate", trace, "--fault", "1m down 1 cpu for 1h", check=True)
    assert "too late" not in soon.err


@pytest.mark.parametrize("name", ["fcfs", "conservative"])
def test_an_order_of_those_that_pass_is_told_to_change_nothing_where_nobody_does(
    trace: Path, name: str
) -> None:
    said = call("simulate", trace, "--policy", name, "--fill", "sjf", check=True)
    assert f"{name}: --fill changes nothing" in said.err
    assert said.out.splitlines()[1].startswith(f"{name}  ")
    assert "--fill" not in call("simulate", trace, "--fill", "sjf", check=True).err


def test_nothing_is_said_of_a_fault_before_it_is_known_to_be_one(trace: Path) -> None:
    Path("m.toml").write_text("[[node]]\ncount = 2\ncpus = 4\n")
    words = ("simulate", trace, "--machine", "m.toml", "--fault", "1h down node x for 1h")
    said = call(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("hpc: --fault: there is no node 'x'\n")


def test_compiling_is_told_where_it_takes_place_and_only_there(
    trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    words = [sys.executable, "-m", "hpcshell", "simulate", str(trace), "--engine", "compiled"]
    first, second = (
        subprocess.run(words, capture_output=True, text=True, check=True).stderr for _ in "ab"
    )
    assert first.count("compiling the kernel") == 1
    assert "compiling the kernel" not in second


@pytest.mark.parametrize(
    ("every", "said"),
    [("nan", "is no duration"), ("-1", "is no duration"), ("0", "is no time at all")],
)
def test_how_often_jobs_save_is_looked_at_before_whether_they_need_to(
    trace: Path, every: str, said: str
) -> None:
    refused = call("simulate", trace, "--checkpoint", every)
    assert refused.code == 2
    assert f"--checkpoint: '{every}' {said}" in refused.err


def test_gangs_of_one_are_told_but_not_without_end(queues: Path) -> None:
    Path("gangs.csv").write_text("1,x\n2,y\n")
    said = call("simulate", queues, "--gangs", "gangs.csv", check=True)
    assert "gang x: has one job, which waits for nobody" in said.err
    queues.write_bytes(jobs(*[(0, 9, 1, 9)] * 20))
    Path("gangs.csv").write_text("".join(f"{job},g{job}\n" for job in range(1, 21)))
    many = call("simulate", queues, "--gangs", "gangs.csv", check=True)
    assert many.err.count("has one job") == 8
    assert "and 12 more" in many.err


def test_a_policy_file_breaks_no_table_by_its_name(trace: Path) -> None:
    Path("evil\nline.toml").write_text("")
    said = call("simulate", trace, "--policy", "evil\nline.toml", check=True)
    assert "evil\\x0aline" in said.out
    assert said.out.splitlines()[1].startswith("evil")
    assert "25.0%" in said.out.splitlines()[1]


def test_a_policy_file_that_ends_too_early_says_its_line(trace: Path) -> None:
    Path("p.toml").write_text("# mine\nx = [\n")
    for words in (("--policy", "p.toml"), ("--machine", "p.toml")):
        refused = call("simulate", trace, *words)
        assert (refused.code, refused.out) == (2, "")
        assert "p.toml line 2: " in refused.err
