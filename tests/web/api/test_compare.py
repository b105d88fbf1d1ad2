"""Runs beside each other, the best of them, and all of them as a file."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any

import httpx
import pytest

from hpcshell.web.context import STREAMS, Context


@pytest.fixture
def runs(api: httpx.Client, experiment: str) -> list[str]:
    """Three runs that differ in one parameter; the loss of the last is NaN."""
    ids = []
    for number, loss in enumerate([0.5, 0.25, "NaN"]):
        body = {"seed": number, "config": {"lr": number / 10, "model": "=cmd|' /C calc'!A1"}}
        run_id = api.post(f"{experiment}/runs", json=body).json()["run_id"]
        points = [{"name": "loss", "value": 1 + number, "step": 0}]
        points += [{"name": "loss", "value": loss, "step": 1}]
        api.post(f"/runs/{run_id}/metrics", json=points)
        ids.append(run_id)
    return ids


def test_runs_are_compared_in_what_differs(api: httpx.Client, runs: list[str]) -> None:
    answer = api.get("/api/v1/compare", params={"runs": runs})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["schema"], [run["run_id"] for run in found["runs"]]) == (1, runs)
    assert found["differing"] == {"lr": ["0.0", "0.1", "0.2"]}
    assert found["same"] == {"model": "=cmd|' /C calc'!A1"}
    assert [summary["last"] for summary in found["metrics"]["loss"]] == [0.5, 0.25, "NaN"]
    assert found["columns"]["seed"] == [0, 1, 2]


def test_what_cannot_be_compared_is_told_so(api: httpx.Client, runs: list[str]) -> None:
    for query in ([], ["x"], ["0" * 32], [runs[0], "0" * 32], [runs[0]] * 101):
        assert api.get("/api/v1/compare", params={"runs": query}).status_code in (400, 404)
    assert api.get("/api/v1/compare", params={"runs": [runs[0]]}).status_code == 200


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("direction=min", [(1, 0.25), (0, 0.5), (2, 3.0)]),
        ("direction=min&by=last", [(1, 0.25), (0, 0.5)]),
        ("", [(2, 3.0), (1, 2.0), (0, 1.0)]),
        ("limit=1", [(2, 3.0)]),
        ("filter=params.lr < 0.2", [(1, 2.0), (0, 1.0)]),
    ],
)
def test_the_best_come_first_and_what_is_no_number_is_not_among_them(
    api: httpx.Client, experiment: str, runs: list[str], query: str, expected: Any
) -> None:
    found = api.get(f"{experiment}/leaderboard?metric=loss&{query}").json()
    rows = [(runs.index(row["run"]["run_id"]), row["value"]) for row in found["rows"]]
    assert rows == expected
    assert [row["rank"] for row in found["rows"]] == list(range(1, len(rows) + 1))


def test_a_leaderboard_of_nothing_is_told_so(api: httpx.Client, experiment: str) -> None:
    assert api.get(f"{experiment}/leaderboard?metric=none").json()["rows"] == []
    for query in ("", "metric=", "metric=a&limit=0", "metric=a&by=luck", "metric=a&direction=up"):
        assert api.get(f"{experiment}/leaderboard?{query}").status_code == 400
    assert api.get("/experiments/99/leaderboard?metric=a").status_code == 404


def test_runs_are_exported_as_a_table_without_formulas(
    api: httpx.Client, experiment: str, runs: list[str]
) -> None:
    answer = api.get(f"{experiment}/export?sort=created_at&limit=1")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["run_id"] for row in rows] == runs
    assert [row["params.lr"] for row in rows] == ["0.0", "0.1", "0.2"]
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())


def test_points_are_exported_one_a_line(
    api: httpx.Client, experiment: str, runs: list[str]
) -> None:
    answer = api.get(f"{experiment}/export?what=points&format=jsonl&sort=created_at")
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [(row["run_id"], row["step"], row["value"]) for row in rows] == [
        (run, step, value)
        for run, last, number in zip(runs, [0.5, 0.25, "NaN"], range(3), strict=True)
        for step, value in ((0, 1.0 + number), (1, last))
    ]
    none = api.get(f"{experiment}/export?what=points&format=csv&keys=none")
    assert len(none.text.splitlines()) == 1


@pytest.mark.parametrize("what", ["runs", "points"])
def test_an_export_may_be_one_document(
    api: httpx.Client, experiment: str, runs: list[str], what: str
) -> None:
    lines = api.get(f"{experiment}/export?what={what}&format=jsonl&sort=created_at").text
    whole = api.get(f"{experiment}/export?what={what}&format=json&sort=created_at").json()
    assert whole == {"schema": 1, "rows": [json.loads(line) for line in lines.splitlines()]}
    assert whole["rows"]


def test_a_form_that_there_is_not_is_answered_with_those_there_are(
    api: httpx.Client, experiment: str
) -> None:
    problem = api.get(f"{experiment}/export?format=xlsx").json()
    assert "csv, json, jsonl, parquet" in problem["hint"]


def test_a_table_may_be_parquet(api: httpx.Client, experiment: str, runs: list[str]) -> None:
    from pyarrow import BufferReader, parquet

    answer = api.get(f"{experiment}/export?what=points&format=parquet")
    table = parquet.read_table(BufferReader(answer.content))
    assert table.num_rows == 6


def test_what_cannot_be_exported_is_told_before_anything_is_sent(
    api: httpx.Client, experiment: str, context: Context
) -> None:
    for query in ("format=xlsx", "what=all", "filter=metrics.loss <", "sort=nothing"):
        answer = api.get(f"{experiment}/export?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (
            400,
            "application/problem+json",
        )
    assert api.get("/experiments/99/export").status_code == 404
    for _ in range(2 * STREAMS):
        assert api.get(f"{experiment}/export").status_code == 200, "each lets go of its connection"


def test_more_exports_than_can_be_made_at_a_time_are_put_off(
    api: httpx.Client, experiment: str, context: Context
) -> None:
    for number in range(STREAMS):
        assert context.streams.take(f"user {number}") is None
    answer = api.get(f"{experiment}/export")
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    context.streams.leave("user 0")
    assert api.get(f"{experiment}/export").status_code == 200
    assert context.streams.take("tester") is None
    answer = api.get(f"{experiment}/export")
    assert (answer.status_code, "of yours" in answer.text) == (503, True)


def test_a_form_that_the_server_cannot_make_is_not_the_callers_fault(
    api: httpx.Client, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = api.get(f"{experiment}/export?format=parquet")
    assert answer.status_code == 501
    assert "hpcshell[parquet]" in answer.json()["hint"]
