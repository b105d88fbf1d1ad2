"""`hpc track`: experiments and runs listed, shown, compared and changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from hpcshell.cli.tracked import opened, ran
from hpcshell.jobs.surroundings import here
from hpcshell.track import run as begin
from hpcshell.track.artifacts import Artifacts
from hpcshell.track.records import File, Run
from hpcshell.track.store import experiments, files, runs
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.opening import open_store
from hpcshell.track.store.runs import NewRun
from tests.cli.conftest import Cli
from tests.support.stores import new_database
from tests.track.points.spooled import RUN, SOURCE, WHOLE
from tests.track.store.made import NOW, measured

FIRST, SECOND = "aaaa" * 8, "aabb" * 8


def _two_runs(connection: Connection) -> None:
    number = experiments.create(connection, "mnist", now=NOW).id
    for id, rate, loss in ((FIRST, 0.1, 0.5), (SECOND, 0.2, 0.3)):
        new = NewRun(
            experiment_id=number,
            run_id=id,
            name=f"lr {rate}",
            config={"lr": rate, "depth": 3},
            job=JobRef("slurm", str(int(rate * 10))),
        )
        runs.create(connection, new, NOW)
        measured(connection, id, {"loss": loss})


@pytest.fixture
def track(cli: Cli) -> Cli:
    """`hpc` with an experiment `mnist` that has two runs."""
    with open_store(new_database(here().track.database)) as store:
        store.change(_two_runs)
    return cli


def test_experiments_are_listed(track: Cli) -> None:
    assert "mnist" in track("track", "experiments", check=True).out
    document = track("track", "experiments", "--json", check=True).json
    assert [(row["name"], row["runs"]) for row in document["rows"]] == [("mnist", 2)]
    assert track("track", "experiments", "--quiet", check=True).out == "1\n"


def test_runs_are_listed_sorted_and_filtered(track: Cli) -> None:
    said = track("track", "runs", "mnist", "--sort", "metrics.loss", check=True)
    assert said.out.splitlines()[1].startswith(SECOND[:8])
    assert "loss 0.3" in said.out
    assert "slurm_2" in said.out

    document = track("track", "runs", "--filter", "params.lr < 0.15", "--json", check=True).json
    assert [row["run_id"] for row in document["rows"]] == [FIRST]
    assert document["rows"][0]["config"] == {"lr": 0.1, "depth": 3}


def test_pages_go_on_where_the_last_ended(track: Cli) -> None:
    first = track("track", "runs", "--limit", 1, "--json", check=True).json
    rest = track("track", "runs", "--limit", 1, "--json", "--cursor", first["next"], check=True)

    assert [row["run_id"] for row in first["rows"] + rest.json["rows"]] == [SECOND, FIRST]
    assert rest.json["next"] is None
    assert track("track", "runs", "--limit", 0, "--quiet", check=True).out.split() == [
        SECOND,
        FIRST,
    ]


def test_a_filter_that_is_none_is_refused_with_its_place(track: Cli) -> None:
    said = track("track", "runs", "--filter", "metrics.loss <")

    assert said.code == 2
    assert "character 15" in said.err
    assert "hint:" in said.err


def test_the_latest_run_is_called_at(track: Cli) -> None:
    assert track("track", "show", "@", "--json", check=True).json["run_id"] == SECOND


def test_a_run_is_shown_by_its_first_digits(track: Cli) -> None:
    said = track("track", "show", "aaa", check=True).out
    assert FIRST in said
    assert "lr = 0.1" in said
    assert track("track", "show", "aab", "--json", check=True).json["run_id"] == SECOND
    assert track("track", "show", "aa").code == 2
    assert track("track", "show", "f").code == 3
    assert track("track", "show", "'; DROP TABLE runs").code == 2


def test_runs_stand_beside_each_other(track: Cli) -> None:
    said = track("track", "compare", "aaa", "aab", check=True).out
    assert "params.lr" in said
    assert "params.depth" not in said
    assert "params.depth" in track("track", "compare", "aaa", "aab", "--all", check=True).out
    document = track("track", "compare", "aaa", "aab", "--json", check=True).json
    assert document["differing"] == {"lr": ["0.1", "0.2"]}


def test_the_best_are_listed(track: Cli) -> None:
    said = track("track", "best", "mnist", "loss", "--min", "--quiet", check=True).out
    assert said.split() == [SECOND, FIRST]
    document = track("track", "best", "1", "loss", "--limit", 1, "--json", check=True).json
    assert [(row["rank"], row["value"]) for row in document["rows"]] == [(1, 0.5)]


def test_what_the_best_are_is_said(track: Cli) -> None:
    assert "greatest are first; --min" in track("track", "best", "mnist", "loss", check=True).err
    assert not track("track", "best", "mnist", "loss", "--min", check=True).err
    fitting = track("track", "best", "mnist", "loss", "--filter", "params.lr = '9'", check=True)
    assert "no run that fits" in fitting.err


@pytest.mark.parametrize(
    ("words", "code", "meant"),
    [
        (("best", "mnist", "los"), 3, "did you mean loss?"),
        (("best", "mnist", "accuracy"), 3, "there are loss"),
        (("best", "mnits", "loss"), 3, "did you mean 'mnist'?"),
        (("runs", "mnits"), 3, "did you mean 'mnist'?"),
        (("runs", "--sort", "metrics.los"), 3, "did you mean loss?"),
        (("runs", "mnist", "--sort", "-params.deptb"), 3, "did you mean depth?"),
        (("runs", "--sort", "loss"), 2, "metrics.loss"),
        (("runs", "--filter", "loss < 0.1"), 2, "metrics.loss"),
        (("runs", "--filter", "metrics.los < 1 and params.lr > 0"), 0, "did you mean loss?"),
        (("runs", "--filter", "metrics.loss < 0"), 0, "no runs that fit"),
        (("export", "--points", "--metric", "los"), 3, "did you mean loss?"),
        (("export", "--points", "--run", "aaa", "--metric", "lss"), 3, "did you mean loss?"),
        (("fetch", "aaa", "nope"), 3, "hpc track files"),
        (("undo", "--experiment", "mnits"), 3, "--deleted"),
        (("purge", "--older-than", "banana"), 2, "a bare number is days"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_a_name_that_is_none_is_said_with_what_is_like_it(
    track: Cli, words: tuple[str, ...], code: int, meant: str
) -> None:
    said = track("track", *words)
    assert (said.code, said.out) == (code, "")
    assert meant in said.err


def test_runs_are_found_by_the_name_of_their_experiment_and_experiments_by_their_runs(
    track: Cli,
) -> None:
    runs_of = ("track", "runs", "--quiet", "--filter")
    assert len(track(*runs_of, "experiment = 'mnist'", check=True).out.split()) == 2
    assert track(*runs_of, "experiment LIKE 'x%'", check=True).out == ""
    assert len(track(*runs_of, "created_at > '2001-01-01'", check=True).out.split()) == 2
    sorted_by = ("track", "experiments", "--quiet", "--sort", "-runs")
    assert track(*sorted_by, "--filter", "runs > 1", check=True).out == "1\n"


def test_files_are_listed_and_fetched_wherever_they_lie(track: Cli, tmp_path: Path) -> None:
    plot, lost = tmp_path / "plot.png", tmp_path / "lost.pt"
    plot.write_bytes(b"a plot")
    os.mkfifo(tmp_path / "pipe")
    upload = Artifacts(here().track.artifacts, 100).begin(FIRST, "models/best.pt")
    upload.write(b"a model")
    upload.seal()
    upload.place()
    named = {"loss.png": str(plot), "lost.pt": str(lost), "pipe": str(tmp_path / "pipe")}
    named |= {"far": "s3://bucket/far"}

    def note(connection: Connection) -> None:
        kept = File(run_id=FIRST, path="models/best.pt", kind="checkpoint", step=7, created_at=1.0)
        files.put(connection, kept, NOW)
        for path, uri in named.items():
            files.put(connection, File(run_id=FIRST, path=path, uri=uri, created_at=1.0), NOW)

    with opened().store as store:
        store.change(note)

    shown = track("track", "show", "aaa", check=True).out
    assert "models/best.pt (checkpoint, step 7" in shown
    assert str(plot) in shown
    listed = track("track", "files", "aaa", check=True).out.splitlines()
    assert [row.split()[0] for row in listed[1:]] == sorted([*named, "models/best.pt"])
    rows = track("track", "files", "aaa", "--json", check=True).json["rows"]
    assert [row["uri"] for row in rows if row["step"] == 7] == [None]
    assert "no files" in track("track", "files", "aab", check=True).err

    assert track("track", "fetch", "aaa", "models/best.pt", check=True).out == "best.pt\n"
    assert (tmp_path / "best.pt").read_bytes() == b"a model"
    track("track", "fetch", "aaa", "loss.png", "-o", "copy.png", check=True)
    assert (tmp_path / "copy.png").read_bytes() == b"a plot"
    assert track("track", "fetch", "aaa", "loss.png", "-o", "copy.png").code == 4
    track("track", "fetch", "aaa", "models/best.pt", "-o", "copy.png", "--force", check=True)
    assert (tmp_path / "copy.png").read_bytes() == b"a model"
    for path, code in (("lost.pt", 3), ("pipe", 4), ("far", 4), ("../x", 2)):
        assert track("track", "fetch", "aaa", path, "-o", "out").code == code
    assert not (tmp_path / "out").exists()


def test_a_lost_run_ran_until_it_was_last_heard_of_and_one_that_runs_until_now() -> None:
    known = Run(
        run_id=FIRST,
        experiment_id=1,
        experiment="x",
        status="LOST",
        created_at=0.0,
        updated_at=0.0,
        started_at=100.0,
        heartbeat_at=160.0,
    )
    assert ran(known, 1000.0) == 60.0
    assert ran(replace(known, status="RUNNING"), 1000.0) == 900.0
    assert ran(replace(known, status="COMPLETED", ended_at=130.0), 1000.0) == 30.0
    assert ran(replace(known, started_at=None), 1000.0) is None


@pytest.mark.parametrize("width", [50, 80, 120])
def test_a_table_of_runs_keeps_to_the_window(
    width: int, track: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpcshell.cli.table.terminal_width", lambda: width)
    said = track("track", "runs", check=True).out.splitlines()
    assert max(map(len, said)) <= width
    assert said[0].split()[0] == "RUN"
    assert {"STATUS", "METRICS"} <= set(said[0].split())


def test_what_is_sent_to_a_server_is_said_to_be_elsewhere(
    track: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPC_TRACK_URL", "https://me:secret@tracker.example.org")
    said = track("track", "runs", check=True).err
    assert "https://tracker.example.org:443 is to be seen there" in said
    assert "secret" not in said
    monkeypatch.setenv("HPC_TRACK_URL", "postgresql://me:secret@localhost/tracker")
    said = track("track", "runs", check=True).err
    assert "is the URL of a database" in said
    assert "HPC_TRACK__URL" in said
    assert "secret" not in said


def test_who_looks_makes_no_directory_that_is_not_there(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPC_TRACK__URL", f"sqlite:///{tmp_path}/nope/x.db")
    for words in (("runs",), ("show", "@"), ("best", "a", "b"), ("experiments",)):
        said = cli("track", *words)
        assert said.code == 2
        assert "there is no directory" in said.err
    assert not (tmp_path / "nope").exists()
    cli("track", "migrate", check=True)
    assert "no runs that fit" in cli("track", "runs", check=True).err


def test_that_more_waits_than_was_taken_in_is_said(
    track: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpcshell.cli.tracked.PATIENCE", -1.0)
    assert "hpc track sync does that" in track("track", "runs", check=True).err


def test_what_is_done_already_is_said_to_be(track: Cli) -> None:
    assert "is not deleted" in track("track", "undo", "aaa", check=True).out
    track("track", "delete", "aaa", check=True)
    said = track("track", "delete", "aaa", "aab", check=True).out
    assert said.splitlines() == [
        f"run {FIRST[:8]} was deleted before",
        f"run {SECOND[:8]} deleted",
    ]
    track("track", "undo", "aaa", "aab", check=True)
    track("track", "delete", "--experiment", "mnist", check=True)
    again = track("track", "delete", "--experiment", "1", "--json", check=True).json["rows"]
    assert [row["changed"] for row in again] == [False]
    due = track("track", "purge", "--older-than", "0", "--dry-run", check=True).out
    assert due == "would delete 2 runs and 1 experiment for good\n"
    assert "restored" in track("track", "undo", "--experiment", "mnist", check=True).out
    assert "is not deleted" in track("track", "undo", "--experiment", "mnist", check=True).out


def test_notes_and_tags_are_written(track: Cli) -> None:
    track("track", "note", "aaa", "-", input="a *good* one", check=True)
    track("track", "tag", "team=vision", "stage=a=b", "aaa", "aab", check=True)
    track("track", "tag", "--drop", "team", "aab", check=True)

    first, second = track("track", "show", "aaa", "aab", "--json", check=True).json
    assert first["note"] == "a *good* one"
    assert first["tags"] == {"stage": "a=b", "team": "vision"}
    assert second["tags"] == {"stage": "a=b"}
    assert track("track", "tag", "aaa").code == 2


def test_nothing_changes_in_a_dry_run(track: Cli) -> None:
    assert "would be deleted" in track("track", "delete", "aaa", "--dry-run", check=True).out
    track("track", "tag", "a=b", "aaa", "--dry-run", check=True)

    shown = track("track", "show", "aaa", "--json", check=True).json
    assert (shown["deleted_at"], shown["tags"]) == (None, {})


def test_what_is_deleted_comes_back_until_it_is_purged(track: Cli) -> None:
    track("track", "delete", "aaa", check=True)
    assert track("track", "runs", "--quiet", check=True).out.split() == [SECOND]
    assert track("track", "runs", "--deleted", "--quiet", check=True).out.split() == [FIRST]
    track("track", "undo", "aaa", check=True)
    track("track", "delete", "--experiment", "mnist", check=True)
    assert track("track", "purge", "--older-than", "1d", "--yes", check=True).out == (
        "deleted 0 runs and 0 experiments for good\n"
    )
    track("track", "undo", "--experiment", 1, check=True)
    assert len(track("track", "runs", "--quiet", check=True).out.split()) == 2

    uploads = Artifacts(here().track.artifacts, 100)
    for owner in (FIRST, "m-1"):
        upload = uploads.begin(owner, "a/b")
        upload.seal()
        upload.place()
    track("track", "delete", "--experiment", "mnist", check=True)
    assert track("track", "purge", "--older-than", "0").code == 4  # nobody can be asked
    track("track", "purge", "--older-than", "0", "--yes", check=True)
    assert track("track", "undo", "--experiment", 1).code == 3
    assert sorted(os.listdir(uploads.root)) == ["incoming", "m-1"]


@pytest.mark.parametrize(
    "words",
    [
        ("experiments",),
        ("runs", "--deleted"),
        ("runs", "mnist"),
        ("show", RUN),
        ("compare", RUN),
        ("best", "mnist", "loss"),
        ("export",),
    ],
)
def test_who_looks_sees_what_was_logged_here_without_any_server(cli: Cli, words) -> None:
    spool = here().track.spool
    os.makedirs(spool)
    with open(f"{spool}/{SOURCE}.jsonl", "wb") as file:
        file.write(WHOLE)
    for _ in range(2):
        cli("track", *words, check=True)
        (run,) = cli("track", "runs", "--json", check=True).json["rows"]
        assert (run["run_id"], run["experiment"], run["status"]) == (RUN, "mnist", "COMPLETED")
        assert run["metrics"]["loss"]["count"] == 2
    assert os.listdir(spool) == [f"{SOURCE}.jsonl"], "only sync removes files"


def test_what_cannot_be_taken_in_keeps_nobody_from_looking(cli: Cli) -> None:
    spool = here().track.spool
    os.makedirs(spool)
    for name in ("nonsense.jsonl", f"{'0' * 32}.jsonl"):
        with open(f"{spool}/{name}", "wb") as file:
            file.write(b"\xff{\n")
    said = cli("track", "runs", check=True)
    assert said.err.strip() == "no runs that fit"


def test_a_run_is_seen_as_soon_as_it_is_begun(cli: Cli) -> None:
    with begin("quick", url="") as run:
        run.log(loss=0.5)
        (row,) = cli("track", "runs", "quick", "--json", check=True).json["rows"]
        assert (row["run_id"], row["status"]) == (run.run_id, "RUNNING")
        assert row["metrics"]["loss"]["last"] == 0.5


def test_the_database_is_brought_to_the_newest_version(cli: Cli) -> None:
    assert "would go from nothing" in cli("track", "migrate", "--dry-run", check=True).out
    assert "went from nothing" in cli("track", "migrate", check=True).out
    document = cli("track", "migrate", "--json", check=True).json
    assert document["version"] == document["newest"]


def test_names_of_runs_are_printable(track: Cli) -> None:
    said = track("track", "note", "aaa", "\x1b]0;evil\x07", check=True)
    assert said.code == 0
    assert "\x1b" not in track("track", "show", "aaa", check=True).out
