"""What clients send of their spool files is taken in once, in order, and only of their own runs."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx

from tests.support.track_fixtures import As

RUN = "ab" * 16
FIRST: dict[str, Any] = {"k": "run", "t": 1.0, "run_id": RUN, "experiment": "mnist", "config": {}}


def lines(*said: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in said)


def send(api: httpx.Client, body: bytes, offset: Any = 0, source: str = RUN, **named: Any) -> Any:
    query: dict[str, Any] = {"source": source, "offset": offset}
    headers = {"Content-Type": "application/x-ndjson", **named.pop("headers", {})}
    return api.post("/api/v1/ingest", params=query, content=body, headers=headers, **named)


def test_lines_make_a_run_and_its_points(api: httpx.Client) -> None:
    body = lines(FIRST, {"k": "m", "t": 2.0, "s": 1, "v": {"loss": 0.5, "acc": "NaN"}})
    answer = send(api, body)
    assert (answer.status_code, answer.json()["offset"]) == (200, len(body))
    run = api.get(f"/runs/{RUN}").json()
    assert (run["experiment"], run["source"]) == ("mnist", "client")
    assert {key: summary["last"] for key, summary in run["metrics"].items()} == {
        "loss": 0.5,
        "acc": "NaN",
    }


def test_what_comes_again_counts_once_and_what_is_missing_is_asked_for(api: httpx.Client) -> None:
    head, tail = lines(FIRST), lines({"k": "m", "t": 2.0, "s": 1, "v": {"loss": 1}})
    gap = send(api, tail, offset=len(head))
    assert (gap.status_code, gap.json()["offset"]) == (409, 0)
    assert gap.headers["content-type"] == "application/problem+json"
    assert send(api, head).json()["offset"] == len(head)
    for _ in range(2):
        assert send(api, head + tail).json()["offset"] == len(head + tail)
        assert send(api, tail, offset=len(head)).json()["offset"] == len(head + tail)
    assert api.get(f"/runs/{RUN}").json()["metrics"]["loss"]["count"] == 1


def test_a_line_that_cannot_be_read_is_named_and_the_others_are_taken(api: httpx.Client) -> None:
    point = {"k": "m", "t": 2.0, "s": 1, "v": {"loss": 1}}
    body = lines(FIRST) + b"{half\n" + lines(point) + b'{"k": "m", "unfinished'
    answer = send(api, body)
    assert answer.status_code == 200
    assert answer.json()["offset"] == body.rindex(b"\n") + 1
    assert [bad["offset"] for bad in answer.json()["bad"]] == [len(lines(FIRST))]
    assert api.get(f"/runs/{RUN}").json()["metrics"]["loss"]["count"] == 1


def test_a_body_may_be_packed(api: httpx.Client) -> None:
    packed = gzip.compress(lines(FIRST))
    answer = send(api, packed, headers={"Content-Encoding": "gzip"})
    assert answer.json()["offset"] == len(lines(FIRST))


def test_a_user_sends_of_his_own_runs_alone(api: httpx.Client, as_: As) -> None:
    ann, bob = as_("user", "ann"), as_("user", "bob")
    head = lines(FIRST | {"user": "root"})
    assert send(api, head, headers=ann).status_code == 200
    assert api.get(f"/runs/{RUN}").json()["user"] == "ann", "whatever the line says"
    point = lines({"k": "m", "t": 2.0, "s": 1, "v": {"loss": 1}})
    assert send(api, head + point, headers=bob).status_code == 403
    assert send(api, head + point, headers=as_("viewer", "ann")).status_code == 403
    assert api.get(f"/runs/{RUN}").json()["metrics"] == {}


def test_what_is_no_source_or_offset_is_told_so(api: httpx.Client) -> None:
    for source in ("", "x", "../" + RUN, RUN.upper(), RUN + "-" + "a" * 40, "%00"):
        assert send(api, lines(FIRST), source=source).status_code == 400
    for offset in (-1, 1.5, "x", 2**63, 10**30):
        assert send(api, lines(FIRST), offset=offset).status_code == 400
    assert api.post("/api/v1/ingest", content=b"").status_code == 400
    assert api.get("/runs").json()["rows"] == []
