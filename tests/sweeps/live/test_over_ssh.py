"""Sweeps on a cluster behind a real ssh server, which has none of our files."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.support.clusters.over_ssh import Gate
from tests.support.clusters.over_ssh import gate as gate
from tests.support.clusters.over_ssh import mycluster as mycluster
from tests.support.clusters.slurm import slurm_cluster as slurm_cluster
from tests.sweeps.live.conftest import Made
from tests.sweeps.live.study import PATIENCE, until, with_states

FEW = 4
SMALL = {"memory": "32M", "time_limit": "5m"}
BODY = 'cat data >>"$HPC_SWEEP_DIR/seen"; echo "loss=$N"; pwd'


def test_the_project_goes_along_and_what_points_wrote_comes_back(
    made: Made, mycluster: Gate
) -> None:
    study = made(FEW, BODY, resources=SMALL)
    (study.project / "data").write_text("first\n")
    sweep = study.create()
    sweep.run(on="mycluster", mode="remote")
    (study.project / "data").write_text("second\n")
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    for n, one in enumerate(sweep.standings()):
        assert Path(one.directory, "seen").read_text() == "first\n"
        said = Path(one.directory, "stdout").read_text().splitlines()
        assert said[0] == f"loss={n}"
        assert said[1].startswith(str(mycluster.home))


def test_while_the_link_is_down_nothing_is_known_and_nothing_is_submitted(
    made: Made, mycluster: Gate
) -> None:
    study = made(FEW, resources=SMALL)
    study.close()
    sweep = study.create()
    sweep.run(on="mycluster")
    study.until_begun()
    mycluster.sshd.stop()
    try:
        until(sweep, lambda counts: counts == {"UNKNOWN": FEW})
        sweep.resume(on="local")
        assert {one.on for one in sweep.standings()} == {"mycluster"}
        study.open()
        study.until_ended(FEW)
    finally:
        mycluster.sshd.start()
    until(sweep, lambda counts: counts["COMPLETED"] == FEW)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1


def test_a_link_that_drops_as_points_go_there_loses_and_repeats_nothing(
    made: Made, mycluster: Gate
) -> None:
    study = made(FEW, resources=SMALL)
    sweep = study.create()
    over = threading.Event()

    def drop() -> None:
        for _ in range(5):
            mycluster.sshd.drop()
            over.wait(0.2)

    dropping = threading.Thread(target=drop)
    dropping.start()
    sweep.run(on="mycluster")
    sweep.resume()
    dropping.join()
    sweep.resume()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert max(study.began.values()) == 1


def test_what_failed_there_runs_here_while_the_rest_goes_on_there(
    made: Made, mycluster: Gate
) -> None:
    study = made(FEW, '[ "$N" != 0 ] || [ -e mended ] || exit 3', resources=SMALL)
    study.close()
    sweep = study.create()
    sweep.run(on="mycluster")
    study.until_begun(FEW)
    first = sweep.folder.rows()[0]
    for folder in mycluster.home.glob(f"**/points/{first.id}"):
        (folder / "go").touch()
    until(sweep, lambda counts: counts["FAILED"] == 1)
    (study.project / "mended").touch()
    sweep.resume(on="local")
    study.until_begun()
    study.let_end(sweep.standings()[0])
    until(sweep, lambda counts: counts["COMPLETED"] == 1)
    assert sweep.standings()[0].on == "local"
    study.open()
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert with_states(sweep, "FAILED") == []
