"""Jobs of a cluster over REST: the same routes with `on`, answered by its desk."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from hpcshell.jobs import opened
from tests.support.clusters.somewhere import Somewhere, far_desk
from tests.support.runners import eventually
from tests.support.web_fixtures import NewToken

JOBS = "/api/v1/jobs"
TEN = "".join(f"line {number}\n" for number in range(10))


@pytest.fixture(autouse=True)
def site(api: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Somewhere:
    """The scheduler of the cluster `toy`, whose desk each thread opens for itself."""
    scheduler = Somewhere(tmp_path / "there")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(opened, "_desk", lambda name: far_desk(tmp_path, scheduler))
    return scheduler


def submit(api: httpx.Client, name: str) -> str:
    body = {"command": ["train"], "options": {"name": name}}
    answer = api.post(f"{JOBS}?on=toy", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_jobs_are_listed_shown_and_cancelled(api: httpx.Client, site: Somewhere) -> None:
    first, second = submit(api, "one"), submit(api, "two")
    site.run(first, "run")
    rows = api.get(f"{JOBS}?on=toy").json()["rows"]
    assert {(str(row["id"]), row["name"], row["state"]) for row in rows} == {
        (first, "one", "RUNNING"),
        (second, "two", "PENDING"),
    }
    assert api.get(f"{JOBS}/{first}?on=toy").json()["name"] == "one"
    assert api.post(f"{JOBS}/{first}/cancel?on=toy", json={}).status_code == 200
    assert api.get(f"{JOBS}/{first}?on=toy").json()["state"] == "CANCELLED"
    assert [row["state"] for row in site.jobs] == ["gone", "wait"]


def test_pages_hold_each_job_once(api: httpx.Client) -> None:
    made = {submit(api, f"job {number}") for number in range(5)}
    seen: list[str] = []
    page = api.get(f"{JOBS}?on=toy&limit=2").json()
    while True:
        seen += [str(row["id"]) for row in page["rows"]]
        if page["next"] is None:
            break
        page = api.get(f"{JOBS}?on=toy&limit=2&cursor={page['next']}").json()
    assert sorted(seen) == sorted(made)


def test_what_a_job_has_written_is_read_there(api: httpx.Client, site: Somewhere) -> None:
    job = submit(api, "one")
    log = f"{JOBS}/{job}/logs/stdout?on=toy"
    assert api.get(log).status_code == 404, "it has not begun"
    site.run(job)
    row = opened.door("toy").call("outputs", ids=[job])["outputs"][0]
    Path(row["stdout"]).write_text(TEN)
    answer = api.get(log)
    assert answer.text == TEN
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    part = api.get(log, headers={"Range": "bytes=7-12"})
    assert (part.status_code, part.text) == (206, TEN[7:13])
    assert api.get(f"{log}&tail=2").text == "line 8\nline 9\n"


def states(api: httpx.Client, path: str) -> dict[str, str]:
    """Of the rows of a list, by their names."""
    answer = api.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return {row["name"]: row["state"] for row in answer.json()["rows"]}


def test_what_waits_and_runs_there_is_apart_from_what_has_ended(
    api: httpx.Client, site: Somewhere
) -> None:
    first, _ = submit(api, "one"), submit(api, "two")
    assert states(api, "queue?on=toy") == {"one": "PENDING", "two": "PENDING"}
    site.run(first, "run")  # of which whoever asked a moment ago is not told
    eventually(lambda: states(api, "queue?on=toy") == {"one": "RUNNING", "two": "PENDING"})
    assert states(api, "queue?on=toy&state=RUNNING") == {"one": "RUNNING"}
    assert api.post(f"{JOBS}/{first}/cancel?on=toy", json={}).status_code == 200
    assert states(api, "queue?on=toy") == {"two": "PENDING"}
    assert states(api, "history?on=toy") == {"one": "CANCELLED"}
    assert states(api, "queue") == {}, "of this machine there is none"


def test_a_job_is_held_there_and_not_here(api: httpx.Client, site: Somewhere) -> None:
    job = submit(api, "one")
    held = api.post(f"{JOBS}/{job}/hold?on=toy", json={})
    assert held.status_code == 200, held.text
    assert [row["id"] for row in held.json()["jobs"]] == [int(job)]
    assert "hold" in site.asked
    assert api.post(f"{JOBS}/{job}/hold", json={}).status_code == 404, "here there is none"


def test_a_dry_run_submits_and_cancels_nothing_there(api: httpx.Client, site: Somewhere) -> None:
    body = {"command": ["train"], "options": {"name": "one"}}
    assert api.post(f"{JOBS}?on=toy&dry_run=true", json=body).status_code == 200
    assert site.jobs == []
    job = submit(api, "two")
    answer = api.post(f"{JOBS}/{job}/cancel?on=toy", json={"dry_run": True})
    assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
    assert [row["state"] for row in site.jobs] == ["wait"]


def test_the_same_request_again_submits_nothing_again(api: httpx.Client, site: Somewhere) -> None:
    body = {"command": ["train"], "options": {"name": "one"}}
    key = {"Idempotency-Key": "a-key-of-this-one"}
    first, again = (api.post(f"{JOBS}?on=toy", json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(site.jobs) == 1
    other = api.post(f"{JOBS}?on=toy", json=body | {"command": ["other"]}, headers=key)
    assert other.status_code == 409


def test_another_user_sees_a_job_there_and_changes_nothing(
    api: httpx.Client, site: Somewhere, new_token: NewToken
) -> None:
    job = submit(api, "one")
    eve = {"Authorization": f"Bearer {new_token('user', user='eve')}"}
    assert api.get(f"{JOBS}/{job}?on=toy", headers=eve).status_code == 200
    answer = api.post(f"{JOBS}/{job}/cancel?on=toy", json={}, headers=eve)
    assert (answer.status_code, bool(answer.json()["hint"])) == (403, True)
    assert [row["state"] for row in site.jobs] == ["wait"]


def test_what_a_job_writes_there_is_followed_to_its_end(api: httpx.Client, site: Somewhere) -> None:
    job = submit(api, "one")
    site.run(job)
    row = opened.door("toy").call("outputs", ids=[job])["outputs"][0]
    Path(row["stdout"]).write_text(TEN)
    told = api.get(f"{JOBS}/{job}/logs/stdout/follow?on=toy").text
    events = [line[7:] for line in told.splitlines() if line.startswith("event: ")]
    assert "line 9" in told
    assert events[-1] == "end"
