"""What was done about a sweep: a file to which lines are added, and nothing else.

First it is written down which points somebody wants run, and where (`Wanted`). A batch of them is
written down before it is submitted (`Intent`), and again when it has been taken (`Taken`) or surely
was not (`Void`). An intent without an end is looked for, not repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from hpcshell.core.records import Record
from hpcshell.sweeps import disk

Shape = Literal["array", "individual"]


class Target(Record, frozen=True, kw_only=True):
    """Where points go, and how. `options` are those of `hpcshell.submit`; `staged`: it is reached
    over ssh and has none of our files; `code`: the snapshot that points run in."""

    on: str
    shape: Shape = "array"
    options: Mapping[str, Any] = msgspec.field(default_factory=dict)
    staged: bool = False
    code: str = ""


class Wanted(Record, frozen=True, kw_only=True, tag="wanted", tag_field="kind"):
    """These points are to run, or to run again, at any of the targets. `attempt`: how often they
    were tried before, in this go."""

    points: tuple[str, ...]
    targets: tuple[Target, ...]
    time: float
    attempt: int = 0


class Intent(Record, frozen=True, kw_only=True, tag="intent", tag_field="kind"):
    """These points are about to go to `on`: as elements 0, 1, ... of an array, or (`single`) as a
    job each. `staged`: nothing there has the files of this machine."""

    key: str
    on: str
    points: tuple[str, ...]
    time: float
    single: bool = False
    staged: bool = False
    code: str = ""
    attempt: int = 0
    scheduler: str = ""


class Taken(Record, frozen=True, kw_only=True, tag="taken", tag_field="kind"):
    """They are this job, or these jobs in the order of the points, on `on`; "" for one that was not
    taken."""

    key: str
    on: str
    jobs: tuple[str, ...]


class Void(Record, frozen=True, kw_only=True, tag="void", tag_field="kind"):
    """They were not taken."""

    key: str
    why: str = ""


class Stopped(Record, frozen=True, kw_only=True, tag="stopped", tag_field="kind"):
    """Nothing more is to be submitted, until somebody wants it again."""

    why: str
    time: float


Line = Wanted | Intent | Taken | Void | Stopped
_decoder = msgspec.json.Decoder(Line)
_encoder = msgspec.json.Encoder()


class Part(Record, frozen=True, kw_only=True):
    """Where one point is: `number` within its batch."""

    key: str
    number: int
    on: str
    job: str
    single: bool = False
    staged: bool = False
    attempt: int = 0
    scheduler: str = ""

    @property
    def label(self) -> str:
        """What `hpc` calls it."""
        return self.job if self.single else f"{self.job}_{self.number}"


class Ledger:
    """All lines so far. `wanted`: the points that are to be submitted yet; `last`: what was wanted
    last, unless it was refused. `stopped`: why nothing more is submitted; "": it goes on."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.intents: dict[str, Intent] = {}
        self.taken: dict[str, Taken] = {}
        self.void: set[str] = set()
        self.wanted: dict[str, Wanted] = {}
        self.last: Wanted | None = None
        self.stopped = ""
        self._accepted: Wanted | None = None
        self._sources: dict[str, dict[str, Wanted]] = {}
        for line in _lines(path):
            self._note(line)

    def add(self, line: Line) -> None:
        """Write it down. Raises `Broken`."""
        disk.append(self.path, _encoder.encode(line))
        self._note(line)

    def _note(self, line: Line) -> None:
        match line:
            case Wanted():
                self.wanted |= dict.fromkeys(line.points, line)
                self.last, self.stopped = line, ""
            case Intent():
                self.intents[line.key] = line
                self._sources[line.key] = {
                    point: self.wanted.pop(point) for point in line.points if point in self.wanted
                }
            case Taken() if self._fits(line):
                self.taken[line.key] = line
                for source in self._sources[line.key].values():
                    self._accepted = source
                if "" in line.jobs:
                    self._want_again(line.key, self._not_taken(line))
            case Void() if line.key in self.intents:
                self.void.add(line.key)
                self._want_again(line.key, self.intents[line.key].points)
            case Stopped():
                self.stopped = line.why
                self.wanted.clear()
                self.last = self._accepted

    def _fits(self, taken: Taken) -> bool:
        """Whether there is a batch that these jobs can be."""
        intent = self.intents.get(taken.key)
        if intent is None:
            return False
        return len(taken.jobs) == (len(intent.points) if intent.single else 1)

    def _not_taken(self, taken: Taken) -> list[str]:
        points = self.intents[taken.key].points
        return [point for point, job in zip(points, taken.jobs, strict=True) if not job]

    def _want_again(self, key: str, points: Iterable[str]) -> None:
        """These points of a batch, unless they were wanted otherwise since."""
        if not self.stopped:
            sources = self._sources.get(key, {})
            again = {point: sources[point] for point in points if point in sources}
            self.wanted = again | self.wanted

    def doubtful(self) -> list[Intent]:
        """Batches of which it is not known whether they were taken."""
        return [
            one
            for key, one in self.intents.items()
            if key not in self.taken and key not in self.void
        ]

    def parts(self) -> Mapping[str, Part]:
        """Where each point is that was ever submitted: what counts is the latest."""
        found: dict[str, Part] = {}
        for key, intent in self.intents.items():
            taken = self.taken.get(key)
            if taken is None:
                continue
            for number, point in enumerate(intent.points):
                job = taken.jobs[number if intent.single else 0]
                if not job:
                    continue
                found[point] = Part(
                    key=key,
                    number=number,
                    on=taken.on,
                    job=job,
                    single=intent.single,
                    staged=intent.staged,
                    attempt=intent.attempt,
                    scheduler=intent.scheduler,
                )
        return found

    def in_doubt(self) -> Mapping[str, str]:
        """The points of doubtful batches, and where they may be."""
        return {point: one.on for one in self.doubtful() for point in one.points}


def _lines(path: str) -> Iterable[Any]:
    """A line that was torn when the machine stopped says nothing."""
    for line in disk.lines(path):
        try:
            yield _decoder.decode(line)
        except msgspec.MsgspecError:
            continue
