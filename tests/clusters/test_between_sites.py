"""Between a real Slurm and a real Grid Engine: a job goes to the one that is idle, and one that
waits is moved there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hpcshell.clusters.anydesk import AnyDesk, Choice
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.desk import Desk
from hpcshell.clusters.verbs.submit import submit_chosen
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.records import Request
from hpcshell.core.settings import ClusterSettings
from hpcshell.machine.link import LocalLink
from hpcshell.machine.paths import Places
from hpcshell.store.ledger.ledger import Ledger
from tests.support.clusters import sge
from tests.support.clusters.slurm import SlurmCluster
from tests.support.clusters.slurm import slurm_cluster as slurm_cluster
from tests.support.clusters.toy import spec

LONG = 6 * 3600.0


@pytest.fixture
def anywhere(
    slurm_cluster: SlurmCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AnyDesk]:
    with sge.running() as grid:
        for name, value in (slurm_cluster.env | grid.variables).items():
            monkeypatch.setenv(name, value)
        where = Places(*(str(tmp_path / name) for name in ("state", "conf", "run", "cache")))
        ledger = Ledger.open(tmp_path / "state" / "clusters.db")
        desks = {
            name: Desk(
                Cluster(
                    name,
                    ClusterSettings(backend=name, poll=0.2, directory=str(tmp_path / name)),
                    where,
                    LocalLink(),
                    ledger,
                )
            )
            for name in ("slurm", "sge")
        }
        desk = AnyDesk(desks)
        yield desk
        for one in desks.values():
            left = [f"w{each.entry.serial}" for each in one.look().known if not each.over]
            if left:
                one.call("cancel", ids=left)
        ledger.close()


def asked(directory: Path, name: str, seconds: int = 0, **fields: Any) -> JobSpec:
    request = Request(time_limit=LONG)
    argv = ("sleep", str(seconds)) if seconds else ("true",)
    return spec(*argv, name=name, cwd=str(directory), request=request, **fields)


def test_a_job_goes_to_who_is_idle_and_one_that_waits_is_moved_there(
    anywhere: AnyDesk, tmp_path: Path
) -> None:
    slurm, grid = anywhere.desks["slurm"], anywhere.desks["sge"]
    on_slurm: dict[str, Any] = {"partition": "small"}
    filler = asked(tmp_path, "filler", 600, **on_slurm)
    slurm.call("submit", submissions=[whole_node(filler)])
    running(slurm, "filler")
    fits = whole_node(asked(tmp_path, "second", **on_slurm))
    plain = asked(tmp_path, "second")

    choice = Choice(specs={"slurm": fits, "sge": plain})
    (job,) = anywhere.call("submit", submissions=[choice])["jobs"]
    assert job["cluster"] == "sge", job["notes"]
    (end,) = anywhere.call("wait", ids=["second"], timeout=90.0)["done"]
    assert end["state"] == "COMPLETED"

    waits = whole_node(asked(tmp_path, "third", **on_slurm))
    others = {"sge": asked(tmp_path, "third")}
    submit_chosen(slurm, waits, "it was said so", others, True)
    assert until_moved(anywhere, "third") == "moved to sge"
    (end,) = anywhere.call("wait", ids=["third"], timeout=90.0)["done"]
    assert end["state"] == "COMPLETED"
    (there,) = slurm.call("show", ids=["third"])["jobs"]
    assert there["state"] == "CANCELLED"
    assert there["start_time"] is None
    assert [one["name"] for one in grid.call("show", ids=["third"])["jobs"]] == ["third"]


def whole_node(asked: JobSpec) -> JobSpec:
    return replace(asked, layout=replace(asked.layout, exclusive="yes"))


def running(desk: Desk, name: str) -> None:
    sge.eventually(lambda: desk.call("show", ids=[name])["jobs"][0]["state"] == "RUNNING")


def until_moved(desk: AnyDesk, name: str) -> str:
    """What was told of the move at last: a site may need a moment to end a job."""
    deadline = time.monotonic() + sge.PATIENCE
    while True:
        (told,) = [one["told"] for one in desk.call("rebalance", ids=[name])["jobs"]]
        if told.startswith("moved") or time.monotonic() > deadline:
            return str(told)
        time.sleep(sge.PAUSE)
