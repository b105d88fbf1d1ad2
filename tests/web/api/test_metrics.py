"""Metrics over REST: what is accepted is there, raw and as curves, once."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = {"Content-Type": "application/json"}


def log(api: httpx.Client, run: str, body: Any, **headers: str) -> httpx.Response:
    return api.post(f"{run}/metrics", content=json.dumps(body), headers=JSON | headers)


def points(api: httpx.Client, run: str, key: str = "loss") -> list[tuple[int, Any]]:
    rows = api.get(f"{run}/metrics/{key}").json()["rows"]
    return [(row["step"], row["value"]) for row in rows]


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"name": "loss", "value": 0.5, "step": 3, "time": 5.5}, 1),
        ([{"name": "loss", "value": 0.5, "step": 3, "time": 5.5}], 1),
        ({"metrics": [{"name": "loss", "value": 0.5, "step": 3, "time": 5.5}]}, 1),
        ([], 0),
        ({"metrics": []}, 0),
    ],
)
def test_one_point_a_list_or_a_batch_is_accepted(
    api: httpx.Client, run: str, body: Any, count: int
) -> None:
    answer = log(api, run, body)
    assert (answer.status_code, answer.json()) == (201, {"accepted": count})
    summary = api.get(f"{run}/metrics").json()["metrics"]
    assert [each["count"] for each in summary.values()] == [count] * (count > 0)
    if count:
        row = {"step": 3, "time": 5.5, "value": 0.5}
        assert api.get(f"{run}/metrics/loss").json()["rows"] == [row]


def test_a_step_left_out_is_the_next_and_a_time_left_out_is_now(
    api: httpx.Client, run: str
) -> None:
    for body in (
        {"name": "loss", "value": 1},
        {"name": "loss", "value": 2},
        {"name": "loss", "value": 3, "step": 10},
        [{"name": "loss", "value": 4}, {"name": "acc", "value": 1}, {"name": "loss", "value": 5}],
    ):
        assert log(api, run, body).status_code == 201
    assert points(api, run) == [(0, 1), (1, 2), (10, 3), (11, 4), (12, 5)]
    assert points(api, run, "acc") == [(0, 1)]
    begun = api.get(run).json()["created_at"]
    assert all(row["time"] >= begun for row in api.get(f"{run}/metrics/loss").json()["rows"])


@pytest.mark.parametrize("said", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("quotes", ["", '"'])
def test_values_that_are_no_numbers_are_kept(
    api: httpx.Client, run: str, said: str, quotes: str
) -> None:
    body = f'{{"name": "loss", "value": {quotes}{said}{quotes}, "step": 1}}'
    assert api.post(f"{run}/metrics", content=body, headers=JSON).status_code == 201
    assert points(api, run) == [(1, said)]


NO_POINTS: list[Any] = [
    *({}, {"name": "a"}, {"value": 1}, {"name": "a", "value": None}, 3, "a", [3], [[]]),
    *({"name": "a", "value": True}, {"name": "a", "value": "1.5x"}, {"name": "a", "value": []}),
    *({"name": "", "value": 1}, {"name": "a\n", "value": 1}, {"name": "x" * 251, "value": 1}),
    *({"name": "a", "value": 1, "step": 1.5}, {"name": "a", "value": 1, "step": 2**63}),
    *({"name": "a", "value": 1, "step": True}, {"name": "a", "value": 1, "tiem": 1}),
    *({"name": "a", "value": 1, "time": "x"}, {"name": "a", "value": 1, "time": "NaN"}),
    {"name": "a", "value": 1, "metrics": []},
    [{"name": "a", "value": 1}, {"name": "a", "value": True}],
    {"name": "a", "value": 10**400},
]


def test_what_is_no_point_is_told_so_and_nothing_is_kept(api: httpx.Client, run: str) -> None:
    for body in NO_POINTS:
        answer = log(api, run, body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["detail"]
        assert api.get(f"{run}/metrics").json()["metrics"] == {}


@pytest.mark.parametrize(
    "key",
    ["train/loss", "a b", "<script>alert(1)</script>", "損失", "a%2Fb", "a?b#c", "a//b", ".."],
)
def test_a_metric_may_be_called_anything_that_can_be_shown(
    api: httpx.Client, run: str, key: str
) -> None:
    assert log(api, run, {"name": key, "value": 1, "step": 1}).status_code == 201
    quoted = "".join(f"%{byte:02X}" for byte in key.encode())
    shown = api.get(f"{run}/metrics/{quoted}")
    assert shown.status_code == 200, shown.text
    assert (shown.json()["key"], len(shown.json()["rows"])) == (key, 1)
    assert shown.headers["content-type"] == "application/json"


def test_points_come_in_pages_by_step_and_time_whatever_order_they_came_in(
    api: httpx.Client, run: str
) -> None:
    body = [{"name": "loss", "value": step, "step": step, "time": 1} for step in range(25)]
    log(api, run, body[::-1])
    seen: list[int] = []
    cursor: str | None = None
    while True:
        query: dict[str, Any] = {"limit": 10} | ({"cursor": cursor} if cursor else {})
        page = api.get(f"{run}/metrics/loss", params=query).json()
        assert "rows" in page, page
        seen += [row["step"] for row in page["rows"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == list(range(25))
    part = api.get(f"{run}/metrics/loss?since=5&until=7").json()["rows"]
    assert [row["step"] for row in part] == [5, 6, 7]
    for wrong in ("limit=0", "limit=-1", "limit=1e9", "cursor=x", "since=x"):
        assert api.get(f"{run}/metrics/loss?{wrong}").status_code == 400
    assert api.get(f"{run}/metrics/none").status_code == 404


def test_a_hundred_thousand_points_come_in_one_body_and_go_out_as_a_curve(
    api: httpx.Client, run: str
) -> None:
    body = [
        {"name": "loss", "value": math.sin(step / 1000), "step": step, "time": 1.0}
        for step in range(100_000)
    ]
    body[5000]["value"] = 7.5
    assert log(api, run, {"metrics": body}).json() == {"accepted": 100_000}
    answer = api.get(f"{run}/curves", params={"keys": ["loss", "none"], "points": 500})
    (curve,) = answer.json()["curves"]
    assert (curve["key"], curve["count"]) == ("loss", 100_000)
    assert len(curve["steps"]) == len(curve["values"]) <= 500
    assert (curve["steps"][0], curve["steps"][-1]) == (0, 99_999)
    assert max(curve["values"]) == 7.5
    assert len(answer.content) < 15_000


def test_curves_are_of_all_metrics_unless_some_are_named(api: httpx.Client, run: str) -> None:
    log(api, run, [{"name": key, "value": 1, "step": 1, "time": 5} for key in ("a", "b,c")])
    found = api.get(f"{run}/curves").json()
    assert (found["schema"], [curve["key"] for curve in found["curves"]]) == (1, ["a", "b,c"])
    found = api.get(f"{run}/curves", params={"keys": "b,c", "by": "time"}).json()["curves"]
    assert [(curve["key"], curve["start"], curve["times"]) for curve in found] == [("b,c", 5, [0])]
    for query in ("points=1", "points=1000000000", "by=height", "points=x"):
        assert api.get(f"{run}/curves?{query}").status_code == 400


numbers = st.floats(width=64).map(
    lambda value: value if math.isfinite(value) else "NaN" if math.isnan(value) else str(value)
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_points=st.lists(
        st.tuples(st.sampled_from("abc"), numbers, st.integers(-(2**63), 2**63 - 1)), max_size=20
    )
)
def test_everything_that_is_accepted_is_there(
    api: httpx.Client, experiment: str, given_points: list[tuple[str, Any, int]]
) -> None:
    run = f"/runs/{api.post(f'{experiment}/runs', json={}).json()['run_id']}"
    body = [{"name": key, "value": value, "step": step} for key, value, step in given_points]
    assert log(api, run, body).json() == {"accepted": len(body)}
    for key in {key for key, _, _ in given_points}:
        mine = [(step, value) for name, value, step in given_points if name == key]
        kept = points(api, run, key)
        words = {"inf": "Infinity", "-inf": "-Infinity"}
        expected = [(step, words.get(value, value)) for step, value in mine]
        assert sorted(map(repr, kept)) == sorted(map(repr, expected))


# ------------------------------------------------------------------------------- the same again


def test_a_request_that_comes_again_is_answered_again_and_counts_once(
    api: httpx.Client, run: str
) -> None:
    body, key = {"name": "loss", "value": 1}, {"Idempotency-Key": "k1"}
    first = log(api, run, body, **key)
    again = log(api, run, body, **key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert points(api, run) == [(0, 1)]
    other = log(api, run, {"name": "loss", "value": 2}, **key)
    assert (other.status_code, points(api, run)) == (409, [(0, 1)])
    log(api, run, body, **{"Idempotency-Key": "k2"})
    assert points(api, run) == [(0, 1), (1, 1)]


def test_a_run_that_is_begun_again_with_the_same_key_is_the_same_run(
    api: httpx.Client, experiment: str, as_: Any
) -> None:
    key = {"Idempotency-Key": "begin"}
    first = api.post(f"{experiment}/runs", json={}, headers=key).json()
    assert api.post(f"{experiment}/runs", json={}, headers=key).json() == first
    others = api.post(f"{experiment}/runs", json={}, headers=key | as_("user", "ann")).json()
    assert others["run_id"] != first["run_id"], "a key is its caller's"


def test_an_answer_that_was_an_error_is_not_kept(api: httpx.Client, run: str) -> None:
    key = {"Idempotency-Key": "k"}
    assert log(api, run, {"name": "a"}, **key).status_code == 400
    assert log(api, run, {"name": "a", "value": 1}, **key).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_what_is_no_key_is_refused(api: httpx.Client, run: str, key: str) -> None:
    answer = log(api, run, {"name": "a", "value": 1}, **{"Idempotency-Key": key})
    assert answer.status_code == 400
    assert api.get(f"{run}/metrics").json()["metrics"] == {}
