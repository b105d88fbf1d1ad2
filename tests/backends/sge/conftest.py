"""The real cluster, one for all tests of a run, and orders for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from hpcshell.backends.contract import Order, Parent
from hpcshell.core.jobspec import JobSpec, Layout
from hpcshell.core.records import Request
from hpcshell.core.submission import Submission
from tests.support.clusters.sge import SgeCluster, running


class Orders(Protocol):
    """The type of the ``order`` fixture."""

    def __call__(
        self,
        *argv: str,
        script: str = "",
        layout: Layout = ...,
        limit: float | None = 60.0,
        indices: str = "",
        parents: tuple[Parent, ...] = (),
        native: tuple[str, ...] = (),
        **submission: object,
    ) -> Order:
        """An order for a command, or for a script of bash."""


@pytest.fixture(scope="session")
def sge() -> Iterator[SgeCluster]:
    with running() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def order(tmp_path_factory: pytest.TempPathFactory) -> Orders:
    def make(
        *argv: str,
        script: str = "",
        layout: Layout = Layout(),  # noqa: B008
        limit: float | None = 60.0,
        indices: str = "",
        parents: tuple[Parent, ...] = (),
        native: tuple[str, ...] = (),
        **submission: object,
    ) -> Order:
        directory = tmp_path_factory.mktemp(f"job-{uuid4().hex}", numbered=False)
        said: dict = {
            "argv": argv or ("script",),
            "cwd": str(directory),
            "env": {},
            "script": f"#!/bin/bash\n{script}\n".encode() if script else None,
            "name": "job",
            "array": indices,
            "request": Request(time_limit=limit),
            "stdout": "out.txt",
            "requeue": False,
            **submission,
        }
        return Order(
            spec=JobSpec(submission=Submission(**said), layout=layout, native=native),
            key=directory.name,
            directory=str(directory),
            indices=indices,
            parents=parents,
        )

    return make


def said_by(order: Order, file: str = "out.txt") -> str:
    """What a job wrote."""
    return Path(order.directory, file).read_text()
