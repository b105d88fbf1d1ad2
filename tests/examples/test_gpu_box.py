"""examples/gpu_box can be copied and runs."""

from __future__ import annotations

import configparser
import json
import shutil
from pathlib import Path

import pytest

import hpcshell
from hpcshell.machine.boxfiles import read_box_file
from tests.support.runners import eventually

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "gpu_box"


@pytest.fixture
def copy(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HPC_GPUS__PROVIDER", "fake")
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "64")
    directory = tmp_path / "gpu_box"
    shutil.copytree(EXAMPLE, directory)
    monkeypatch.chdir(directory)
    return directory


def test_every_line_of_its_jobs_runs(hpc, copy: Path):
    hpc("gpu", "start", "--config", "config.json", "--daemon", check=True)
    eventually(lambda: len(hpc("gpu", "list-jobs", "--quiet").stdout.split()) == 3)
    hpc("wait", "1", "2", "3", check=True)
    rows = json.loads(hpc("gpu", "list-jobs", "--json", check=True).stdout)["rows"]
    jobs = {row["name"]: row for row in rows}
    assert {row["state"] for row in rows} == {"COMPLETED"}
    assert [jobs[name]["gpus"] for name in ("evaluate.py", "train.py", "inference.sh")] == [
        0.5,
        1,
        1,
    ]
    assert "share 0.5" in hpcshell.job(jobs["evaluate.py"]["id"]).logs()
    assert "epoch 3 of 3" in hpcshell.job(jobs["train.py"]["id"]).logs()
    assert "--sizes 1,2,4" in hpcshell.job(jobs["inference.sh"]["id"]).logs()
    hpc("gpu", "stop", check=True)
    assert "stopped" in (copy / "gpu_box.log").read_text().splitlines()[-1]


def test_what_lies_beside_its_scripts_is_refused(hpc, copy: Path):
    (copy / "other.py").touch()
    hpc("gpu", "start", "--config", "config.json", "--daemon", check=True)
    assert hpc("gpu", "add", "other.py").returncode == 4
    hpc("gpu", "stop", check=True)


def test_its_unit_starts_what_there_is_and_leaves_the_jobs_alone(hpc, copy: Path):
    unit = configparser.RawConfigParser(strict=False)
    unit.read(copy / "gpu-box.service")
    service = dict(unit["Service"])
    program, *words = service["execstart"].split()
    assert program.endswith("/hpc")
    assert words[:2] == ["gpu", "start"]
    help_text = hpc("gpu", "start", "--help", check=True).stdout
    assert all(word in help_text for word in words if word.startswith("--"))
    assert service["killmode"] == "process"
    grace = read_box_file(str(copy / "config.json")).scheduler.graceful_shutdown_timeout_s
    assert isinstance(grace, float)
    assert float(service["timeoutstopsec"]) > grace


def test_its_readme_names_every_file():
    readme = (EXAMPLE / "README.md").read_text("utf-8")
    for path in EXAMPLE.iterdir():
        assert path.name == "README.md" or f"`{path.name}" in readme, path.name
