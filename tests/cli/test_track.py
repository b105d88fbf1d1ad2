"""`hpc track`: experiments and runs listed, shown, compared and changed."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import Connection

from hpcshell.jobs.surroundings import here
from hpcshell.track import run as begin
from hpcshell.track.artifacts import Artifacts
from hpcshell.track.store import experiments, runs
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
