"""Sweeps on a real Slurm, and half way moved from one scheduler to another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.clusters.faces import on_slurm as on_slurm
from tests.support.clusters.slurm import SlurmCluster
from tests.support.clusters.slurm import slurm_cluster as slurm_cluster
from tests.sweeps.live.conftest import Made
from tests.sweeps.live.study import PATIENCE, Study, cut_ledger, until, with_states

FEW = 8
SMALL = {"memory": "32M", "time_limit": "5m"}


@pytest.fixture
def study(made: Made, on_slurm: Path) -> Study:
    return made(FEW, resources=SMALL)


@pytest.mark.parametrize("mode", ["array", "individual"])
def test_each_point_runs_once(study: Study, mode: str) -> None:
    sweep = study.create()
    sweep.run(on="slurm", mode=mode)
    sweep.resume()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1
    assert {one.on for one in sweep.standings()} == {"slurm"}


@pytest.mark.parametrize("mode", ["array", "individual"])
def test_what_was_taken_when_the_client_died_is_found_again(study: Study, mode: str) -> None:
    study.close()
    sweep = study.create()
    sweep.run(on="slurm", mode=mode)
    cut_ledger(sweep, {"taken"})
    sweep.resume()
    assert len(sweep.folder.ledger().intents) == 1
    study.open()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1


def test_half_way_it_moves_to_another_scheduler_and_back(
    made: Made, on_slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPC_RESOURCES__CPUS", "2")
    study = made(FEW, resources=SMALL)
    study.close()
    sweep = study.create()
    sweep.run(on="local")
    study.until_begun(2)
    sweep.resume(on="slurm", move=True)
    counts = Counter(one.on for one in sweep.standings())
    assert counts == {"local": 2, "slurm": FEW - 2}
    for one in with_states(sweep, "RUNNING"):
        study.let_end(one)
    sweep.resume(on="local", move=True)
    study.open()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)


def test_a_point_that_lost_its_node_runs_again(
    made: Made, on_slurm: Path, slurm_cluster: SlurmCluster
) -> None:
    study = made(2, resources={**SMALL, "partition": "frail", "requeue": False})
    study.close()
    sweep = study.create()
    sweep.run(on="slurm")
    study.until_begun(2)
    with slurm_cluster.without("slurmd-node4"):
        until(sweep, lambda counts: counts == {"NODE_FAIL": 2})
    study.until_gone(sweep)
    study.open()
    sweep.resume(options={"partition": "cpu"})
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)


def test_what_failed_is_tried_again_with_more_by_whoever_stays_with_it(
    made: Made, on_slurm: Path
) -> None:
    body = """\
echo "$SLURM_MEM_PER_NODE" >>"$HPC_SWEEP_DIR/memory"
[ "$N" != 1 ] || ! mkdir "$HPC_SWEEP_DIR/once" 2>/dev/null || exit 3
"""
    study = made(2, body, resources=SMALL, retries=1, retry_grow={"memory": 2})
    sweep = study.create()
    sweep.run(on="slurm")
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    given = [Path(one.directory, "memory").read_text().split() for one in sweep.standings()]
    assert given == [["32"], ["32", "64"]]


def test_more_points_than_an_array_may_have_are_several_arrays(made: Made, on_slurm: Path) -> None:
    study = made(1200, resources={**SMALL, "begin": "now+1h"})
    sweep = study.create()
    sweep.run(on="slurm", mode="array")
    assert sweep.counts() == {"PENDING": 1200}
    assert sweep.cancel() == []
