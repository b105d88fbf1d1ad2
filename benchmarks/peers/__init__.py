"""Those we are measured against, and ourselves among them."""

from __future__ import annotations

from peers.commands import CLimit, GnuParallel, Make, MoreutilsParallel, Ninja, Xargs
from peers.contender import Contender
from peers.frameworks import Dask, Huey, HueyDurable, HyperQueue, Parsl, Ray
from peers.loops import PosixSpawn, Threads
from peers.slurm import Slurm
from peers.spooler import TaskSpooler

PEERS: tuple[type[Contender], ...] = (
    CLimit,
    Make,
    Ninja,
    Xargs,
    MoreutilsParallel,
    Threads,
    PosixSpawn,
    TaskSpooler,
    Huey,
    HueyDurable,
    Dask,
    Ray,
    Parsl,
    HyperQueue,
    GnuParallel,
    Slurm,
)


def find(name: str) -> type[Contender]:
    """The contender of this name, ours included."""
    from ours import Ours

    everybody: tuple[type[Contender], ...] = (Ours, *PEERS)
    return next(kind for kind in everybody if kind.name == name)


def able(question: str) -> list[type[Contender]]:
    """The peers that can answer this question."""
    return [kind for kind in PEERS if question in kind.pace]
