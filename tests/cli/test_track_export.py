"""`hpc track export` writes runs and points to a file or to stdout."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from sqlalchemy import Connection

from hpcshell.cli.track_export import FORMS
from hpcshell.cli.tracked import opened
from hpcshell.track.points.append import append
from hpcshell.track.points.chunks import Points
from hpcshell.track.points.exporting import FORMS as WRITTEN
from hpcshell.track.store import experiments, runs
from hpcshell.track.store.runs import NewRun
from tests.cli.conftest import Cli

ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture
def filled(cli: Cli) -> None:
    """Two experiments with a run each."""

    def fill(connection: Connection) -> None:
        for name, run_id, loss in (("mnist", ONE, 0.5), ("other", TWO, 0.25)):
            experiment = experiments.ensure(connection, name, now=1.0)
            runs.create(connection, NewRun(experiment_id=experiment.id, run_id=run_id), 1.0)
            append(connection, run_id, {"loss": Points([1, 2], [1.0, 2.0], [9.0, loss])}, 2.0)

    with opened().store as store:
        store.change(fill)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.usefixtures("filled")
def test_runs_of_all_experiments_or_of_one(cli: Cli) -> None:
    assert [row["run_id"] for row in rows(cli("track", "export").out)] == [ONE, TWO]
    for named in ("mnist", "1"):
        found = rows(cli("track", "export", named).out)
        assert [(row["run_id"], row["metrics.loss"]) for row in found] == [(ONE, "0.5")]


@pytest.mark.usefixtures("filled")
def test_runs_that_fit_a_filter(cli: Cli) -> None:
    found = rows(cli("track", "export", "--filter", "metrics.loss < 0.3").out)
    assert [row["run_id"] for row in found] == [TWO]


@pytest.mark.usefixtures("filled")
def test_points_of_a_run(cli: Cli) -> None:
    said = cli("track", "export", "--points", "--run", TWO, "--metric", "loss", "--json")
    assert [(row["step"], row["value"]) for row in said.json["rows"]] == [(1, 9.0), (2, 0.25)]
    words = ("track", "export", "--points", "--run", TWO, "--format", "jsonl")
    lines = [json.loads(line) for line in cli(*words).out.splitlines()]
    assert [(row["step"], row["value"]) for row in lines] == [(1, 9.0), (2, 0.25)]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("form", FORMS)
def test_a_file_has_the_form_that_its_name_says(cli: Cli, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"runs.{form}"
    said = cli("track", "export", "--output", path, check=True)
    assert said.out == ""
    begins = {"csv": b"run_id,", "json": b'{"schema"', "jsonl": b'{"run_id"', "parquet": b"PAR1"}
    assert path.read_bytes().startswith(begins[form])


def test_the_forms_are_those_that_can_be_written() -> None:
    assert FORMS == WRITTEN


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("none",), 3),
        (("99",), 3),
        (("--run", "f" * 32), 3),
        (("--run", "x"), 2),
        (("mnist", "--run", ONE), 2),
        (("--metric", "loss"), 2),
        (("--output", "runs.xls"), 2),
        (("--filter", "metrics."), 2),
    ],
)
@pytest.mark.usefixtures("filled")
def test_what_cannot_be_exported_is_said(cli: Cli, words: tuple[str, ...], code: int) -> None:
    said = cli("track", "export", *words)
    assert (said.code, said.out) == (code, "")
    assert "hint" in said.err
