"""`hpc whatif` and what `hpc explain` says beyond the reason, with a real daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcshell.cli.foretold import BARS, SLOTS
from tests.cli.conftest import Cli


@pytest.fixture(scope="module")
def line(shared: Cli) -> Cli:
    """A machine of four CPUs: one job runs for an hour, others stand behind it."""
    shared("submit", "--name", "runs", "--cpus", "2", "--time", "1h", "--", "sleep", "600")
    shared("submit", "--name", "wide", "--cpus", "4", "--time", "30m", "--", "true")
    shared(
        "submit", "--name", "sweep", "--cpus", "2", "--time", "2h", "--array", "0-9", "--", "true"
    )
    shared("submit", "--name", "held", "--hold", "--cpus", "1", "--time", "10m", "--", "true")
    return shared


def foretold(line: Cli, *words: str) -> dict[int, dict]:
    answer = line("whatif", "--json", *words, check=True).json
    return {job["id"]: job for job in answer["jobs"]}


def near(one: float, other: float) -> bool:
    return abs(one - other) < 30.0


def test_without_a_change_it_says_when_all_that_waits_starts(line):
    said = line("whatif", check=True)
    rows = [row.split() for row in said.out.splitlines()[1:4]]
    assert [row[:2] for row in rows] == [["2", "wide"], ["3", "sweep"], ["4", "held"]]
    assert "10 x 2 CPUs, 2h 0m" in said.out
    assert "job 4 never starts: it is held" in said.out
    assert "run to their time limits" in said.err


def test_the_queue_stays_as_it_is(line):
    before = line("queue", "--json", check=True).json["counts"]
    line("whatif", "--cancel", "1", "--submit", "cpus=1", check=True)
    assert line("queue", "--json", check=True).json["counts"] == before


def test_a_cancelled_run_lets_the_others_start(line):
    jobs = foretold(line, "--cancel", "1")
    assert jobs.keys() == {2, 3}
    assert near(jobs[2]["gain"], 3600.0)
    said = line("whatif", "--cancel", "runs", check=True)
    assert "now" in said.out.splitlines()[1].split()
    assert "sooner" in said.out


def test_a_new_job_is_shown_with_its_start(line):
    answer = line("whatif", "--submit", "cpus=2 time=30m name=mine", "--json", check=True).json
    (new,) = [job for job in answer["jobs"] if job["new"]]
    assert (new["name"], new["before"]) == ("mine", None)
    assert near(new["after"], answer["time"])
    said = line("whatif", "--submit", "cpus=2 time=30m name=mine", check=True)
    assert said.out.splitlines()[1].split()[:2] == ["new", "mine"]


def test_new_jobs_may_be_many_and_wait_for_others(line):
    jobs = foretold(line, "--submit", "cpus=1 time=5m count=3 afterok=runs")
    (new,) = [job for job in jobs.values() if job["new"]]
    assert new["elements"] == 3
    assert near(new["after"], jobs.get(2, new)["before"] or new["after"])


@pytest.mark.parametrize(
    "words",
    [
        ("--policy", "none"),
        ("--policy", "hybrid:3", "--order", "sjf"),
        ("--order", "wfp3"),
        ("--add", "gpus=2"),
        ("--remove", "cpus=2", "--add", "mem=4G"),
        ("--time", "1=30m", "--priority", "3=900"),
        ("--hold", "2", "--release", "held"),
        ("--cancel", "3_1", "--hold", "3[2-4]"),
        ("--submit", "cpus=1", "--submit", "cpus=2 mem=1G priority=900 exclusive=yes"),
        ("--add", "cpus=4", "--at", "now+30m"),
        ("--cancel", "@", "--horizon", "1d"),
        ("--runs", "predicted"),
        ("--runs", "0.5", "--unlimited", "10m", "--all"),
    ],
)
def test_changes_can_be_combined(line, words):
    answer = line("whatif", "--json", *words, check=True).json
    assert answer["schema"] == 1
    assert {"before", "after", "cut", "until", "changes", "jobs"} <= answer.keys()
    assert not answer["cut"]
    line("whatif", *words, check=True)


def test_the_change_may_come_later(line):
    jobs = foretold(line, "--add", "cpus=4", "--at", "now+30m")
    assert near(jobs[2]["gain"], 1800.0)


def test_a_time_limit_says_when_a_run_ends(line):
    assert near(foretold(line, "--time", "1=30m")[2]["gain"], 1800.0)
    assert near(foretold(line, "--runs", "0.5", "--time", "1=2h", "--all")[2]["gain"], -1800.0)


def test_how_far_it_looks_is_said(line):
    answer = line("whatif", "--horizon", "1m", "--all", "--json", check=True).json
    assert answer["cut"]
    assert near(answer["until"], answer["time"] + 60.0)
    said = line("whatif", "--horizon", "1m", check=True)
    assert "cut short: worked out for the coming 1m 0s" in said.err
    assert "later" in said.out


def test_the_picture_shows_the_cpus(line):
    rows = line("whatif", "--cancel", "1", check=True).out.splitlines()
    bars = [
        row.partition("|")[2].rstrip("|") for row in rows if row.startswith("CPUs ") and "|" in row
    ]
    assert len(bars) == 2
    assert all(len(bar) == SLOTS and set(bar) <= set(BARS) for bar in bars)
    assert bars[0].startswith("▄")
    assert bars[1].startswith("█")


def test_quiet_prints_those_that_change(line):
    said = line("whatif", "--cancel", "1", "--quiet", check=True)
    assert sorted(said.out.split()) == ["2", "3"]
    assert said.err == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--cancel", "77"], 3, "no job '77' in the queue"),
        (["--cancel", "3_77"], 3, "job 3 has no element 77"),
        (["--cancel", "2", "--time", "2=1h"], 2, "cancelled and changed at once"),
        (["--hold", "2", "--release", "2"], 2, "held and released at once"),
        (["--time", "2"], 2, "is not ID=VALUE"),
        (["--time", "2=never"], 2, "'never' is no duration"),
        (["--priority", "2=high"], 2, "--priority"),
        (["--submit", "cpus=64"], 2, "64 cpus; this machine has 4"),
        (["--submit", "cpus=4", "--remove", "cpus=1"], 2, "this machine has 3"),
        (["--submit", "cpus"], 2, "is not KEY=VALUE"),
        (["--submit", "cpus=two"], 2, "--submit: cpus"),
        (["--submit", "cpu=2 colour=red"], 2, "is no option of a job"),
        (["--submit", "cpus=1 cpus=2"], 2, "given twice"),
        (["--submit", "count=0"], 2, "--submit: count"),
        (["--submit", "count=2 array=0-3"], 2, "exclude each other"),
        (["--submit", "cpus=1 partition=nowhere"], 2, "partition"),
        (["--submit", "cpus=1 afterok=99"], 3, "no job '99'"),
        (["--policy", "fair"], 2, "no policy 'fair'"),
        (["--policy", "easy", "--policy", "none"], 2, "--policy is given twice"),
        (["--order", "random"], 2, "no order 'random'"),
        (["--remove", "gpus=1"], 2, "the machine has 0 gpus"),
        (["--add", "cpus=-1"], 2, "--add"),
        (["--add", "gpus=1", "--remove", "gpus=1"], 2, "added and removed"),
        (["--at", "yesterday"], 2, "--at"),
        (["--at", "now-1h"], 2, "--at lies in the past"),
        (["--at", "now+2d", "--horizon", "1d"], 2, "behind --horizon"),
        (["--runs", "nan"], 2, "--runs"),
        (["--runs", "2"], 2, "--runs"),
        (["--horizon", "0"], 2, "--horizon"),
        (["--budget", "x"], 2, "--budget"),
        (["--unlimited", "unlimited"], 2, "--unlimited"),
    ],
)
def test_what_makes_no_sense_is_refused(line, words, code, said):
    answer = line("whatif", *words)
    assert answer.code == code, answer
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    ("option", "begun", "offered"),
    [
        ("--policy", "c", ["conservative"]),
        ("--order", "wf", ["wfp3"]),
        ("--cancel", "swee", ["sweep"]),
    ],
)
def test_names_are_completed(line, option, begun, offered):
    from click.shell_completion import ShellComplete

    from hpcshell.cli.main import hpc

    shell = ShellComplete(hpc, {}, "hpc", "_HPC_COMPLETE")
    found = shell.get_completions(["whatif", option], begun)
    assert [item.value for item in found] == offered


def test_an_empty_queue_has_nothing_to_tell(cli, tmp_path: Path):
    assert cli("whatif", check=True).out == "nothing waits\n"
    said = cli("whatif", "--submit", "cpus=2 time=1h", check=True)
    assert said.out.splitlines()[1].split()[0] == "new"


def test_a_large_array_is_cut_short(cli):
    cli("submit", "--array", "0-999999", "--cpus", "4", "--time", "1h", "--hold", "--", "true")
    said = cli("whatif", "--release", "1", "--budget", "0.2s", check=True)
    assert "cut short" in said.err
    assert "1" in said.out.splitlines()[1].split()[0]


# -- explain ---------------------------------------------------------------------------------------


def test_explain_tells_who_is_in_the_way_and_between_when_and_when_it_starts(line):
    (told,) = line("explain", "wide", "--json", check=True).json["jobs"]
    assert told["promised"]
    assert near(told["interval"]["latest"]["start"], told["promise"]["start"])
    assert told["interval"]["earliest"]["start"] < told["promise"]["start"] - 3000.0
    assert told["change"]["options"] == "--cpus=2"
    said = line("explain", "wide", check=True).out
    assert "in the way: job 1 (runs until" in said
    assert "at the earliest now, if all that runs or goes before it were to end at once" in said
    assert "starts at the latest" in said


def test_explain_and_whatif_agree(line):
    (told,) = line("explain", "wide", "--json", check=True).json["jobs"]
    assert near(foretold(line)[2]["before"], told["promise"]["start"])


def test_what_is_only_estimated_is_not_called_the_latest(line):
    said = line("explain", "3_5", check=True).out
    assert "starts at the latest" not in said
    (told,) = line("explain", "3_5", "--json", check=True).json["jobs"]
    assert not told["promised"]
