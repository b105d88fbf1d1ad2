"""A real server learns of jobs by itself, and ends as quickly as any."""

from __future__ import annotations

from hpcshell.track.joining.signing import webhook_key
from hpcshell.track.store import experiments, runs
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.paging import Wanted
from tests.support.runners import eventually
from tests.support.web import serving
from tests.track.joining.test_spooled import leave


def statuses(store):
    with store.reading() as connection:
        return {
            run.job.label: run.status for run in runs.page(connection, Wanted()).rows if run.job
        }


def test_it_follows_the_daemon(hpc, home, store):
    with serving("--port", "0") as server:
        hpc("submit", "--quiet", "--", "true", check=True)
        eventually(lambda: statuses(store) == {"1": "COMPLETED"}, 60)
        assert server.end() == 0


def test_it_takes_in_what_epilogs_have_left(home, store, context):
    spool = home / "state" / "spool"
    spool.mkdir(parents=True)
    leave(spool, key=webhook_key(context.places))
    with serving("--port", "0") as server:
        eventually(lambda: statuses(store) == {"12": "FAILED"}, 60)
        assert server.end() == 0
    assert list(spool.iterdir()) == []


def test_it_sees_which_runs_are_lost(home, store):
    def work(connection):
        nets = experiments.ensure(connection, "nets", now=1.0)
        new = runs.NewRun(experiment_id=nets.id, job=JobRef("slurm", "12"))
        return runs.create(connection, new, 1000.0)

    store.change(work)
    env = {"HPC_TRACK__LOST_AFTER": "2s"}
    with serving("--port", "0", env=env) as server:
        eventually(lambda: statuses(store) == {"12": "LOST"}, 60)
        assert server.end() == 0
