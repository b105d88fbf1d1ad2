"""What does not fit is said in words, with the place where it stands and what there is instead."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.track_fixtures import experiment, run

__all__ = ["experiment", "run"]
SEE = "see /docs for what is expected"
NUMBER = 'send a number, or "NaN", "Infinity" or "-Infinity"'


@pytest.mark.parametrize(
    ("body", "detail", "hint"),
    [
        ({"name": "loss", "value": None}, "the metric 'loss' has no value", NUMBER),
        ({"name": "loss"}, "the metric 'loss' has no value", NUMBER),
        (
            {"name": "a", "value": [1]},
            "value: it has to be a number or text, and is a list",
            SEE,
        ),
        (
            [{"name": "a", "value": 1}, {"name": "b", "value": None}],
            "the body[1].value: it has to be a number or text, and is null",
            SEE,
        ),
        (
            {"metrics": [{"name": "a", "value": 1}, {"name": "b"}]},
            "metrics[1]: the field 'value' is missing",
            SEE,
        ),
        ({"nmae": "a", "value": 1}, "the body: there is no field 'nmae'", "did you mean name?"),
        (
            [{"name": "a", "value": 1}, {"name": "a", "vlaue": 1}],
            "the body[1]: there is no field 'vlaue'",
            "did you mean value?",
        ),
        (
            [{"name": "a", "value": 1, "zzz": 1}],
            "the body[0]: there is no field 'zzz'",
            "there are name, value, step, time, metrics",
        ),
    ],
)
def test_of_a_body(api: httpx.Client, run: str, body: Any, detail: str, hint: str) -> None:
    answer = api.post(f"{run}/metrics", json=body)
    assert answer.status_code == 400
    assert (answer.json()["detail"], answer.json()["hint"]) == (detail, hint)
    assert api.get(f"{run}/metrics").json()["metrics"] == {}


def test_one_bad_point_of_many_is_named(api: httpx.Client, run: str) -> None:
    points: list[dict[str, Any]] = [{"name": "a", "value": step} for step in range(600)]
    points[599]["value"] = "much"
    assert "point 599, of 'a'" in api.post(f"{run}/metrics", json=points).json()["detail"]
    points[599] = {"name": "a", "value": 1, "time": 1_700_000_000_000}
    said = api.post(f"{run}/metrics", json=points)
    assert said.status_code == 400
    assert "point 599: time" in said.json()["detail"]
    assert "milliseconds" in said.json()["hint"]


def test_a_name_is_no_id(api: httpx.Client) -> None:
    said = api.post("/experiments/fit/runs", json={})
    assert said.status_code == 400
    assert "ids are numbers" in said.json()["detail"]
    assert said.json()["hint"].endswith("GET /experiments?filter=name = 'fit'")


@pytest.mark.parametrize("id", ["abc", "A" * 32, "0" * 31])
def test_what_is_no_id_of_a_run(api: httpx.Client, id: str) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/metrics"), ("GET", "/artifacts")):
        said = api.request(method, f"/runs/{id}{path}", json=[] if path else {})
        assert said.status_code == 400
        assert said.json()["detail"] == f"'{id}' is no id of a run"


def test_a_server_whose_address_ends_in_a_stroke(api: httpx.Client) -> None:
    said = api.post("http://127.0.0.1//experiments", json={"name": "x"})
    assert said.status_code == 400
    assert "without / at its end" in said.json()["hint"]
