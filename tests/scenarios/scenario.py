"""Reads scenario files; see README.md. Nothing here knows who will run them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from hpcshell.core.dependencies import parse
from hpcshell.core.ids import Named
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import (
    NO_INDEX,
    WHOLE,
    Array,
    Dependencies,
    Dependency,
    Request,
    Resources,
    Retry,
)
from hpcshell.core.settings import RECORDS, SECTIONS, Settings, keys_of
from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.core.units import gpus, size

HERE = Path(__file__).parent
Table = dict[str, Any]


def _timed(value: Any, section: str, word: str, beat: float) -> Any:
    """A value as a configuration has it: beats as seconds."""
    key = keys_of(RECORDS.get(section) or SECTIONS[section], section).get(word)
    if key is None or key.kind not in ("duration", "limit") or isinstance(value, str):
        return value
    return f"{value * beat:g}s"


class Machine(msgspec.Struct, forbid_unknown_fields=True):
    """What there is to share."""

    cpus: int
    memory: str = "0"
    gpus: int = 0
    others: dict[str, int] = {}

    def resources(self) -> Resources:
        return Resources(
            cpus=self.cpus,
            memory=size(self.memory, zero=True),
            gpus=self.gpus,
            others=self.others,
        )


class Work(msgspec.Struct, forbid_unknown_fields=True):
    """One job and how its elements go. All times in beats."""

    name: str
    called: str = ""
    at: float = 0.0
    cpus: int = 1
    memory: str = "0"
    gpus: float = 0
    others: dict[str, int] = {}
    exclusive: bool = False
    limit: float | None = None
    runs: float | list[float] = 1.0
    overstays: float = 0.0
    exits: list[int] = []
    array: str = ""
    dependency: str = ""
    on_never: str = "end"
    priority: int = 500
    begin: float = 0.0
    deadline: float | None = None
    reservation: str = ""
    hold: bool = False
    retries: int = 0
    retry_delay: float = 1.0
    retry_factor: float = 2.0
    nice: int = 0
    account: str = ""
    qos: str = ""
    partition: str = "main"

    def job_name(self) -> str:
        return self.called or self.name

    def request(self) -> Request:
        whole, share = divmod(gpus(f"{self.gpus:g}"), WHOLE)
        return Request(
            cpus=self.cpus,
            memory=size(self.memory, zero=True),
            gpus=whole,
            gpu_share=share,
            others=self.others,
            exclusive=self.exclusive,
            time_limit=self.limit,
        )

    def indices(self) -> IndexSet | None:
        return IndexSet.parse(self.array.partition("%")[0]) if self.array else None

    def array_record(self) -> Array | None:
        indices, _, throttle = self.array.partition("%")
        return Array(indices=indices, throttle=int(throttle or 0)) if self.array else None

    def retry(self) -> Retry:
        return Retry(
            limit=self.retries, delay=self.retry_delay, factor=self.retry_factor, jitter=0.0
        )

    def run_time(self, index: int) -> float:
        """How long an element runs, in every attempt."""
        if isinstance(self.runs, int | float):
            return float(self.runs)
        place = 0 if index == NO_INDEX else list(self.indices() or ()).index(index)
        return float(self.runs[place % len(self.runs)])

    def exit_code(self, attempt: int) -> int:
        """`attempt` counts from 1."""
        return self.exits[attempt - 1] if attempt <= len(self.exits) else 0


class Apart(msgspec.Struct, forbid_unknown_fields=True):
    """A reservation, for whoever submits; or for nobody (`maintenance`). All times in beats."""

    name: str
    start: float
    end: float
    made: float = 0.0
    cpus: int = 0
    gpus: int = 0
    all: bool = False
    maintenance: bool = False
    flex: bool = False
    idle: float | None = None


class Expected(msgspec.Struct, forbid_unknown_fields=True):
    """By element: `name`, or `name_3` in an array."""

    starts: dict[str, float | list[float]]
    outcomes: dict[str, str] = {}

    def all_starts(self) -> dict[str, list[float]]:
        return {
            name: [float(at) for at in (when if isinstance(when, list) else [when])]
            for name, when in self.starts.items()
        }


class Scenario(msgspec.Struct, forbid_unknown_fields=True):
    """A whole file. Job ids are the places in `job`, from 1."""

    about: str
    machine: Machine
    job: list[Work]
    expect: Expected
    policy: Table = {}
    priority: Table = {}
    fairshare: Table = {}
    limits: Table = {}
    accounts: Table = {}
    qos: Table = {}
    partitions: Table = {}
    reservation: list[Apart] = []

    def tables(self, beat: float, me: str) -> Table:
        """The configuration that the scenario asks for, of beats of so many seconds; `me` submits.

        What is old is asked for again before each decision, so that nothing depends on how fast
        anything is.
        """
        scheduler = {"rerank": 0, **self.policy}
        if scheduler.get("promises") == "all":
            scheduler |= {"promises": 0, "backfill": "conservative"}
        found = {"scheduler": scheduler}
        for name in ("priority", "fairshare", "limits", "accounts", "qos", "partitions"):
            if table := getattr(self, name):
                found[name] = table
        for account in found.get("accounts", {}).values():
            users = account.get("users", {})
            account["users"] = {me if user == "me" else user: users[user] for user in users}
        return {
            name: {
                key: _timed(value, name, key, beat)
                if name not in RECORDS
                else {word: _timed(held, name, word, beat) for word, held in value.items()}
                for key, value in table.items()
            }
            for name, table in found.items()
        }

    def settings(self, beat: float, me: str) -> Settings:
        """The same, read."""
        return read_layers([Layer(source="scenario", tables=self.tables(beat, me))]).settings

    def job_id(self, name: str) -> int:
        return [work.name for work in self.job].index(name) + 1

    def dependencies(self, work: Work) -> Dependencies | None:
        """The job's dependencies with names turned into ids."""
        if not work.dependency:
            return None
        expression = parse(work.dependency)
        terms = tuple(
            Dependency(kind=term.kind, job=self._parent(term.parent), delay=term.delay / 60.0)
            for term in expression.terms
        )
        return Dependencies(terms=terms, any=expression.any, on_never=work.on_never)

    def _parent(self, parent: Any) -> int:
        if parent is None:
            return 0
        assert isinstance(parent, Named), "parents are named in scenarios"
        return self.job_id(parent.name)

    def label(self, job: int, index: int) -> str:
        name = self.job[job - 1].name
        return name if index == NO_INDEX else f"{name}_{index}"


def read(path: Path) -> Scenario:
    """One file. A delay in a dependency (`after:a+2`) is in beats, too."""
    scenario = msgspec.convert(tomllib.loads(path.read_text()), Scenario)
    names = [work.name for work in scenario.job]
    assert len(set(names)) == len(names), f"{path.name}: a name is used twice"
    return scenario


def paths() -> list[Path]:
    return sorted(HERE.glob("*.toml"))
