"""A real Slurm tells of its jobs: through its epilog alone, and through polling alone."""

from __future__ import annotations

import asyncio
import contextlib
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.commands import Words
from hpcshell.track.joining.epilog import EPILOG, PROLOG, Epilog, install
from hpcshell.track.joining.signing import webhook_key
from hpcshell.track.joining.spooled import take_in
from hpcshell.track.records import Run
from hpcshell.track.store import experiments, runs
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.paging import Wanted
from hpcshell.web.app import make_app
from hpcshell.web.tasks.polling import Poller
from tests.support.clusters.slurm import SlurmCluster, another_slurm
from tests.support.listening import listening
from tests.support.runners import eventually

__all__ = ["another_slurm"]


@contextlib.contextmanager
def told_by_epilog(cluster: SlurmCluster, context: Any, url: str) -> Iterator[Epilog]:
    """The cluster's controller runs our scripts meanwhile, as its own user."""
    folder = cluster.home / "hook"
    slurm = pwd.getpwnam("slurm")
    made = Epilog(
        kind="slurm",
        url=url,
        directory=str(folder),
        spool=str(folder / "spool"),
        owner=(slurm.pw_uid, slurm.pw_gid),
    )
    install(made, webhook_key(context.places))
    path = cluster.home / "etc" / "slurm.conf"
    before = path.read_text()
    lines = f"PrologSlurmctld={folder}/{PROLOG}\nEpilogSlurmctld={folder}/{EPILOG}\n"
    configure(cluster, path, before + lines)
    try:
        yield made
    finally:
        configure(cluster, path, before)
        shutil.rmtree(folder)


def configure(cluster: SlurmCluster, path: Path, text: str) -> None:
    path.write_text(text)
    cluster.tool("stop", "slurmctld")
    cluster.tool("start", "slurmctld")
    say(cluster, "scontrol", "reconfigure")  # the nodes, too, are to know that it has changed


def say(cluster: SlurmCluster, *argv: str) -> str:
    answer = cluster.ask(Words(argv=argv))
    assert answer.code == 0, answer
    return answer.out


def submit(cluster: SlurmCluster, script: str, *options: str) -> str:
    """The number of a job that runs a line of shell."""
    where = ("--chdir=/tmp", "--output=/dev/null")
    return say(cluster, "sbatch", "--parsable", *where, *options, "--wrap", script).strip()


def every_run(context: Any) -> dict[str, Run]:
    """By the label of its job."""
    with context.store.reading() as connection:
        rows = runs.page(connection, Wanted(limit=1000)).rows
    return {run.job.label: run for run in rows if run.job is not None}


def status(context: Any, label: str) -> str | None:
    run = every_run(context).get(label)
    return None if run is None else run.status


def test_rows_change_through_the_epilog_alone(another_slurm, context):
    with listening(make_app(context)) as url, told_by_epilog(another_slurm, context, url):
        well = submit(another_slurm, "true", "--job-name", "train $(touch /tmp/evil); é 'x'")
        badly = submit(another_slurm, "exit 3")
        array = submit(another_slurm, "exit $SLURM_ARRAY_TASK_ID", "--array=0-1")
        eventually(lambda: status(context, well) == "COMPLETED", 60)
        eventually(lambda: status(context, badly) == "FAILED", 60)
        eventually(lambda: status(context, f"{array}_0") == "COMPLETED", 60)
        eventually(lambda: status(context, f"{array}_1") == "FAILED", 60)
    found = every_run(context)
    job = found[badly].job
    assert job is not None
    assert (job.kind, job.cluster, job.exit_code) == ("slurm", "test", 3)
    assert (job.user, job.partition, job.cpus, job.nodes[0][:4]) == ("root", "cpu", 1, "node")
    assert found[well].name == "train $(touch /tmp/evil); é 'x'"
    assert not Path("/tmp/evil").exists()
    started, ended = found[well].started_at, found[well].ended_at
    assert started is not None
    assert ended is not None
    assert started <= ended


def test_a_server_that_is_away_hears_of_it_later(another_slurm, context):
    with told_by_epilog(another_slurm, context, "http://127.0.0.1:1") as made:
        number = submit(another_slurm, "exit 2")
        spool = Path(made.spool)
        eventually(lambda: len(list(spool.glob("*.event"))) == 2, 60)
        outcome = take_in(context.store, made.spool, webhook_key(context.places))
        assert (outcome.taken, outcome.bad) == (2, ())
        assert list(spool.iterdir()) == []
    assert status(context, number) == "FAILED"


def test_rows_change_through_polling_alone(another_slurm, context, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", another_slurm.env["SLURM_CONF"])
    number = submit(another_slurm, "sleep 2; exit 5")

    def link(connection: Any) -> str:
        home = experiments.ensure(connection, "nets", now=1.0)
        new = runs.NewRun(experiment_id=home.id, source="client", job=JobRef("slurm", number))
        return runs.create(connection, new, 2.0).run_id

    run_id = context.store.change(link)

    async def until_ended() -> list[str]:
        poller = Poller(context)
        seen: list[str] = []
        while not seen or seen[-1] != "FAILED":
            await poller.turn()
            poller.hurry()
            with context.store.reading() as connection:
                seen.append(runs.show(connection, run_id).status)
            await poller.rest(1.0)
        return seen

    assert asyncio.run(asyncio.wait_for(until_ended(), 90))[-1] == "FAILED"
    with context.store.reading() as connection:
        job = runs.show(connection, run_id).job
    assert job is not None
    assert (job.exit_code, job.cpus, job.partition) == (5, 1, "cpu")


def test_jobs_are_submitted_read_and_cancelled_over_rest(another_slurm, api, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", another_slurm.env["SLURM_CONF"])
    monkeypatch.chdir("/tmp")
    command = ["/bin/sh", "-c", "echo from slurm; exec sleep 300"]
    options = {"name": "over rest", "output": "/tmp/hpc-over-rest-%j.out"}
    made = api.post("/api/v1/jobs?on=slurm", json={"command": command, "options": options})
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    job = f"/api/v1/jobs/{number}"

    def state() -> str:
        return str(api.get(f"{job}?on=slurm").json()["state"])

    try:
        eventually(lambda: state() == "RUNNING", 60)
        eventually(lambda: api.get(f"{job}/logs/stdout?on=slurm").text == "from slurm\n", 60)
        rows = api.get("/api/v1/jobs?on=slurm").json()["rows"]
        assert ("over rest", "RUNNING") in [(row["name"], row["state"]) for row in rows]
        assert api.post(f"{job}/cancel?on=slurm", json={}).status_code == 200
        eventually(lambda: state() == "CANCELLED", 60)
    finally:
        Path(f"/tmp/hpc-over-rest-{number}.out").unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _its_home(home: Path) -> None:
    """Nothing of the person who runs the tests is asked."""
