"""What is exported can be read back, and no spreadsheet runs it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from typing import Any, Final

import pyarrow.parquet
import pytest
from sqlalchemy import Connection

from hpcshell.core.errors import Wrong
from hpcshell.track.points import exporting
from hpcshell.track.points.append import append
from hpcshell.track.points.chunks import Points
from hpcshell.track.points.exporting import FORMS, every_run, points_table, runs_table
from hpcshell.track.store import experiments, runs
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.paging import Wanted
from hpcshell.track.store.runs import NewRun
from hpcshell.track.store.store import Store

ONE, TWO = "1" * 32, "2" * 32
EVIL = "=cmd|' /C calc'!A0"


@pytest.fixture
def filled(store: Store) -> Store:
    """Two runs that have not the same parameters and metrics."""

    def fill(connection: Connection) -> None:
        experiment = experiments.ensure(connection, "mnist", now=1.0).id
        job = JobRef("slurm", "12")
        for new in (
            NewRun(experiment_id=experiment, run_id=ONE, params={"lr": "0.1"}, name=EVIL, job=job),
            NewRun(experiment_id=experiment, run_id=TWO, tags={"a,b": 'say "x"\n'}, seed=7),
        ):
            runs.create(connection, new, 1.0)
        append(connection, ONE, {EVIL: Points([2, 1], [5.0, 6.0], [math.nan, -0.5])}, 2.0)
        append(connection, TWO, {"acc": Points([1], [5.0], [math.inf])}, 2.0)

    store.change(fill)
    return store


def exported(store: Store, form: str) -> bytes:
    with store.reading() as connection:
        wanted = Wanted(sort="created_at")
        return b"".join(runs_table(lambda: every_run(connection, wanted), form))


def points(store: Store, form: str, keys: list[str] | None = None) -> bytes:
    with store.reading() as connection:
        return b"".join(points_table(connection, [ONE, TWO], form, keys=keys))


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def parquet_of(content: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    return found


READ: Final[dict[str, Callable[[bytes], list[Any]]]] = {
    "csv": rows_of,
    "json": lambda content: json.loads(content)["rows"],
    "jsonl": lambda content: [json.loads(line) for line in content.splitlines()],
    "parquet": parquet_of,
}


def test_a_table_of_runs_has_a_column_for_each_parameter_tag_and_metric(filled: Store) -> None:
    one, two = rows_of(exported(filled, "csv"))
    assert (one["run_id"], one["params.lr"], one["job.label"]) == (ONE, "0.1", "12")
    assert (two["run_id"], two["params.lr"], two["job.label"]) == (TWO, "", "")
    assert two["tags.a,b"] == 'say "x"\n'
    assert (two["metrics.acc"], one["metrics.acc"], two["seed"]) == ("inf", "", "7")


def test_parquet_has_numbers_where_there_are_some(filled: Store) -> None:
    one, two = parquet_of(exported(filled, "parquet"))
    assert (one["name"], one["created_at"], one["seed"]) == (EVIL, 1.0, None)
    assert (two["metrics.acc"], two["seed"], one["metrics.acc"]) == (math.inf, 7, None)
    assert math.isnan(one[f"metrics.{EVIL}"])


def test_json_lines_are_the_documents(filled: Store) -> None:
    found = [json.loads(line) for line in exported(filled, "jsonl").splitlines()]
    assert [run["run_id"] for run in found] == [ONE, TWO]
    assert found[1]["metrics"]["acc"]["last"] == "Infinity"


def test_no_cell_is_a_formula(filled: Store) -> None:
    for content in (exported(filled, "csv"), points(filled, "csv")):
        for row in csv.reader(io.StringIO(content.decode())):
            assert not [cell for cell in row if cell.startswith(("=", "@", "+"))]


def test_points_are_in_order_one_a_row(filled: Store) -> None:
    found = [list(row.values()) for row in rows_of(points(filled, "csv"))]
    assert found == [
        [ONE, f"'{EVIL}", "1", "6.0", "-0.5"],
        [ONE, f"'{EVIL}", "2", "5.0", "nan"],
        [TWO, "acc", "1", "5.0", "inf"],
    ]
    lines = [json.loads(line) for line in points(filled, "jsonl").splitlines()]
    assert [line["value"] for line in lines] == [-0.5, "NaN", "Infinity"]
    assert [row["step"] for row in parquet_of(points(filled, "parquet"))] == [1, 2, 1]


def test_points_may_be_of_some_metrics(filled: Store) -> None:
    assert [row["metric"] for row in rows_of(points(filled, "csv", ["acc", "none"]))] == ["acc"]


@pytest.mark.parametrize("form", FORMS)
def test_many_rows_are_made_bit_by_bit(
    filled: Store, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "ROWS", 100)
    more = {"loss": Points(range(1050), [1.0] * 1050, [0.5] * 1050)}
    filled.change(lambda c: append(c, TWO, more, 3.0))
    with filled.reading() as connection:
        parts = list(points_table(connection, [ONE, TWO], form))
    assert len(parts) >= 11
    content = b"".join(parts)
    assert len(READ[form](content)) == 1053


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_of_nothing_there_is_an_empty_table(store: Store, form: str) -> None:
    for content in (exported(store, form), points(store, form)):
        assert not (parquet_of if form == "parquet" else rows_of)(content)


def test_another_form_is_refused_at_once(store: Store) -> None:
    with store.reading() as connection:
        for ask in (
            lambda: runs_table(list, "xls"),
            lambda: points_table(connection, [], "xls"),
        ):
            with pytest.raises(Wrong) as error:
                ask()
            assert error.value.hint
