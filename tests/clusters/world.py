"""A site with a life of its own, several desks before it, and everything that can go wrong.

    world = World(directory, monkeypatch)
    world.faults = ["lost"]             what the next commands meet, see the toy
    world.doom = 3                      the process is killed at its third step from now
    world.meanwhile = {2: act}          what somebody else does during its second command
    world.desk(1).call("queue", limit=0)

A step is a command, a reading or writing of files, and the beginning and the end of every change of
the ledger. Time passes only as it is told to, or while somebody pauses.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hpcshell.backends.contract import Answer, Site, Words
from hpcshell.clusters import polls
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.desk import Desk
from hpcshell.core.settings import ClusterSettings
from hpcshell.machine import clock
from hpcshell.machine.link import LinkDown
from hpcshell.machine.paths import Places
from hpcshell.store.ledger.ledger import Ledger
from hpcshell.store.ledger.writing import Change
from tests.store.test_model import FAST
from tests.support.clusters.toy import ToyBackend, ToySite, spec

LIVE = ("wait", "run", "stop")
OVER = ("done", "bad", "gone")
START = 1_000_000.0


class Killed(BaseException):
    """The end of a process between two of its steps."""


class Limited(ToyBackend):
    """A toy that tells of its limits."""

    limits = Site()

    def read_site(self, answers: Sequence[Answer]) -> Site:
        return self.limits


class LivingSite(ToySite):
    """The site, and the way to it; at every step a process may be killed."""

    offsets: Mapping[str, int] = {}
    """What the indices of each part at the site are less by."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.doom: int | None = None
        self.meanwhile: dict[int, Callable[[], None]] = {}
        self.records = True
        self.accounts = True
        """Whether the accounting knows at once how jobs ended."""
        self._commands = 0

    def step(self) -> None:
        if self.doom is not None:
            self.doom -= 1
            if self.doom < 0:
                self.doom = None
                raise Killed

    # --------------------------------------------------------------------------------- the link

    def say(self, words: Words) -> Answer:
        self.step()
        self._commands += 1
        if (act := self.meanwhile.pop(self._commands, None)) is not None:
            act()
        if self.faults and self.faults[0] == "down":
            self.faults.pop(0)
            raise LinkDown("the way is closed")
        answer = super().say(words)
        self.step()
        return answer

    def during(self, command: int, act: Callable[[], None]) -> None:
        """Somebody else acts during a command from now (1: the next)."""
        self.meanwhile[self._commands + command] = act

    def write(self, directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        self.step()
        super().write(directory, files)

    def read(self, directory: str, names: str | Sequence[str]) -> dict[str, bytes]:
        self.step()
        return super().read(directory, names)

    def remove(self, directory: str) -> None:
        self.step()
        super().remove(directory)

    # ----------------------------------------------------------------------------- life at the site

    def live(self) -> list[dict[str, Any]]:
        return [row for row in self.jobs if row["state"] in LIVE]

    def begin(self, row: dict[str, Any]) -> None:
        """A job starts, and records it."""
        row["state"], row["start"] = "run", self.now
        self.record(row, "begin", f"{row['id']} {int(self.now)} n1")
        self.files.pop(f"{self.record_of(row)}.end", None)

    def end(self, row: dict[str, Any], state: str = "done") -> None:
        """It ends, and records it if it is its own doing."""
        ran = row["state"] == "run"
        row["state"], row["ended"] = state, self.now
        if ran and state in ("done", "bad"):
            self.record(row, "end", f"{int(state == 'bad')} {int(self.now)} n1")

    def requeue(self, row: dict[str, Any]) -> None:
        row["state"] = "wait"

    def record(self, row: dict[str, Any], what: str, text: str) -> None:
        if self.records:
            self.files[f"{self.record_of(row)}.{what}"] = text.encode()

    def record_of(self, row: dict[str, Any]) -> str:
        entry = row["key"].partition(".")[0]
        part = self.offsets.get(row["key"], 0)
        name = "job" if row["index"] is None else str(row["index"] + part)
        return f"/home/me/.hpcshell/jobs/{entry}/record/{name}"

    def do_queue(self) -> list[dict[str, Any]]:
        return [row for row in self.jobs if not (self.forgets and row["state"] in OVER)]

    def do_hold(self, *ids: str) -> list[str]:
        for row in self.meant(*ids):
            row["held"] = True
        return super().do_hold(*ids)

    def do_history(self, *ids: str) -> list[dict[str, Any]]:
        told = super().do_history(*ids)
        return told if self.accounts else [row for row in told if row["state"] in LIVE]

    def of(self, name: str) -> list[dict[str, Any]]:
        """What the site has of a submission."""
        return [row for row in self.jobs if row["name"] == name]


class World(LivingSite):
    """The site, the way to it, the clock, and the desks."""

    def __init__(
        self,
        directory: Path,
        patch: pytest.MonkeyPatch,
        *,
        limits: Site | None = None,
        backend: type[ToyBackend] = Limited,
        early: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.directory = directory
        self.settings = ClusterSettings(backend="toy", **{"poll": 0.0} | settings)
        told = {"limits": limits or Site(), "waits_for_script": early}
        self.kind = type("Told", (backend,), told)
        self._desks: dict[int, Desk] = {}
        patch.setattr(clock, "now", lambda: self.now)
        patch.setattr(polls, "HANGS", 0.0)
        patch.setattr(polls, "MOMENT", 0.0)
        plain = Ledger.change

        @contextlib.contextmanager
        def change(ledger: Ledger) -> Iterator[Change]:
            self.step()
            with plain(ledger) as writing:
                yield writing
            self.step()

        patch.setattr(Ledger, "change", change)

    # -------------------------------------------------------------------------------- the desks

    def desk(self, number: int = 0) -> Desk:
        """The desk of one process, which is started if it does not run."""
        if number not in self._desks:
            self._desks[number] = Desk(self.cluster(), pause=self.passes)
        return self._desks[number]

    def cluster(self) -> Cluster:
        places = Places(*(str(self.directory / name) for name in ("state", "conf", "run", "cache")))
        ledger = Ledger.open(self.directory / "state" / "clusters.db")
        kind = self.kind
        return Cluster(
            "toy", self.settings, places, self, ledger, make=lambda name, told: kind(told)
        )

    def ends(self, number: int) -> None:
        """The process of that desk is no more."""
        if (desk := self._desks.pop(number, None)) is not None:
            desk.cluster.ledger.close()

    def close(self) -> None:
        for number in list(self._desks):
            self.ends(number)

    def passes(self, seconds: float) -> None:
        self.now += seconds

    @property
    def offsets(self) -> dict[str, int]:  # type: ignore[override]
        """What the indices of each part at the site are less by."""
        desk = self.desk()
        ledger = desk.cluster.ledger
        entries = [
            *ledger.open_entries("toy"),
            *ledger.ended_entries("toy", 0, 0),
        ]
        return {part.key: part.offset for entry in entries for part in ledger.parts(entry.serial)}

    # ------------------------------------------------------------------------------- what is said

    def submit(self, *argv: str, **fields: Any) -> dict[str, Any]:
        """Submit one job; what is answered of it."""
        answer: dict[str, Any] = self.desk().call("submit", submissions=[spec(*argv, **fields)])
        job: dict[str, Any] = answer["jobs"][0]
        return job

    def show(self, *ids: str) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self.desk().call("show", ids=list(ids))["jobs"]
        return jobs

    def state(self, word: str) -> str:
        """The state of the one job that a word names."""
        (job,) = self.show(word)
        return str(job["state"])

    def labels(self, *ids: str) -> list[str]:
        return [job["label"] for job in self.show(*ids)]


@contextlib.contextmanager
def brief_world(**how: Any) -> Iterator[World]:
    """A world for one of many examples."""
    directory = Path(tempfile.mkdtemp(dir=FAST))
    with pytest.MonkeyPatch.context() as patch:
        made = World(directory, patch, **how)
        try:
            yield made
        finally:
            made.close()
            shutil.rmtree(directory)
