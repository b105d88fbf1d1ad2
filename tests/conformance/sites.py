"""The sites of the tests, one for each back end: started, put into the environment, ended.

    with site("slurm") as here:
        tried(here)

local   a daemon of this machine, in a home of its own
slurm   a real Slurm          sge   a real Grid Engine          tsp   a real task-spooler
pbs     a stand-in built from recordings that runs its jobs     lsf   likewise
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.clusters import lsf_live, pbs_live, sge, slurm, tsp
from tests.support.homes import clean_environment, fresh_home

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "backend"
Limits = Mapping[str, Any]
Away = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Site:
    """A back end that can be tried. `limits`: see `Bench`; `away`: while it is entered the
    scheduler does not answer; `tried_on`: what the column of the matrix stands for."""

    name: str
    limits: Limits = field(default_factory=dict)
    away: Away | None = None
    time_limit: str = "5m"
    """What jobs have unless they say something else; "" where there are no limits."""


@contextmanager
def site(name: str) -> Iterator[Site]:
    """The site of a back end, in a home of its own."""
    kept = dict(os.environ)
    try:
        for variable in kept.keys() - clean_environment().keys():
            del os.environ[variable]
        with fresh_home() as home:
            os.environ["HPCSHELL_HOME"] = str(home)
            with _SITES[name]() as here:
                yield here
    finally:
        os.environ.clear()
        os.environ.update(kept)


@contextmanager
def _set(**variables: str) -> Iterator[None]:
    kept = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _first_in_path(folder: Path) -> AbstractContextManager[None]:
    return _set(PATH=f"{folder}:{os.environ['PATH']}")


@contextmanager
def _local() -> Iterator[Site]:
    with _set(HPC_RESOURCES__CPUS="32", HPC_RESOURCES__GPUS="2"):
        yield Site(name="local", limits={"gpus": {"name": "has-a-gpu"}})


@contextmanager
def _slurm() -> Iterator[Site]:
    """Whoever is told of a port where nobody listens finds its controller away."""
    with slurm.running() as cluster, tempfile.TemporaryDirectory() as folder:
        deaf = cluster.deaf(Path(folder))
        limits = {
            "time": "1m",
            "gpus": {"partition": "gpu"},
            "requeue_waits": True,
            "few": {"qos": "few"},
        }
        with _set(**cluster.env):
            yield Site(name="slurm", limits=limits, away=lambda: _set(**deaf))


@contextmanager
def _sge() -> Iterator[Site]:
    with sge.running() as cluster, _set(**cluster.variables):
        yield Site(name="sge", away=lambda: _set(SGE_QMASTER_PORT="1"))


@contextmanager
def _tsp() -> Iterator[Site]:
    """Installed as any package that brings a back end is."""
    with tempfile.TemporaryDirectory() as folder, tsp.spooling(folder, slots=32) as variables:
        package = Path(folder) / "hpcshell_tsp-1.dist-info"
        package.mkdir()
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: hpcshell-tsp\nVersion: 1\n")
        (package / "entry_points.txt").write_text(
            "[hpcshell.backends]\ntsp = hpcshell_tsp:TspBackend\n"
        )
        sys.path[:0] = [folder, str(EXAMPLE)]
        try:
            with _set(**variables):
                yield Site(name="tsp", time_limit="")
        finally:
            del sys.path[:2]


@contextmanager
def _pbs() -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory() as folder,
        pbs_live.running(Path(folder)) as cluster,
        _first_in_path(cluster.programs),
    ):
        yield Site(name="pbs", limits={"few": {"partition": "limited"}}, away=cluster.away)


@contextmanager
def _lsf() -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory() as folder,
        lsf_live.running(Path(folder)) as cluster,
        _first_in_path(cluster.programs),
    ):
        yield Site(name="lsf", limits={"time": "1m"}, away=cluster.away, time_limit="2h")


_SITES: Mapping[str, Callable[[], AbstractContextManager[Site]]] = {
    "local": _local,
    "slurm": _slurm,
    "pbs": _pbs,
    "lsf": _lsf,
    "sge": _sge,
    "tsp": _tsp,
}
NAMES = tuple(_SITES)
