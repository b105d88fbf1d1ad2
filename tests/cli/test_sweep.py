"""`hpc sweep`: a study at the prompt."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from hpcshell.cli.sweep import HIDDEN, VERBS
from tests.cli.conftest import Cli
from tests.support.homes import HPC
from tests.support.terminals import terminal

SCRIPT = """
import os, sys
given = dict(word.split("=", 1) for word in sys.argv[1:])
open(os.environ["HPC_SWEEP_DIR"] + "/runs", "a").write("ran\\n")
lr, seed = float(given["lr"]), int(given["seed"])
if lr > 0.05 and seed == 1 and not os.path.exists("mended"):
    raise ValueError("it diverged")
print(f"loss={lr + seed}")
"""
SPEC = {
    "name": "study",
    "script": "train.py",
    "sweep": {"grid": {"lr": [0.1, 0.01], "seed": [1, 2]}},
    "metric": "loss",
}


@pytest.fixture
def project(shared: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A project of its own with a specification, and one daemon for all of them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT)
    write(SPEC)

    def sweep(*words: str | int | Path, check: bool = False):
        return shared("sweep", *words, check=check)

    return sweep


def write(spec: dict, name: str = "sweep.yaml") -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(yaml.safe_dump(spec, sort_keys=False))


def changed(**more: object) -> None:
    write({**SPEC, **more})


def waiting(command: str) -> dict[str, object]:
    """A specification of four points that does what a shell is told."""
    words = ["sh", "-c", command]
    return {"command": words, "passing": "environment", "sweep": {"grid": {"seed": [1, 2, 3, 4]}}}


def runs() -> dict[str, int]:
    """By point, how often it has run."""
    return {
        path.parent.name: len(path.read_text().splitlines())
        for path in Path("sweeps/outputs").glob("*/points/*/runs")
    }


def test_every_verb_is_there_under_its_name(shared):
    listed = shared("sweep", "--help").out
    for name in VERBS:
        assert f"  {name} " in listed
        assert f"Usage: hpc sweep {name}" in shared("sweep", name, "--help").out
    assert not any(f"  {name} " in listed for name in HIDDEN)
    assert "did you mean 'status'?" in shared("sweep", "stauts").err


# ----------------------------------------------------------------------------------------- running


def test_points_run_once_however_often_they_are_asked_for(project):
    first = project("run", "--wait")
    assert first.code == 8
    assert first.out == "sweep study: 4 points: 3 completed, 1 failed\n"
    again = project("run", check=True)
    assert again.out == "sweep study: nothing to submit: 3 COMPLETED, 1 FAILED\n"
    assert "hpc sweep resume" in again.err
    assert set(runs().values()) == {1}


def test_resume_runs_what_failed_and_nothing_else(project):
    project("run", "--wait")
    told = project("resume", "--dry-run", "--json", check=True).json
    (failed,) = told["points"]
    assert failed["params"] == {"lr": 0.1, "seed": 1}
    Path("mended").touch()
    said = project("resume", "--wait", "--json", check=True)
    assert (said.json["submitted"], said.json["counts"]) == (1, {"COMPLETED": 4})
    assert {id for id, count in runs().items() if count == 2} == {failed["id"]}
    assert project("resume").out == "sweep study: nothing to submit: 4 COMPLETED\n"


def test_resume_may_ask_for_it_in_other_words(project, shared):
    project("run", "--memory", "1G", "--wait")
    project("resume", "--resources", "select=1:ncpus=2:mem=2gb", check=True)
    project("watch")
    latest = shared("history", "--name", "study", "--json", check=True).json["rows"][0]
    assert (latest["cpus"], latest["memory"]) == (2, 2 << 30)


def test_a_sweep_grows_by_what_is_added_to_its_file(project):
    project("run", "--wait")
    changed(sweep={"grid": {"lr": [0.1, 0.01], "seed": [1, 2, 3]}})
    assert "2 of 6 points submitted" in project("run", check=True).out
    project("watch")
    assert sorted(runs().values()) == [1] * 6


def test_in_a_copy_of_the_project_edits_make_new_points_and_growth_does_not(project):
    changed(snapshot=True)
    project("run", "--wait")
    changed(snapshot=True, sweep={"grid": {"lr": [0.1, 0.01], "seed": [1, 2, 3]}})
    assert "2 of 6 points submitted" in project("run", check=True).out
    project("watch")
    Path("train.py").write_text(SCRIPT + "# another\n")
    assert "6 of 6 points submitted" in project("run", check=True).out
    project("watch")


@pytest.mark.parametrize("words", [("-c", "other.yaml"), ("other.yaml",)])
def test_another_file_can_be_named(project, words):
    write({**SPEC, "name": "other"}, "other.yaml")
    assert project("run", *words, "--quiet", check=True).out == "other\n"


def test_the_file_of_hsm_is_found(project):
    Path("sweep.yaml").unlink()
    write(SPEC, "sweeps/sweep.yaml")
    assert project("run", "--count-only", check=True).out == "4 points\n"


def test_a_pipe_is_read_where_somebody_writes_to_it(project):
    os.mkfifo("pipe")
    said = project("run", "pipe")
    assert (said.code, "a pipe that nobody writes to" in said.err) == (2, True)
    assert project("run", ".").code == project("run", "/dev/zero").code == 2
    words = f"{HPC} sweep run <(cat sweep.yaml) --count-only"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout == "4 points\n"


def test_only_the_first_points_are_run_where_that_is_asked(project):
    assert "2 of 2 points submitted" in project("run", "--max-runs", 2, check=True).out
    project("watch")
    assert len(runs()) == 2


def test_what_the_prompt_says_wins_over_the_file(project, shared):
    changed(resources={"cpus": 1, "memory": "1G"}, throttle=1, priority=100)
    words = ("--cpus", 2, "--memory", "2G", "--walltime", "00:20:00", "--group", "night")
    project("run", *words, "-p", 2, "--priority", 700, check=True)
    project("watch")
    job = shared("history", "--name", "study", "--tag", "night", "--json", check=True).json["rows"][
        0
    ]
    assert (job["cpus"], job["memory"], job["time_limit"]) == (2, 2 << 30, 1200)
    assert job["priority"] == 700


def test_resources_may_be_said_in_the_words_of_any_scheduler(project, shared):
    changed(resources={"memory": "1G"})
    for name, words in {
        "a": "select=1:ncpus=2:mem=2gb",
        "b": "-N 1 --cpus-per-task=2 --mem=2G",
    }.items():
        project("run", "--sweep-id", name, "--resources", words, check=True)
        project("watch", name)
        job = shared("history", "--name", name, "--json", check=True).json["rows"][0]
        assert (job["cpus"], job["memory"]) == (2, 2 << 30)


def test_each_point_is_a_job_of_its_own_where_that_is_asked(project, shared):
    said = project("run", "--mode", "individual", "--json", check=True).json
    assert len(said["batches"][0]["jobs"]) == 4
    project("watch")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--mode", "arary"], 2, "did you mean array?"),
        (["--mode", "remote"], 2, "--remote NAME"),
        (["--mode", "array", "--remote", "x"], 2, "--remote names where points go"),
        (["--resources", "cpsu=2 memory=1G"], 2, "did you mean cpus?"),
        (["--walltime", "1h", "--time", "1h"], 2, "say the same"),
        (["--resources", "cpus=1", "--cpus", "2"], 2, "say the same"),
        (["nowhere.yaml"], 3, "there is no file 'nowhere.yaml'"),
        (["a.yaml", "-c", "b.yaml"], 2, "name two files"),
        (["--max-runs", "0"], 2, "--max-runs"),
        (["--sweep-id", "a/b"], 2, "name of a folder"),
        (["--cpus", "64"], 2, "this machine has 4"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(project, words, code, told):
    said = project("run", *words)
    assert said.code == code, said
    assert told in said.err
    assert runs() == {}


@pytest.mark.parametrize(
    "verb", ["status", "watch", "report", "errors", "best", "export", "cancel"]
)
def test_without_a_sweep_it_is_said_how_to_start_one(project, verb):
    said = project(verb)
    assert said.code == 3
    assert "hpc sweep run starts one" in said.err


# ----------------------------------------------------------------------------------- before running


def test_too_many_points_are_counted_and_refused(project):
    axes = {f"p{number}": {"range": [0, 100]} for number in range(6)}
    changed(sweep={"grid": {**axes, "lr": [1], "seed": [1]}})
    for words in ((), ("--dry-run",)):
        said = project("run", *words)
        assert (said.code, "1,000,000,000,000 points" in said.err) == (4, True)
        assert "--max-runs" in said.err
    assert project("run", "--count-only", check=True).out == "1,000,000,000,000 points\n"
    some = project("run", "--dry-run", "--max-runs", 2, check=True).out
    assert some.startswith("sweep study: 2 of 1,000,000,000,000 points\n")
    assert "by the time limit" in some or "for 2 points" in some


def test_where_all_points_are_excluded_nothing_is_made(project):
    changed(sweep={"grid": {"lr": [0.1], "seed": [1, 2]}, "exclude": ["lr > 0"]})
    for words in ((), ("--dry-run",)):
        said = project("run", *words)
        assert (said.code, "all of them are excluded" in said.err) == (2, True)
    assert not Path("sweeps").exists()


def test_a_dry_run_shows_everything_and_elides_nothing(project):
    many = [number / 7 for number in range(300)]
    changed(
        sweep={
            "parameters": {"seed": 1},
            "grid": {"lr": many},
            "paired": [{"sizes": {"width": [1, 2], "heads": [2, 4]}}],
            "exclude": ["width == 1 and lr > 40"],
        },
        resources={"cpus": 2, "time_limit": "1h"},
        snapshot=True,
    )
    said = project("run", "--dry-run", check=True)
    lines = [line.strip() for line in said.out.splitlines()]
    assert f"lr: {', '.join(map(json.dumps, many))}" in lines
    assert lines[0] == "sweep study: 581 points"
    assert {"sizes: 2 groups of width, heads", "width=1, heads=2", "width=2, heads=4"} <= {*lines}
    assert "without width == 1 and lr > 40" in lines
    assert "cost: at most 1,162 core-hours, by the time limit of 581 points" in said.out
    assert "2 at once" in lines[-1]
    assert not Path("sweeps").exists()


def test_the_command_of_a_dry_run_is_the_one_that_runs(project):
    shown = project("run", "--dry-run", "--json", check=True).json
    project("run", "--wait")
    first = project("export", "--format", "json", check=True).json[0]
    folder = Path("sweeps/outputs/study/points", first["id"])
    assert shown["command"][-1] == f"output.dir={folder.absolute()}"
    assert shown["first"] == json.loads((folder / "params.json").read_text())


def test_what_has_run_tells_what_the_rest_will_cost(project):
    project("run", "--max-runs", 2, "--wait")
    said = project("run", "--dry-run", check=True)
    assert "cost: no upper bound for 2 points: there is no time limit" in said.out
    assert "by the 1 that have run" in said.out
    mean = project("run", "--dry-run", "--json", check=True).json["cost"]["mean"]
    assert mean == round(mean, 3)
    assert "time: about" in said.out


def test_a_dry_run_says_what_would_be_refused(project):
    said = project("run", "--dry-run", "--cpus", 64)
    assert said.code == 4
    assert "it would be refused: asks for 64 cpus; this machine has 4" in said.out


def test_a_search_goes_on_by_itself_and_is_told_as_what_it_is(project):
    search = {
        "method": "random",
        "metric": "loss",
        "trials": 6,
        "parallel": 2,
        "parameters": {"lr": {"uniform": [0, 0.04]}, "seed": {"int": [1, 3]}},
    }
    write({"name": "study", "script": "train.py", "search": search})
    assert project("run", "--count-only", check=True).out == "6 points\n"
    told = project("run", "--dry-run", check=True).out
    assert "random: 6 trials, 2 at once: minimize loss" in told
    assert "lr: uniform 0 to 0.04" in told
    assert "submitted to local, as a job each" in told
    assert "python3 train.py lr=0.0" in told
    assert "of 6 trials submitted" in project("run", check=True).out
    assert project("watch", "--every", 0.2, check=True).out.startswith("sweep study: 6 points")
    assert set(runs().values()) == {1}


def test_a_search_whose_metric_is_never_printed_says_so(project):
    search = {"metric": "nothing", "trials": 2, "parameters": {"lr": {"uniform": [0, 0.04]}}}
    write({"name": "study", "command": "true {lr}", "search": search})
    said = "warning: 2 completed points have no number for nothing\n"
    assert project("run", "--wait", check=True).err.endswith(said)
    assert said in project("status", check=True).out
    assert said in project("watch", check=True).out


# ------------------------------------------------------------------------------------------ looking


def test_what_failed_is_told_with_what_to_type_next(project):
    project("run", "--wait")
    said = project("status", check=True)
    assert said.out.splitlines() == [
        "sweep study: 4 points: 3 completed, 1 failed",
        "     1  train.py:7 in <module>: ValueError: it diverged",
        "next: hpc sweep errors, hpc sweep resume",
    ]
    assert project("status", "study", "--json", check=True).json["counts"]["FAILED"] == 1
    assert project("status", "--quiet", check=True).out == "COMPLETED 3\nFAILED 1\n"
    errors = project("errors", check=True).out
    assert "1 point: train.py:7 in <module>: ValueError: it diverged" in errors
    assert "/stderr" in errors


def test_watch_ends_with_the_sweep_and_with_its_code(project):
    project("run", check=True)
    said = project("watch", "--every", 0.2)
    assert said.code == 8
    assert said.out.splitlines()[0] == "sweep study: 4 points: 3 completed, 1 failed"
    Path("mended").touch()
    assert project("resume", "--wait").code == 0
    assert project("watch", "--json").json["live"] is False


def test_the_best_points_are_listed_in_their_order(project):
    project("run", "--wait")
    rows = project("best", "-n", 2, check=True).out.splitlines()
    assert rows[0].split() == ["POINT", "loss", "lr", "seed"]
    assert [row.split()[1:] for row in rows[1:]] == [["1.01", "0.01", "1"], ["2.01", "0.01", "2"]]
    worst = project("best", "-n", 1, "--maximize", "--json", check=True).json["best"][0]
    assert worst["params"] == {"lr": 0.1, "seed": 2}
    assert project("best", "--metric", "lost").code == 3


def test_a_report_has_a_section_for_all_there_is(project):
    project("run", "--wait")
    said = project("report", check=True).out
    for title in ("best by loss", "mean loss by parameter", "run time", "failures", "errors"):
        assert f"\n\n{title}" in said
    assert project("report", "--json", check=True).json["measured"] == 3


def test_a_report_can_be_a_page_and_pictures(project):
    project("run", "--wait")
    said = project("report", "--html", "r.html", "--pictures", "r.png", "--heat", "lr,seed")
    assert (said.code, said.out) == (0, "wrote r.html\nwrote r.png\n"), said
    assert "it diverged" in Path("r.html").read_text()
    assert Path("r.png").read_bytes().startswith(b"\x89PNG")
    assert project("report", "--html", "no/where.html").code == 1
    for words in (("--html", "x.jpg"), ("--html", "x.html", "--pictures", "x.jpg")):
        assert project("report", *words).code == 2
    assert not list(Path().glob("x.*"))
    assert project("report", "--pictures", "x.png", "--heat", "lr").code == 2


def test_a_table_holds_all_points(project):
    project("run", "--wait")
    rows = project("export", check=True).out.splitlines()
    assert rows[0] == "index,id,state,exit_code,seconds,job,on,lr,seed,loss,note"
    assert len(rows) == 5
    project("export", "--output", "table.json", check=True)
    assert len(json.loads(Path("table.json").read_text())) == 4
    assert project("export", "--output", "table.txt").code == 2


def test_the_sweeps_of_a_directory_are_listed_the_latest_first(project):
    assert project("recent", check=True).err == "no sweeps here: hpc sweep init, hpc sweep run\n"
    project("run", "--sweep-id", "one", "--wait")
    project("run", "--sweep-id", "two", "--max-runs", 1, "--wait")
    assert project("recent", "--quiet", check=True).out == "two\none\n"
    rows = project("recent", "--json", check=True).json["rows"]
    assert [(row["points"], row["completed"], row["failed"], row["state"]) for row in rows] == [
        (1, 0, 1, "incomplete"),
        (4, 3, 1, "incomplete"),
    ]
    assert project("status", check=True).out.startswith("sweep two")
    assert project("status", "one", check=True).out.startswith("sweep one")
    assert "did you mean one?" in project("status", "onee").err


def test_a_damaged_sweep_is_listed_and_the_others_are_tended(project):
    project("run", "--sweep-id", "one", "--wait")
    project("run", "--sweep-id", "two", "--wait")
    Path("sweeps/outputs/one/sweep.json").write_text("{")
    listed = project("recent", check=True)
    assert "is damaged" in listed.err
    assert {line.split()[0] for line in listed.out.splitlines()[1:]} == {"one", "two"}
    rows = project("recent", "--json", check=True).json["rows"]
    assert {row["id"]: row["state"] for row in rows} == {"two": "incomplete", "one": "damaged"}
    assert "deleted two" in project("cleanup", "--days", 0, "--yes", check=True).out
    assert "is damaged" in project("cleanup", "--days", 0, "--yes", check=True).err


# ----------------------------------------------------------------------------------------- changing


def test_what_was_cancelled_can_go_on(project):
    write({"name": "study", "throttle": 1, **waiting("test -e go || sleep 600")})
    project("run", check=True)
    assert project("cancel", "--dry-run", check=True).out == "sweep study: would cancel 4 points\n"
    assert project("cancel", check=True).out == "sweep study: cancelled 4 points\n"
    assert project("watch").code == 7
    assert "stopped: it was cancelled" in project("status", check=True).out
    Path("go").touch()
    assert project("resume", "--wait", check=True).out.endswith("4 completed\n")


def test_of_what_is_deleted_nothing_is_live_and_somebody_said_yes(project):
    write({"name": "long", **waiting("sleep 600")}, "long.yaml")
    project("run", "--wait")
    project("run", "long.yaml", check=True)
    assert "--yes" in project("cleanup", "--days", 0).err
    assert project("cleanup", "long", "--yes").code == 4
    told = project("cleanup", "--days", 0, "--dry-run", check=True)
    assert told.out.startswith("would delete study")
    assert "kept long: something of it waits or runs" in told.err
    kept = project("cleanup", "--days", 0, "--yes", "--keep-incomplete", check=True)
    assert (kept.out, "kept study: not all" in kept.err) == ("", True)
    assert project("cleanup", "--days", 0, "--yes", "--quiet", check=True).out == "study\n"
    project("cancel", "long", check=True)
    project("watch", "long")
    project("cleanup", "--yes", "--days", 0, check=True)
    assert os.listdir("sweeps/outputs") in ([".latest"], [])


def test_what_happened_lately_is_kept_unless_it_is_named(project):
    project("run", "--wait")
    assert "within 30 days" in project("cleanup", "--yes", check=True).err
    assert project("cleanup", "study", "--yes", check=True).out.startswith("deleted study")


# --------------------------------------------------------------------------------- on a terminal


def test_on_a_terminal_a_bar_is_drawn_until_it_has_ended(project):
    project("run", check=True)
    with terminal([HPC, "sweep", "watch", "--every", "0.2"], {"TERM": "xterm"}) as person:
        error = "     1  train.py:7 in <module>: ValueError: it diverged"
        following = "next: hpc sweep errors, hpc sweep resume"
        person.sees("\r\n".join(["xxx] 100 %", error, following]))
        assert person.leaves() == 8


def test_on_a_terminal_it_is_asked_before_anything_is_deleted(project):
    project("run", "--wait")
    for answer, left in (("n", ["study"]), ("y", [])):
        with terminal([HPC, "sweep", "cleanup", "study"]) as person:
            person.sees("delete 1 sweep: study? [y/N]")
            person.types(answer + "\r")
            assert person.leaves() == 0
        assert project("recent", "--quiet").out.split() == left
