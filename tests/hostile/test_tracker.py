"""Lists that are asked for what they cannot give, and ids of others: each with its outcome."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from hpcshell.track.points.append import append
from hpcshell.track.points.chunks import Points
from hpcshell.web.context import Context
from tests.support.track_fixtures import As

LISTS = ("/experiments", "/runs", "{experiment}/runs")
PATIENCE = 5.0
"""Seconds in which a filter is refused or answered, however it is written; a second, on a machine
with nothing else to do."""


@pytest.fixture(params=LISTS)
def listed(request: pytest.FixtureRequest, api: httpx.Client, experiment: str) -> str:
    """The address of a list with ten rows."""
    for number in range(10):
        api.post(f"{experiment}/runs", json={"name": f"r{number}", "params": {"n": number}})
        api.post("/experiments", json={"name": f"e{number}"})
    address: str = request.param
    return address.format(experiment=experiment)


# -------------------------------------------------------------------------------------- pages


IMPOSSIBLE = ["-1", "0", "1001", "1e9", "1000000000", str(2**63), "9" * 40, "1.5", "x", "", "٣"]


def test_a_limit_that_is_not_possible_is_refused(api: httpx.Client, listed: str) -> None:
    for limit in IMPOSSIBLE:
        answer = api.get(listed, params={"limit": limit})
        assert (answer.status_code, answer.json()["kind"]) == (400, "wrong"), limit


def test_pages_leave_nothing_out_and_repeat_nothing(api: httpx.Client, listed: str) -> None:
    limit = 3

    def ids(query: dict[str, Any]) -> tuple[list[Any], str | None]:
        page = api.get(listed, params=query).json()
        return [row.get("run_id", row.get("id")) for row in page["rows"]], page["next"]

    found, cursor = ids({"limit": limit})
    while cursor is not None:
        rows, cursor = ids({"limit": limit, "cursor": cursor})
        assert rows
        found += rows
    assert len(found) == len(set(found)) >= 10


def test_a_cursor_is_taken_as_it_was_given_and_in_no_other_way(
    api: httpx.Client, listed: str
) -> None:
    cursor = api.get(listed, params={"limit": 2}).json()["next"]
    assert api.get(listed, params={"limit": 2, "cursor": cursor}).status_code == 200
    middle = len(cursor) // 2
    other = "A" if cursor[middle] != "A" else "B"
    for tampered in (
        *(cursor[:-4], cursor + "AAAA", cursor[:middle] + other + cursor[middle + 1 :]),
        *(cursor.swapcase(), cursor[::-1], "x", "0", "AAAA", "../../etc/passwd", "1' OR '1'='1"),
        *("é", "\x00", "A" * 4000, "A" * 60_000),
    ):
        answer = api.get(listed, params={"limit": 2, "cursor": tampered})
        assert answer.status_code in (400, 414, 431), tampered[:50]
    elsewhere = api.get(listed, params={"limit": 2, "sort": "updated_at", "cursor": cursor})
    assert elsewhere.status_code == 400
    assert "another list" in elsewhere.json()["detail"]


NO_COLUMNS = [
    *(
        "nothing",
        "-nothing",
        "name; DROP TABLE runs",
        "name desc",
        "1",
        "metrics.",
        "-",
        "--name",
    ),
    *(
        "created_at,name",
        "(SELECT 1)",
        "config",
        "params",
        "\x00",
        "x" * 400,
        "params." + "x" * 299,
    ),
]


def test_a_column_that_there_is_not_is_told_and_those_that_there_are(
    api: httpx.Client, listed: str
) -> None:
    for sort in NO_COLUMNS:
        answer = api.get(listed, params={"sort": sort})
        assert (answer.status_code, answer.json()["kind"]) == (400, "wrong")
        assert answer.json()["hint"]


def test_a_word_that_is_nearly_right_is_told_the_right_one(api: httpx.Client) -> None:
    assert "created_at" in api.get("/runs", params={"sort": "create_at"}).json()["hint"]


# ------------------------------------------------------------------------------------ filters


NO_FILTERS = [
    *(
        "name =",
        "name",
        "= 'x'",
        "name = 'x",
        "name LIKE",
        "name IN (",
        "name ~ 'a'",
        "((((",
        ")",
    ),
    *("nothing = 1", "metrics. > 1", "params.a.b = ", "1 = 1", "name = 'a'; DROP TABLE runs"),
    *("name = 'a' --", "name = 'a' UNION SELECT 1", "name REGEXP '(a+)+$'", "\x00", "é = 1"),
    *("$..*", "name = `", "/*", "name = 1e999x", "(" * 3000 + "name = 'a'" + ")" * 3000),
    *(
        " and ".join(["name = 'a'"] * 350),
        " or ".join(["metrics.a < 1"] * 200),
        "name LIKE '%" + "a" * 1000 + "b'",
        "(" * 21 + "name = 'a'" + ")" * 21,
        "not " * 900 + "name = 'a'",
        "name = 'a'" + " " * 4000,
    ),
]


def test_what_is_no_filter_or_too_much_of_one_is_refused_at_once(
    api: httpx.Client, listed: str
) -> None:
    for filter in NO_FILTERS:
        begun = time.monotonic()
        answer = api.get(listed, params={"filter": filter})
        assert time.monotonic() - begun < PATIENCE
        assert answer.status_code in (200, 400, 431), answer.text
        if answer.status_code == 200:
            assert filter.startswith("not ")
        else:
            assert answer.json()["hint"]
        assert len(api.get(listed).json()["rows"]) >= 10, "and everything is still there"


@pytest.mark.parametrize(
    "filter",
    [
        "name LIKE '" + "%a" * 60 + "b'",
        "name ILIKE '" + "%_" * 100 + "'",
        "name IN (" + ", ".join(f"'{n}'" for n in range(150)) + ")",
        "params.lr NOT IN (" + ",".join(["1"] * 1000) + ")",
        " or ".join(["metrics.a < 1"] * 50),
        " or ".join(f"tags.k{n} like '%a%b'" for n in range(50)),
        "name = '''; DROP TABLE runs; --'",
    ],
)
def test_a_filter_that_would_be_slow_is_answered_or_refused_in_time(
    api: httpx.Client, experiment: str, filter: str
) -> None:
    api.post(f"{experiment}/runs", json={"name": "a" * 250})
    begun = time.monotonic()
    answer = api.get("/runs", params={"filter": filter})
    assert time.monotonic() - begun < PATIENCE
    assert answer.status_code in (200, 400)
    assert api.get("/runs").status_code == 200


def test_many_parameters_and_the_same_one_twice_are_no_trouble(api: httpx.Client) -> None:
    twice = api.get("/runs?limit=1&limit=2")
    assert (twice.status_code, twice.json()["hint"]) == (400, "send it once")
    many = "&".join(f"x{number}=1" for number in range(150))
    assert api.get(f"/runs?{many}").status_code == 400
    assert api.get("/runs?deleted=maybe").status_code == 400


# --------------------------------------------------------------------------------- whose it is


def test_an_id_of_anothers_is_shown_and_never_changed(
    api: httpx.Client, experiment: str, as_: As
) -> None:
    mine = api.post(f"{experiment}/runs", json={}).json()["run_id"]
    bob = as_("user", "bob")
    assert api.get(f"/runs/{mine}", headers=bob).status_code == 200
    for method, path, body in (
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("POST", "/restore", None),
        ("POST", "/metrics", {"name": "a", "value": 1}),
        ("PUT", "/status", {"status": "done"}),
        ("PUT", "/job", {"kind": "slurm", "id": 1}),
    ):
        answer = api.request(method, f"/runs/{mine}{path}", json=body, headers=bob)
        assert (answer.status_code, "tester" in answer.json()["detail"]) == (403, True)
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        assert api.request(method, experiment, json=body, headers=bob).status_code == 403
    assert api.get(f"/runs/{mine}").json()["status"] == "RUNNING"


def test_part_of_an_id_is_no_id(api: httpx.Client, experiment: str) -> None:
    number = experiment.rpartition("/")[2]
    run = api.post(f"{experiment}/runs", json={}).json()["run_id"]
    for part in (run[:12], run[:-1], run + "0", run.upper() if run != run.upper() else "x"):
        assert api.get(f"/runs/{part}").status_code in (400, 404)
    for near in (f"{number}23", f"-{number}", f"{number}.0", f"{number}e0", f"0{number}", 2**63):
        assert api.get(f"/experiments/{near}").status_code in (400, 404)
        assert api.delete(f"/experiments/{near}").status_code in (400, 404)
    assert api.get(experiment).json()["deleted_at"] is None


# ------------------------------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b"null", 400),
        (b"[" * 10_000, 400),
        (b'{"name": ' + b'{"a": ' * 10_000 + b"1" + b"}" * 10_000 + b"}", 400),
        (b'{"name": "a", "value": 1e400}', 400),
        (b'{"name": "a", "value": 1', 400),
        (b'\xff\xfe{"name": "a"}', 400),
        (b'{"name": "a", "value": ' + b"9" * 5000 + b"}", 400),
        (b'{"name": "a", "value": ' + b"9" * 5000 + b', "x": NaN}', 400),
        (b'{"name": "a", "name": "b", "value": 1}', 201),
    ],
    ids=lambda given: given[:20].decode("latin-1") if isinstance(given, bytes) else str(given),
)
def test_a_body_that_is_no_point_is_refused_and_the_last_of_a_key_counts(
    api: httpx.Client, experiment: str, body: bytes, status: int
) -> None:
    run = api.post(f"{experiment}/runs", json={}).json()["run_id"]
    headers = {"Content-Type": "application/json"}
    answer = api.post(f"/runs/{run}/metrics", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    kept = api.get(f"/runs/{run}/metrics").json()["metrics"]
    assert list(kept) == (["b"] if status == 201 else [])


def test_a_metric_of_a_million_points_is_shown_and_paged(
    api: httpx.Client, experiment: str, context: Context
) -> None:
    run = api.post(f"{experiment}/runs", json={}).json()["run_id"]
    steps = range(1_000_000)
    points = Points(steps, [1.0] * len(steps), [float(step % 1000) for step in steps])
    context.store.change(lambda connection: append(connection, run, {"loss": points}, 1.0))
    assert api.get(f"/runs/{run}/metrics").json()["metrics"]["loss"]["count"] == 1_000_000
    assert len(api.get(f"/runs/{run}/curves").content) < 100_000
    last = api.get(f"/runs/{run}/metrics/loss?since=999990").json()["rows"]
    assert [row["step"] for row in last] == list(range(999_990, 1_000_000))
    assert api.get(f"/runs/{run}/metrics/loss?limit=1000000").status_code == 400
