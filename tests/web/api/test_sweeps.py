"""Sweeps over REST: what the command tells of them, and only where they may be looked for."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.conftest import Hpc

SPEC = """
name: study
command: "sh -c 'test {x} != 3 && echo \\"loss={x}\\"'"
parameters:
  x: [1, 2, 3]
"""


@pytest.fixture
def project(hpc: Hpc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a sweep that has ended; one of its points has failed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.yaml").write_text(SPEC)
    done = hpc("sweep", "run", "--mode", "local", "--wait", cwd=tmp_path)
    assert "study" in done.stdout + done.stderr, done
    return tmp_path


def test_what_the_command_tells_of_a_sweep(hpc: Hpc, api: httpx.Client, project: Path) -> None:
    printed = json.loads(hpc("sweep", "recent", "--json", check=True).stdout)
    listed = api.get("/api/v1/sweeps").json()
    assert listed == printed
    id = printed["rows"][0]["id"]
    for verb in ("status", "report", "errors"):
        told = json.loads(hpc("sweep", verb, id, "--json").stdout)
        answered = api.get(f"/api/v1/sweeps/{id}/{verb}")
        assert answered.status_code == 200, answered.text
        assert answered.json() == told
    assert api.get(f"/api/v1/sweeps/{id}").json()["counts"]["FAILED"] == 1


def test_a_sweep_of_another_directory_is_named_with_it(
    api: httpx.Client, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "elsewhere").mkdir()
    elsewhere = {"directory": str(project / "elsewhere")}
    empty = api.get("/api/v1/sweeps", params=elsewhere).json()
    assert (empty["rows"], empty["project"]) == ([], elsewhere["directory"])
    here = api.get("/api/v1/sweeps", params={"directory": str(project)}).json()
    assert here == api.get("/api/v1/sweeps").json()


def test_a_sweep_is_cancelled_and_goes_on(api: httpx.Client, project: Path) -> None:
    id = api.get("/api/v1/sweeps").json()["rows"][0]["id"]
    cancelled = api.post(f"/api/v1/sweeps/{id}/cancel", json={"dry_run": True})
    assert cancelled.json() | {"schema": 1} == {
        "schema": 1, "dry_run": True, "id": id, "cancelled": [], "trouble": []
    }  # fmt: skip
    resumed = api.post(f"/api/v1/sweeps/{id}/resume")
    assert resumed.status_code == 200, resumed.text
    assert resumed.json()["submitted"] == 1
