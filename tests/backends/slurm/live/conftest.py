"""A real Slurm, and jobs submitted to it as the program does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hpcshell.backends.contract import ENDED, Order, Sighting, Trouble
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.records import Request
from hpcshell.core.submission import Submission
from tests.support.clusters.slurm import SlurmCluster
from tests.support.clusters.slurm import slurm_cluster as slurm_cluster
from tests.support.clusters.words import lay_out
from tests.support.runners import eventually

PATIENCE = 60.0


def shell(text: str) -> bytes:
    return f"#!/bin/bash\n{text}\n".encode()


class Jobs:
    """Submits to the cluster and waits for what becomes of it; all is over when the test ends."""

    def __init__(self, cluster: SlurmCluster, home: Path) -> None:
        self.cluster, self.home = cluster, home
        self.backend = cluster.backend
        self.ids: list[str] = []
        self._numbers = count(1)

    def order(self, text: str = "true", **fields: Any) -> Order:
        """An order for a shell script. `of_order`, `of_spec`, `layout` and `request` go where their
        names say, all else into the submission."""
        number = next(self._numbers)
        directory = self.home / f"job-{number}"
        of_order, of_spec = fields.pop("of_order", {}), fields.pop("of_spec", {})
        submission = Submission(
            argv=("job.sh",),
            cwd=fields.pop("cwd", str(self.home)),
            env={},
            script=shell(text),
            request=fields.pop("request", Request(time_limit=600.0)),
            stdout=fields.pop("stdout", "%x-%j.out"),
            name=fields.pop("name", f"job{number}"),
            **fields,
        )
        spec = JobSpec(submission=submission, **of_spec)
        if submission.array:
            of_order = {"indices": submission.array.partition("%")[0], **of_order}
        key = f"{self.home.name}-{number}"
        return Order(spec=spec, key=key, directory=str(directory), **of_order)

    def tried(self, order: Order, user: str = "", **env: str) -> str | Trouble:
        """What comes of submitting it, from an environment with `env` in it."""
        lay_out(self.backend, order)
        answer = self.cluster.ask(self.backend.submit(order), user, **env)
        got = self.backend.read_submit(answer)
        if isinstance(got, str):
            self.ids.append(got)
        return got

    def submit(self, text: str = "true", user: str = "", **fields: Any) -> str:
        """The id of a new job that runs a shell script."""
        got = self.tried(self.order(text, **fields), user)
        assert isinstance(got, str), got
        return got

    def refusal(self, **fields: Any) -> Trouble:
        """Why a job is not taken."""
        user = fields.pop("user", "")
        got = self.tried(self.order(**fields), user)
        assert isinstance(got, Trouble), f"{got} was taken"
        return got

    def seen(self, number: str) -> list[Sighting]:
        return self.cluster.sightings(number)

    def one(self, number: str) -> Sighting:
        (only,) = self.seen(number)
        return only

    def when(self, number: str, true: Callable[[Sighting], object]) -> Sighting:
        """The only line of a job, once it is so."""
        eventually(lambda: true(self.one(number)), PATIENCE)
        return self.one(number)

    def running(self, number: str) -> Sighting:
        return self.when(number, lambda job: job.state == "RUNNING")

    def ended(self, number: str) -> Sighting:
        return self.when(number, lambda job: job.state in ENDED)

    def accounted(self, number: str) -> Sighting:
        """The only record of a job in the accounting, once it is told there that it has ended."""

        def known() -> list[Sighting]:
            return [job for job in self.cluster.history(number).sightings if job.state in ENDED]

        eventually(known, PATIENCE)
        (only,) = known()
        return only

    def changed(self, verb: str, *ids: str, user: str = "", **more: Any) -> dict[str, Trouble]:
        """What went wrong with which id."""
        words = getattr(self.backend, verb)(ids, *more.values())
        answers = self.cluster.say(words, user)
        return dict(self.backend.read_change(ids, answers).troubles)

    def end(self) -> None:
        self.cluster.say(self.backend.cancel(self.ids))


@pytest.fixture
def jobs(slurm_cluster: SlurmCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    home = tmp_path_factory.mktemp(f"slurm{time.time_ns()}")
    for parent in list(home.parents)[:-2]:  # for jobs of other users; not /tmp itself
        parent.chmod(0o755)
    home.chmod(0o777)
    made = Jobs(slurm_cluster, home)
    yield made
    made.end()


class LongAgo(NamedTuple):
    """Jobs that end after more than a minute, begun before the first test."""

    home: Path
    limited: str
    late: str


@pytest.fixture(scope="session", autouse=True)
def long_ago(
    slurm_cluster: SlurmCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LongAgo]:
    made = Jobs(slurm_cluster, tmp_path_factory.mktemp("slurm"))
    minute = Request(time_limit=60.0)
    limited = made.submit("sleep 600", name="limited", request=minute)
    only = {"layout": Layout(licenses={"idl": 1})}
    made.submit("sleep 300", of_spec=only)
    late = made.submit(request=minute, deadline=time.time() + 75, of_spec=only)
    yield LongAgo(made.home, limited, late)
    made.end()
