"""Jobs of a cluster over REST: the same routes with `on`, answered by its desk."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from hpcshell.jobs import opened
from tests.support.clusters.somewhere import Somewhere, far_desk

JOBS = "/api/v1/jobs"
TEN = "".join(f"line {number}\n" for number in range(10))


@pytest.fixture(autouse=True)
def site(api: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Somewhere:
    """The scheduler of the cluster `toy`, whose desk each thread opens for itself."""
    scheduler = Somewhere(tmp_path / "there")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
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
