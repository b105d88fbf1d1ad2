"""Sweeps on a real Grid Engine, whose arrays count from 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.jobs.surroundings import here
from tests.support.clusters.sge import SgeCluster, running
from tests.sweeps.live.conftest import Made
from tests.sweeps.live.study import PATIENCE, until, with_states

FEW = 6
SMALL = {"memory": "32M", "time_limit": "5m"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[SgeCluster]:
    with running() as found:
        yield found


@pytest.fixture
def on_sge(
    cluster: SgeCluster, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cluster.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    config = Path(here().config_file)
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('[clusters.sge]\nbackend = "sge"\npoll = "0.5s"\n')


@pytest.mark.usefixtures("on_sge")
def test_an_array_is_cancelled_in_the_middle_and_goes_on_here(made: Made) -> None:
    study = made(FEW, resources=SMALL)
    study.close()
    sweep = study.create()
    sweep.run(on="sge", mode="array")
    study.until_begun(2)
    first = sweep.folder.rows()[0]
    study.let_end(sweep.standings()[0])
    until(sweep, lambda counts: counts["COMPLETED"])
    assert sweep.cancel() == []
    counts = until(sweep, lambda counts: counts["CANCELLED"] == FEW - 1)
    assert counts == {"COMPLETED": 1, "CANCELLED": FEW - 1}
    study.open()
    sweep.resume(on="local")
    sweep.wait(PATIENCE)
    study.check_each_ended_once(sweep)
    assert study.began[first.id] == 1
    on = {one.id: one.on for one in sweep.standings()}
    assert on == {row.id: "sge" if row.id == first.id else "local" for row in sweep.folder.rows()}
    assert with_states(sweep, "FAILED") == []
