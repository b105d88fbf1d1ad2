"""What the command prints with --json and what REST answers are the same documents."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.conftest import Hpc

PAIRS = [
    (("queue", "--limit", "50"), "/queue"),
    (("queue", "--state", "PENDING", "--elements"), "/queue?state=pd&elements=true"),
    (("history", "--limit", "50"), "/history"),
    (("history", "--name", "first", "--elements"), "/history?name=first&elements=true"),
    (("show", "1"), "/jobs/1"),
    (("show", "--story", "1"), "/jobs/1?story=true"),
    (("show", "2_3"), "/jobs/2_3"),
    (("explain", "3"), "/jobs/3/explain"),
    (("resources",), "/resources"),
    (("gpu", "health"), "/gpus/health"),
    (("node", "status"), "/node"),
    (("reservation", "list"), "/reservations"),
    (("reservation", "show", "course"), "/reservations/course"),
    (("priority",), "/priority"),
    (("fairshare",), "/fairshare"),
    (("cluster", "list"), "/clusters"),
    (("sweep", "recent"), "/sweeps"),
]
MOVING = {"uptime", "cpu_seconds", "simulated_per_second", "usage", "time"}
"""Figures that grow while they are looked at."""


def still(document: Any) -> Any:
    """The document without what moves, and without the cursor that only pages have."""
    if isinstance(document, dict):
        return {key: still(each) for key, each in document.items() if key not in {*MOVING, "next"}}
    return [still(each) for each in document] if isinstance(document, list) else document


def test_every_verb_that_looks_has_its_route(
    hpc: Hpc, api: httpx.Client, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    hpc("submit", "--wait", "--name", "first", "--", "true", check=True)
    hpc("submit", "--hold", "--array", "0-5", "--", "true", check=True)
    hpc("submit", "--hold", "--name", "third", "--", "true", check=True)
    hpc(
        *("reservation", "add", "course", "--start", "now+1h", "--duration", "1h"),
        *("--cpus", "1", "--maintenance"),
        check=True,
    )
    for words, path in PAIRS:
        printed = json.loads(hpc(*words, "--json", check=True).stdout)
        answered = api.get(f"/api/v1{path}")
        assert answered.status_code == 200, answered.text
        assert still(answered.json()) == still(printed), path


def test_a_submission_is_answered_as_the_command_answers(
    hpc: Hpc, api: httpx.Client, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    printed = json.loads(hpc("submit", "--json", "--hold", "--cpus", "1", "--", "true").stdout)
    asked = {"command": ["true"], "options": {"hold": True, "cpus": 1}}
    answered = api.post("/api/v1/jobs", json=asked)
    assert answered.status_code == 201
    assert answered.json() | {"id": 0} == printed | {"id": 0}
    dry = api.post("/api/v1/jobs?dry_run=true", json=asked)
    assert dry.status_code == 200
    told = json.loads(
        hpc("submit", "--json", "--dry-run", "--hold", "--cpus", "1", "--", "true").stdout
    )
    assert dry.json().keys() == told.keys()
    assert dry.json()["job"].keys() == told["job"].keys()


@pytest.mark.parametrize("verb", ["hold", "release", "cancel"])
def test_a_change_is_answered_as_the_command_answers(
    verb: str, hpc: Hpc, api: httpx.Client, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    hpc("submit", "--begin", "now+1h", "--", "true", check=True)
    hpc("submit", "--begin", "now+1h", "--", "true", check=True)
    if verb == "release":
        hpc("hold", "1", "2", check=True)
    printed = json.loads(hpc(verb, "--json", "1").stdout)
    answered = api.post(f"/api/v1/jobs/2/{verb}").json()
    assert answered["jobs"][0] | {"id": 1} == printed["jobs"][0]
    assert answered.keys() == printed.keys()


def test_what_if_and_simulations_are_the_commands(
    hpc: Hpc, api: httpx.Client, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    hpc("submit", "--hold", "--time", "1h", "--", "true", check=True)
    printed = json.loads(hpc("whatif", "--release", "1", "--all", "--json", check=True).stdout)
    answered = api.post("/api/v1/whatif", json={"release": [1], "all": True})
    assert answered.status_code == 200, answered.text
    assert answered.json().keys() == printed.keys()
    assert [job["id"] for job in answered.json()["jobs"]] == [job["id"] for job in printed["jobs"]]
    made = ("--generate", "lublin", "--jobs", "40", "--cpus", "64", "--engine", "python")
    words = (*made, "--seed", "3", "--compare", "fcfs,easy")
    two = json.loads(hpc("simulate", *words, "--json", check=True).stdout)
    body = {"generate": "lublin", "jobs": 40, "cpus": 64, "engine": "python", "seed": 3}
    both = api.post("/api/v1/simulate", json=body | {"policies": ["fcfs", "easy"]})
    assert still(both.json()) == still(two)
