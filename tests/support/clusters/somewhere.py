"""A toy scheduler on a machine that has files of its own: a directory here, reached by a link that
counts what it carries and can break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpcshell.clusters.desk import Desk
from hpcshell.core.commands import Answer, Words
from hpcshell.core.jobspec import JobSpec
from hpcshell.machine.link import LinkDown, LocalLink
from tests.support.clusters.toy import ToySite, spec, toy_cluster


class Somewhere(ToySite):
    """`breaks`: after so many files the connection breaks, once for each number."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        home.mkdir()
        self.there = home
        self.here = LocalLink()
        self.breaks: list[int] = []
        self.carried: list[str] = []

    def home(self) -> str:
        return str(self.there)

    def say(self, words: Words) -> Answer:
        return super().say(words) if words.argv[0] == "toy" else self.here.say(words)

    def write(self, directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        self.here.write(directory, files)

    def read(self, directory: str, names: str | Sequence[str]) -> dict[str, bytes]:
        return self.here.read(directory, names)

    def read_from(self, path: str, offset: int, most: int) -> bytes | None:
        return self.here.read_from(path, offset, most)

    def sizes(self, paths: Sequence[str]) -> dict[str, int | None]:
        return self.here.sizes(paths)

    def remove(self, directory: str) -> None:
        self.here.remove(directory)

    def put(self, local: str, remote: str) -> None:
        self._carry(local)
        self.here.put(local, remote)

    def fetch(self, remote: str, local: str) -> None:
        self._carry(remote)
        self.here.fetch(remote, local)

    def _carry(self, what: str) -> None:
        if self.breaks and self.breaks[0] == 0:
            self.breaks.pop(0)
            raise LinkDown("the connection broke")
        if self.breaks:
            self.breaks[0] -= 1
        self.carried.append(what)

    def work(self, desk: Desk, job: int | str) -> Path:
        """Where a job works."""
        return Path(desk.call("show", ids=[str(job)])["jobs"][0]["cwd"])


def far_desk(directory: Path, site: Somewhere, **settings: Any) -> Desk:
    """A desk before it that never waits."""
    cluster = toy_cluster(directory, site, ssh="somewhere", **settings)
    return Desk(cluster, pause=lambda seconds: None)


def staged(origin: Path, **fields: Any) -> JobSpec:
    """A job with files, submitted from a directory here."""
    from msgspec.structs import replace

    return replace(spec("true", cwd=str(origin)), origin=str(origin), own=True, **fields)
