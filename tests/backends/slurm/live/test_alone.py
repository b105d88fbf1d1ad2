"""A Slurm without accounting, whose controller goes away and comes back."""

from __future__ import annotations

import pytest

from hpcshell.backends.contract import Trouble
from tests.backends.slurm.live.conftest import Jobs
from tests.support.clusters.slurm import SlurmCluster
from tests.support.clusters.slurm import another_slurm as another_slurm


@pytest.fixture
def jobs(another_slurm: SlurmCluster, tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    return Jobs(another_slurm, tmp_path_factory.mktemp("alone"))


def test_without_accounting_the_queue_alone_tells_how_a_job_ended(jobs: Jobs) -> None:
    assert not jobs.cluster.site.accounting
    assert not jobs.backend.history(["1"], 0.0)
    assert jobs.cluster.site.accounts == ()
    number = jobs.submit("exit 200")
    job = jobs.ended(number)
    assert (job.state, job.exit_code) == ("FAILED", 200)


def test_while_the_controller_is_away_nothing_is_known_and_nothing_is_lost(jobs: Jobs) -> None:
    number = jobs.submit("sleep 5; exit 7")
    jobs.running(number)
    jobs.cluster.tool("stop", "slurmctld")
    seen = jobs.cluster.queue()
    assert (seen.whole, seen.sightings) == (False, ())
    assert seen.trouble is not None
    assert seen.trouble.kind == "busy"
    order = jobs.order()
    refused = jobs.tried(order)
    assert isinstance(refused, Trouble)
    assert refused.kind == "busy"
    jobs.cluster.tool("start", "slurmctld")
    assert not [job for job in jobs.cluster.queue().sightings if job.key == order.key]
    assert jobs.ended(number).exit_code == 7
