"""Sweeps over several schedulers at once."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support.clusters.faces import on_slurm as on_slurm
from tests.support.clusters.slurm import slurm_cluster as slurm_cluster
from tests.sweeps.live.conftest import Made
from tests.sweeps.live.study import PATIENCE, until, with_states

SOME = 24
SMALL = {"memory": "32M", "time_limit": "5m"}


@pytest.fixture(autouse=True)
def wide(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "4")


def test_each_place_gets_some_and_each_point_runs_once(made: Made, on_slurm: Path) -> None:
    study = made(SOME, resources=SMALL)
    sweep = study.create()
    sweep.run(mode="distributed", on=["local", "slurm"])
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1
    places = Counter(one.on for one in sweep.standings())
    assert set(places) == {"local", "slurm"}
    assert min(places.values()) >= SOME // 8


def test_a_place_that_goes_down_keeps_its_points_and_stops_nobody_else(
    made: Made, on_slurm: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    body = '[ -z "$SLURM_JOB_ID" ] || while [ -e held ]; do sleep 0.05; done'
    study = made(SOME, body, resources=SMALL)
    held = study.project / "held"
    held.touch()
    study.close()
    sweep = study.create()
    sweep.run(mode="distributed", on=["local", "slurm"])
    os.kill(study.keeper(), signal.SIGKILL)
    there = {one.id for one in sweep.standings() if one.on == "slurm"}
    study.open()
    with monkeypatch.context() as away:
        away.setenv("SLURM_CONF", str(deaf(tmp_path)))
        sweep.resume()
        rest = {"UNKNOWN": len(there), "COMPLETED": SOME - len(there)}
        until(sweep, lambda counts: counts == rest)
        assert {one.id for one in with_states(sweep, "UNKNOWN")} == there
    held.unlink()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1


def deaf(directory: Path) -> Path:
    """A configuration with which the controller is not found."""
    text = Path(os.environ["SLURM_CONF"]).read_text()
    found = directory / "slurm.conf"
    found.write_text(text.replace("SlurmctldPort=", "SlurmctldPort=1#"))
    return found
