"""Jobs over REST: submitted once, listed page by page, changed by those who may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from hpcshell.web.app import make_app
from hpcshell.web.context import Context
from tests.conftest import Hpc
from tests.support.web_fixtures import NewToken

JOBS = "/api/v1/jobs"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def submit(api: httpx.Client, **options: Any) -> int:
    answer = api.post(JOBS, json={"command": ["true"], "options": {"hold": True, **options}})
    assert answer.status_code == 201, answer.text
    found: int = answer.json()["id"]
    return found


def ids(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["rows"]]


# -- submitting --------------------------------------------------------------------------------


def test_a_command_a_line_and_a_script_are_run(api: httpx.Client, hpc: Hpc, work: Path) -> None:
    script = "#HPC --name said\necho $1 from a script\n"
    sent = [
        {"command": ["sh", "-c", "echo words"]},
        {"command": "echo a line"},
        {"script": script, "args": ["hello"]},
    ]
    answer = api.post(JOBS, json=sent)
    assert [job["id"] for job in answer.json()] == [1, 2, 3]
    hpc("wait", "1", "2", "3", check=True)
    written = [api.get(f"{JOBS}/{id}/logs/stdout").text for id in (1, 2, 3)]
    assert written == ["words\n", "a line\n", "hello from a script\n"]
    assert api.get(f"{JOBS}/3").json()["name"] == "said"


def test_jobs_run_in_the_home_directory_and_never_where_the_server_was_started(
    api: httpx.Client, hpc: Hpc, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, own = work / "server", work / "own"
    for directory in (server, own / "sub"):
        directory.mkdir(parents=True)
    monkeypatch.chdir(server)
    monkeypatch.setenv("HOME", str(own))
    (own / "train.sh").write_text("#!/bin/sh\npwd\n")
    (server / "train.sh").write_text("#!/bin/sh\necho another\n")
    sent = [
        {"command": ["pwd"]},
        {"command": "pwd && true"},
        {"command": "train.sh"},
        {"script": "pwd\n"},
        {"command": ["pwd"], "options": {"chdir": "sub"}},
        {"script": "#SBATCH --chdir=sub\npwd\n"},
    ]
    answer = api.post(JOBS, json=sent)
    assert answer.status_code == 201, answer.text
    ids = [str(job["id"]) for job in answer.json()]
    hpc("wait", *ids, check=True)
    written = [api.get(f"{JOBS}/{id}/logs/stdout").text.strip() for id in ids]
    assert written == [str(own)] * 4 + [str(own / "sub")] * 2
    assert sorted(each.name for each in own.glob("*.out")) == [f"hpc-{id}.out" for id in ids[:4]]
    assert [each.name for each in server.iterdir()] == ["train.sh"]


def test_a_file_of_where_the_server_was_started_is_not_run(
    api: httpx.Client, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "secret.sh").write_text("#!/bin/sh\ntrue\n")
    (work / "own").mkdir()
    monkeypatch.setenv("HOME", str(work / "own"))
    answer = api.post(JOBS, json={"command": "secret.sh"})
    assert answer.status_code == 400
    assert "there is no script" in answer.json()["detail"]


def test_of_a_list_all_are_accepted_or_none(api: httpx.Client) -> None:
    good, bad = {"command": ["true"]}, {"command": ["true"], "options": {"cpus": 0}}
    assert api.post(JOBS, json=[good, bad]).status_code == 400
    assert ids(api.get(JOBS)) == []


def test_the_same_key_submits_once(api: httpx.Client) -> None:
    body, key = {"command": ["true"], "options": {"hold": True}}, {"Idempotency-Key": "one"}
    first = api.post(JOBS, json=body, headers=key)
    again = api.post(JOBS, json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert ids(api.get(JOBS)) == [1]
    assert api.post(JOBS, json={"command": ["false"]}, headers=key).status_code == 409


def test_what_was_refused_may_be_asked_again_with_its_key(api: httpx.Client) -> None:
    key = {"Idempotency-Key": "two"}
    body = {"command": ["true"], "options": {"partition": "nowhere"}}
    assert api.post(JOBS, json=body, headers=key).status_code in (400, 404)
    assert api.post(JOBS, json=body, headers=key).status_code in (400, 404)


def test_a_dry_run_submits_nothing(api: httpx.Client) -> None:
    answer = api.post(f"{JOBS}?dry_run=true", json={"command": ["true"]})
    assert answer.status_code == 200
    assert answer.json()["dry_run"] is True
    assert ids(api.get(JOBS)) == []


# -- listing -----------------------------------------------------------------------------------


def test_live_and_ended_jobs_are_one_list_the_newest_first(api: httpx.Client, hpc: Hpc) -> None:
    hpc("submit", "--wait", "--", "true", check=True)
    submit(api)
    hpc("submit", "--wait", "--", "false")
    assert ids(api.get(JOBS)) == [3, 2, 1]
    assert ids(api.get(f"{JOBS}?state=FAILED")) == [3]
    assert ids(api.get(f"{JOBS}?state=PENDING")) == [2]
    assert ids(api.get(f"{JOBS}?state=pd&state=CD")) == [2, 1]


def test_filters_choose(api: httpx.Client) -> None:
    submit(api, name="a", tag=["x", "y"])
    submit(api, name="b", tag=["x"])
    assert ids(api.get(f"{JOBS}?name=a")) == [1]
    assert ids(api.get(f"{JOBS}?tag=x")) == [2, 1]
    assert ids(api.get(f"{JOBS}?tag=x&tag=y")) == [1]
    assert ids(api.get(f"{JOBS}?user=nobody-here")) == []
    assert ids(api.get(f"{JOBS}?partition=main")) == [2, 1]
    assert ids(api.get(f"{JOBS}?partition=other")) == []


def test_pages_hold_each_job_once_whatever_is_submitted_meanwhile(api: httpx.Client) -> None:
    for _ in range(7):
        submit(api)
    seen, cursor = [], ""
    while True:
        page = api.get(f"{JOBS}?limit=3{cursor}")
        seen += ids(page)
        submit(api)
        if (next := page.json()["next"]) is None:
            break
        cursor = f"&cursor={next}"
    assert seen == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("list", ["jobs", "queue", "history"])
def test_a_cursor_that_is_none_of_ours_is_refused(api: httpx.Client, list: str) -> None:
    assert api.get(f"/api/v1/{list}?cursor=AAAA").status_code == 400


def test_a_cursor_belongs_to_its_list(api: httpx.Client) -> None:
    submit(api), submit(api)
    cursor = api.get(f"{JOBS}?limit=1").json()["next"]
    assert api.get(f"{JOBS}?limit=1&cursor={cursor}").status_code == 200
    assert api.get(f"{JOBS}?limit=1&name=x&cursor={cursor}").status_code == 400
    assert api.get(f"/api/v1/queue?limit=1&cursor={cursor}").status_code == 400


def test_the_history_goes_on_where_a_page_ended(api: httpx.Client, hpc: Hpc) -> None:
    hpc("submit", "--wait", "--array", "0-4", "--", "true", check=True)
    hpc("submit", "--wait", "--", "true", check=True)
    first = api.get("/api/v1/history?limit=2&elements=true").json()
    labels = [row["label"] for row in first["rows"]]
    while first["next"]:
        first = api.get(f"/api/v1/history?limit=2&elements=true&cursor={first['next']}").json()
        labels += [row["label"] for row in first["rows"]]
    assert sorted(labels) == ["1_0", "1_1", "1_2", "1_3", "1_4", "2"]


# -- changing ----------------------------------------------------------------------------------


def test_what_one_changes_is_seen_at_once(api: httpx.Client) -> None:
    submit(api, begin="now+1h")
    for held, verb in ((True, "release"), (False, "hold"), (True, "cancel")):
        assert api.get(f"{JOBS}/1").json()["held"] is held
        assert api.post(f"{JOBS}/1/{verb}").status_code == 200
    assert api.get(f"{JOBS}/1").json()["state"] == "CANCELLED"


def test_an_edit_names_options_and_null_takes_away(api: httpx.Client) -> None:
    submit(api, comment="old")
    changed = api.patch(f"{JOBS}/1", json={"time_limit": "2h", "comment": None}).json()
    assert changed["jobs"][0]["changed"]["time_limit"][1] == 7200
    job = api.get(f"{JOBS}/1").json()
    assert (job["time_limit"], job["comment"]) == (7200, None)
    assert "priority" in api.patch(f"{JOBS}/1", json={"prioritty": 1}).json()["hint"]
    assert api.patch(f"{JOBS}/1", json={}).status_code == 400


def test_a_job_that_has_ended_is_run_again_as_a_new_one(api: httpx.Client, hpc: Hpc) -> None:
    hpc("submit", "--wait", "--", "true", check=True)
    again = api.post(f"{JOBS}/1/rerun", json={"dry_run": True}).json()
    assert again["jobs"][0]["id"] is None
    assert api.post(f"{JOBS}/1/rerun").json()["jobs"][0] == {"id": 2, "of": 1, "elements": 1}


def test_cancelling_what_has_ended_says_so_and_changes_nothing(api: httpx.Client) -> None:
    submit(api)
    api.post(f"{JOBS}/1/cancel")
    answer = api.post(f"{JOBS}/1/cancel")
    assert answer.status_code == 200
    assert answer.json()["jobs"] == []
    assert "1" in answer.json()["unchanged"][0]["why"]


# -- who may -----------------------------------------------------------------------------------


@pytest.fixture
def as_user(context: Context, new_token: NewToken, api: httpx.Client):
    """`as_user("ann", "user")` is a client with a token of such a user and role."""

    def client(user: str, role: str) -> httpx.Client:
        token = new_token(role, user=user)
        made: httpx.Client = TestClient(make_app(context), "http://127.0.0.1")
        made.headers["Authorization"] = f"Bearer {token}"
        return made

    return client


def test_a_viewer_sees_and_changes_nothing(api: httpx.Client, as_user: Any) -> None:
    submit(api)
    viewer = as_user("eve", "viewer")
    assert ids(viewer.get(JOBS)) == [1]
    assert viewer.post(JOBS, json={"command": ["true"]}).status_code == 403
    assert viewer.post(f"{JOBS}/1/cancel").status_code == 403
    assert viewer.patch(f"{JOBS}/1", json={"name": "x"}).status_code == 403


def test_a_user_changes_their_own_jobs_and_an_operator_all(api: httpx.Client, as_user: Any) -> None:
    ann, bob, operator = (
        as_user(*who) for who in (("ann", "user"), ("b b", "user"), ("o", "operator"))
    )
    assert submit(ann) == 1
    refused = bob.post(f"{JOBS}/1/cancel")
    assert refused.status_code == 403
    assert "not b b's" in refused.json()["detail"]
    assert ann.post(f"{JOBS}/1/release").status_code == 200
    assert submit(bob) == 2
    assert ann.patch(f"{JOBS}/2", json={"name": "mine"}).status_code == 403
    assert operator.post(f"{JOBS}/2/cancel").status_code == 200
    assert ann.put("/api/v1/node", json={"state": "drain"}).status_code == 403
    assert operator.put("/api/v1/node", json={"state": "drain", "dry_run": True}).status_code == 200
