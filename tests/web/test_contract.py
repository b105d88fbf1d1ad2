"""The server does what its OpenAPI document says: Schemathesis asks whatever the document allows,
and much that it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.web import Server, serving
from tests.support.web_fixtures import NewToken

CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
ENDLESS = "/follow$|/events$"
"""Paths of streams, which have tests of their own."""


@pytest.fixture
def filled(home: Path, new_token: NewToken, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose limit on requests is out of the way, and `ids.toml`: what it has."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))  # where jobs leave their outputs
    with serving(token=new_token(), env={"HPC_WEB__RATE": "100000"}) as server:
        with server.client() as client:
            ids = fill(client)
        lines = [f"{what} = {{ values = {json.dumps(found)} }}" for what, found in ids.items()]
        text = CONFIG.read_text() + "\n".join(["", "[dictionaries]", *lines, ""])
        (home / "schemathesis.toml").write_text(text)
        yield server


def fill(client: httpx.Client) -> dict[str, list[str]]:
    """Ids of experiments with runs, their points and files, and of jobs."""

    def made(path: str, said: object) -> httpx.Response:
        return client.post(f"/api/v1{path}", json=said).raise_for_status()

    experiments = [str(made("/experiments", {"name": f"e{n}"}).json()["id"]) for n in range(4)]
    runs = [
        made(f"/experiments/{id}/runs", {"seed": n, "config": {"lr": 0.1}}).json()["run_id"]
        for id in experiments
        for n in range(3)
    ]
    for run in runs:
        made(f"/runs/{run}/metrics", [{"name": "loss", "value": 1 / n} for n in range(1, 9)])
        client.put(f"/api/v1/runs/{run}/artifacts/a.txt", content=b"text").raise_for_status()
    jobs = [str(made("/jobs", {"command": ["true"]}).json()["id"]) for _ in range(3)]
    return {"experiments": experiments, "runs": runs, "jobs": jobs}


def campaign(server: Server, home: Path, *words: str) -> None:
    """Ask; what is not as the document says is the message of the failure."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(home / "schemathesis.toml")),
            *("run", f"{server.url}/openapi.json"),
            *("-H", f"Authorization: {server.known.partition(': ')[2]}"),
            *("--exclude-path-regex", ENDLESS),
            *("--no-color", *words),
        ],
        cwd=home,
        env=os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)},
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert " passed" in done.stdout


def test_the_server_does_what_its_document_says(filled: Server, home: Path) -> None:
    campaign(filled, home, "--phases", "fuzzing,stateful")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", ["2", "3"])
def test_the_server_does_it_however_long_it_is_asked(filled: Server, home: Path, seed: str) -> None:
    campaign(filled, home, "--seed", seed, "-n", "50")
