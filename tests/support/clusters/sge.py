"""A real Grid Engine on this machine, for as long as some test run needs it.

`running()` starts one, or joins the one that another worker of the run has started: who uses it is
written down in a file of process ids, under a lock, and the last to leave stops it. Its daemons and
jobs are ended by their own ids.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hpcshell.backends.contract import ENDED, Answer, Order, Seen, Sighting, Site, Words
from hpcshell.backends.jobscript import environment_file
from hpcshell.backends.sge import SgeBackend
from tests.support.clusters.packages import installing

TOOL = Path(__file__).with_name("sge-cluster")
PORT = 28644
PATIENCE = 90.0
PAUSE = 0.25
"""Between two questions: the scheduler looks at its queue once a second."""
START = 600.0
"""Seconds to start in, with the packages to install."""


def eventually(true: Callable[[], object]) -> None:
    """Wait for something that the cluster will say when it is asked often enough."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(PAUSE)


@dataclass
class SgeCluster:
    """The cluster as a client sees it, and a desk that submits to it."""

    variables: dict[str, str]
    backend: SgeBackend = field(default_factory=SgeBackend)

    def say(self, words: Words, user: str | None = None) -> Answer:
        done = subprocess.run(
            words.argv,
            input=words.stdin,
            capture_output=True,
            env={**os.environ, **self.variables, **words.env},
            timeout=words.patience,
            cwd="/",
            user=user,
        )
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        return Answer(code=done.returncode, out=out, err=err)

    def say_all(self, several: Sequence[Words] | None) -> list[Answer]:
        assert several is not None
        return [self.say(words) for words in several]

    def learn(self) -> None:
        """Ask the site what it has, as a desk does before it submits."""
        probed = self.backend.read_probe(self.say(self.backend.probe()))
        assert isinstance(probed, Site), probed
        self.backend = SgeBackend(probed)
        answers = self.say_all(self.backend.ask_site())
        self.backend = SgeBackend(self.backend.read_site(answers))

    def submit(self, order: Order) -> str:
        """Write the job's directory and have the job submitted: its native id."""
        native = self.backend.read_submit(self.say(self.written(order)))
        assert isinstance(native, str), native
        return native

    def written(self, order: Order) -> Words:
        """The words that submit it, with all the files in place that they need."""
        directory = Path(order.directory)
        (directory / "record").mkdir(parents=True, exist_ok=True)
        submission = order.spec.submission
        Path(order.job_script).write_text(self.backend.script(order))
        (directory / "env").write_text(environment_file(submission.env)[0])
        if submission.script is not None:
            (directory / "script").write_bytes(submission.script)
            (directory / "script").chmod(0o700)
        return self.backend.submit(order)

    def queue(self) -> Seen:
        return self.backend.read_queue(self.say_all(self.backend.queue("root")))

    def sightings(self, native: str) -> list[Sighting]:
        seen = self.queue()
        assert seen.whole, seen.trouble
        return [one for one in seen.sightings if one.number == native]

    def history(self, *natives: str) -> Seen:
        return self.backend.read_history(self.say_all(self.backend.history(natives, 0.0)))

    def until_gone(self, *natives: str) -> None:
        eventually(lambda: not any(map(self.sightings, natives)))

    def until(self, native: str, *states: str) -> Sighting:
        """The first sighting of a job in one of these states."""
        found: list[Sighting] = []

        def seen() -> bool:
            found[:] = [one for one in self.sightings(native) if one.state in states]
            return bool(found)

        eventually(seen)
        return found[0]

    def ended(self, native: str) -> list[Sighting]:
        """What the accounting says of a job that is gone, by elements."""
        self.until_gone(native)
        found: list[Sighting] = []

        def told() -> bool:
            found[:] = self.history(native).sightings
            return bool(found) and all(one.state in ENDED for one in found)

        eventually(told)
        return sorted(found, key=lambda one: -1 if one.element is None else one.element)


@contextlib.contextmanager
def running() -> Iterator[SgeCluster]:
    """A cluster that is up. Where the machine cannot have one the test is skipped; not in CI."""
    if os.geteuid() != 0 and shutil.which("qsub") is None and "CI" not in os.environ:
        pytest.skip("Grid Engine is not installed, and only root can install it")
    directory = Path(tempfile.gettempdir()) / f"hpcshell-tests-sge-{os.geteuid()}"
    with _users(directory) as users:
        users.add(os.getpid())
        with installing("sge_qmaster", "qsub"):
            _tool(directory, "up")
    try:
        lines = _tool(directory, "env").splitlines()
        cluster = SgeCluster(dict(line.split("=", 1) for line in lines))
        cluster.learn()
        yield cluster
    finally:
        with _users(directory) as users:
            users.discard(os.getpid())
            if not users:
                _tool(directory, "purge")


@contextlib.contextmanager
def _users(directory: Path) -> Iterator[set[int]]:
    """The processes that use the cluster, nobody else changing it meanwhile. Those that died
    without a word are no longer among them."""
    with open(f"{directory}.users", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        users = {int(word) for word in file.read().split() if Path("/proc", word).exists()}
        yield users
        file.seek(0)
        file.truncate()
        file.write(" ".join(map(str, sorted(users))))


def _tool(directory: Path, verb: str) -> str:
    """Run the tool; what it says is shown when it fails."""
    environment = {"SGE_CLUSTER_DIR": str(directory), "SGE_CLUSTER_PORT": str(PORT)}
    done = subprocess.run(
        [str(TOOL), verb],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=START,
    )
    assert done.returncode == 0, f"sge-cluster {verb}: {done.stdout}{done.stderr}"
    return done.stdout
