"""Sweeps over several schedulers at once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hpcshell.jobs.surroundings import here
from tests.support.clusters.faces import on_slurm as on_slurm
from tests.support.clusters.over_ssh import Gate
from tests.support.clusters.over_ssh import gate as gate
from tests.support.clusters.over_ssh import mycluster as mycluster
from tests.support.clusters.sge import running
from tests.support.clusters.slurm import slurm_cluster as slurm_cluster
from tests.sweeps.live.conftest import Made
from tests.sweeps.live.study import PATIENCE, until, with_states

SOME = 24
SMALL = {"memory": "32M", "time_limit": "5m"}


@pytest.fixture(autouse=True)
def wide(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "4")


def test_each_place_gets_some_and_each_point_runs_once(
    made: Made, on_slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as engine:
        for name, value in engine.variables.items():
            monkeypatch.setenv(name, value)
        with open(here().config_file, "a", encoding="utf-8") as file:
            file.write('[clusters.sge]\nbackend = "sge"\npoll = "0.5s"\n')
        study = made(SOME, resources=SMALL)
        sweep = study.create()
        sweep.run(mode="distributed")
        sweep.wait(PATIENCE)
        study.check_each_ended_once(sweep)
        assert max(study.began.values()) == 1
        places = Counter(one.on for one in sweep.standings())
        assert set(places) == {"local", "slurm", "sge"}
        assert min(places.values()) >= 2


def test_a_place_that_goes_down_keeps_its_points_and_stops_nobody_else(
    made: Made, mycluster: Gate
) -> None:
    study = made(SOME, resources=SMALL)
    held = study.project.parent / "held"
    held.touch()
    far = f"case $HPC_SWEEP_DIR in {mycluster.home}/*)"
    study.write(f"{far} while [ -e {held} ]; do sleep 0.05; done;; esac")
    study.close()
    sweep = study.create()
    sweep.run(mode="distributed", on=["local", "mycluster"])
    mycluster.sshd.stop()
    there = {one.id for one in sweep.standings() if one.on == "mycluster"}
    study.open()
    rest = {"UNKNOWN": len(there), "COMPLETED": SOME - len(there)}
    until(sweep, lambda counts: counts == rest)
    assert {one.id for one in with_states(sweep, "UNKNOWN")} == there
    mycluster.sshd.start()
    held.unlink()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1
