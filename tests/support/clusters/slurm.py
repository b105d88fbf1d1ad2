"""A real Slurm for the tests: one cluster for all workers of a run, ended by whoever leaves last.

``slurm_cluster`` is a `SlurmCluster`: partitions cpu (node1-2), gpu (node3, two GPUs), debug
(node1-2, half an hour at most), frail (node4, whose daemon a test may kill) and small (node5); QOS
low, normal and high, which drives low away; accounts science (root, games) and limited (news, at
most two jobs). With KEEP_CLUSTERS set it is left running, for the next run.

``another_slurm`` is one beside it, without accounting, that a test may stop as it likes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import pytest

from hpcshell.backends.contract import Answer, Seen, Sighting, Words
from hpcshell.backends.slurm import SlurmBackend
from tests.support.clusters.packages import installing
from tests.support.clusters.words import said

TOOL = Path(__file__).with_name("slurm-cluster")
HOME = Path("/tmp/hpcshell-slurm")


class SlurmCluster:
    """The cluster as it stands, and a back end that has read what it tells of itself."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home, self._settings = home, {"SLURM_TEST_DIR": str(home), **settings}
        with installing("slurmctld", "slurmd", "munged", "slurmdbd", "mariadbd"), self._as_is():
            self.tool("up")
        self.env = {"SLURM_CONF": str(home / "etc" / "slurm.conf")}
        self.backend = SlurmBackend()
        self.site = self.backend.read_site(self.say(self.backend.ask_site()))
        self.limits_memory = "task/cgroup" in (home / "etc" / "slurm.conf").read_text()

    def tool(self, *words: str) -> None:
        """Starts or ends it, or one of its daemons: ``tool("kill", "slurmd-node4")``."""
        done = subprocess.run(
            [TOOL, *words],
            capture_output=True,
            text=True,
            env=os.environ | self._settings,
            timeout=900,
        )
        assert done.returncode == 0, f"slurm-cluster {' '.join(words)}: {done.stderr}"

    @contextlib.contextmanager
    def _as_is(self) -> Iterator[None]:
        """Nobody else starts or ends a daemon of it meanwhile."""
        with lock(self.home, fcntl.LOCK_EX, "daemons"):
            yield

    @contextlib.contextmanager
    def without(self, daemon: str) -> Iterator[None]:
        """One of its daemons is killed, and started again at the end."""
        with self._as_is():
            self.tool("kill", daemon)
            try:
                yield
            finally:
                self.tool("start", daemon)

    def deaf(self, folder: Path) -> dict[str, str]:
        """The environment of who knows its controller at a port where nobody listens, and soon
        gives up."""
        text = (self.home / "etc" / "slurm.conf").read_text()
        path = folder / "slurm.conf"
        path.write_text(
            text.replace("SlurmctldPort=", "SlurmctldPort=1#").replace(
                "MessageTimeout=10", "MessageTimeout=2"
            )
        )
        return {"SLURM_CONF": str(path)}

    def ask(self, words: Words, user: str = "", **env: str) -> Answer:
        """One command, as root or as another user."""
        prefix = ("runuser", "-u", user, "--") if user else ()
        return said(words, self.env | env, prefix=prefix)

    def say(self, words: Sequence[Words] | None, user: str = "") -> list[Answer]:
        assert words is not None
        return [self.ask(each, user) for each in words]

    def queue(self, user: str | None = None) -> Seen:
        return self.backend.read_queue(self.say(self.backend.queue(user)))

    def history(self, *ids: str) -> Seen:
        return self.backend.read_history(self.say(self.backend.history(ids, 0.0)))

    def sightings(self, number: str) -> list[Sighting]:
        """What the queue shows of a job and its elements."""
        return [each for each in self.queue().sightings if each.number == number]


def check_able() -> None:
    """This machine can have one: whoever is root can install it."""
    installed = shutil.which("slurmctld") or shutil.which("apt-get")
    if os.geteuid() != 0 or installed is None:
        assert not os.environ.get("CI"), "there has to be a Slurm here: be root on Debian"
        pytest.skip("a Slurm is started by root, on Debian")


@contextlib.contextmanager
def lock(home: Path, kind: int, name: str = "users") -> Iterator[TextIO]:
    home.mkdir(exist_ok=True)
    with (home / name).open("w") as held:
        fcntl.flock(held, kind)
        yield held


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[SlurmCluster]:
    with running() as cluster:
        yield cluster


@contextlib.contextmanager
def running() -> Iterator[SlurmCluster]:
    """The cluster that all share."""
    check_able()
    with lock(HOME, fcntl.LOCK_SH) as users:  # shared by all who use it
        cluster = SlurmCluster(HOME)
        yield cluster
        try:  # whoever gets it alone is the last
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if not os.environ.get("KEEP_CLUSTERS"):
            cluster.tool("down")


@pytest.fixture(scope="module")
def another_slurm() -> Iterator[SlurmCluster]:
    check_able()
    home = HOME.with_name(HOME.name + "-2")
    with lock(home, fcntl.LOCK_EX):
        cluster = SlurmCluster(home, SLURM_TEST_PORT="27010", SLURM_TEST_ACCOUNTING="no")
        yield cluster
        cluster.tool("down")
