"""examples/sweep runs as its page says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sweep"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "spirals"))


def test_a_part_of_the_grid_is_run_and_its_results_are_found(hpc, study):
    assert hpc("sweep", "run", "--count-only", cwd=study, check=True).stdout == "24 points\n"
    hpc("sweep", "run", "--max-runs", 3, "--wait", cwd=study, check=True)
    (best,) = json.loads(hpc("sweep", "best", "-n", 1, "--json", cwd=study, check=True).stdout)[
        "best"
    ]
    assert 0 < best["value"] < 1
    assert 0.4 < best["metrics"]["accuracy"] <= 1
    folder = study / "sweeps" / "outputs" / "spirals" / "points" / best["id"]
    assert json.loads((folder / "weights.json").read_text()).keys() == {"into", "out"}


def test_what_init_would_write_for_its_script_runs(hpc, study):
    hpc("sweep", "init", "--force", cwd=study, check=True)
    hpc("sweep", "run", "--wait", "--sweep-id", "first", cwd=study, check=True)


def test_the_search_can_be_read(hpc, study):
    told = hpc("sweep", "run", "search.yaml", "--dry-run", cwd=study, check=True).stdout
    assert "tpe: 20 trials, 4 at once: minimize loss" in told
