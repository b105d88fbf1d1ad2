"""Small examples played by the decider, under a configuration as it stands in a file.

    played = play(JOBS, '[scheduler]\\norder = "sjf"')
    played.bars, played.starts, played.promises      minutes from the beginning of the picture

The configuration goes the way of the daemon's: read, checked, made into a policy and a regime. The
jobs then go through `sim.forward`, which calls the very view and decisions of the daemon.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from math import inf
from typing import Any, Final, NamedTuple

from hpcshell.core.records import Job, Launch, Request, Resources
from hpcshell.core.settings import Settings
from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.policy.choice import choice, ledger_of
from hpcshell.policy.ledger import Ledger
from hpcshell.policy.plan import Policy
from hpcshell.policy.regime import Foresight, Regime
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.snapshot import Snapshot
from hpcshell.predict.foresight import Predicted
from hpcshell.predict.runtimes import PREDICTORS
from hpcshell.predict.shrunk import ShrunkForesight
from hpcshell.sim.bouts import Span
from hpcshell.sim.forward import Forward

CPUS: Final = 8
MINUTE: Final = 60.0
DAY: Final = 86400.0
BEGAN: Final = 30 * DAY
"""The instant at which a picture begins, in seconds since the queue was first used."""
LONGEST: Final = 24 * 60
"""Minutes after which an example must be over."""


class Work(NamedTuple):
    """A job: when it comes, what it asks for, how long it takes (minutes); what else is said of it,
    as the fields of `Job`."""

    id: int
    comes: int
    cpus: int
    limit: int
    takes: int
    user: str = "ann"
    more: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def job(self) -> Job:
        """As the decider knows it."""
        return Job(
            id=self.id,
            name=str(self.id),
            user=self.user,
            uid=1000,
            submit_time=BEGAN + self.comes * MINUTE,
            request=Request(cpus=self.cpus, time_limit=self.limit * MINUTE),
            launch=Launch(argv=("true",), cwd="/"),
            **self.more,
        )


class Before(NamedTuple):
    """A job that ended before the picture begins: what it asked for and how long it took."""

    user: str
    cpus: int
    limit: int
    took: int


class Bar(NamedTuple):
    """A part of a job's run: on which CPUs, from when to when. `whole`: it began and ended so."""

    job: int
    lanes: tuple[int, ...]
    start: float
    end: float
    whole: bool = True


class Played(NamedTuple):
    """What came of an example. `starts` and `waits` by job; `promises`: the first that each job was
    given before it began; `slowdown`: the mean of the bounded slowdowns (tau = 10 s)."""

    bars: list[Bar]
    starts: dict[int, float]
    ends: dict[int, float]
    promises: dict[int, float]
    waits: dict[int, float]
    slowdown: float

    @property
    def mean_wait(self) -> float:
        """Minutes."""
        return sum(self.waits.values()) / len(self.waits)


class Example(NamedTuple):
    """`jobs` by the time they come; what ended before they did; what is set apart."""

    jobs: tuple[Work, ...]
    before: tuple[Before, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    cpus: int = CPUS

    @staticmethod
    def minutes(one: Reservation) -> tuple[float, float]:
        """From when until when it lasts."""
        return _minutes(one.start), _minutes(one.end)


def settings_of(toml: str) -> Settings:
    """A configuration as it is written in a file."""
    return read_layers([Layer(source="the page", tables=tomllib.loads(toml))]).settings


def regime_of(example: Example, settings: Settings) -> tuple[Policy, Regime]:
    """What the daemon would make of it, once what came before has ended."""
    foresight = foresight_of(settings.scheduler.predict)
    ledger = ledger_of(settings)
    for number, one in enumerate(example.before):
        _learn(one, number, foresight, ledger)
    total = Resources(cpus=example.cpus)
    return choice(settings, total, foresight=foresight, ledger=ledger)


def foresight_of(name: str) -> Foresight | None:
    """The predictor of that name; None: what is asked for."""
    if name == "request":
        return None
    return ShrunkForesight() if name == "shrunk" else Predicted(PREDICTORS[name].make())


def _learn(one: Before, number: int, foresight: Foresight | None, ledger: Ledger) -> None:
    job = Work(-number, 0, one.cpus, one.limit, one.took, one.user).job()
    seconds = one.took * MINUTE
    if foresight is not None:
        foresight.ended(job, job.request, seconds)
    ledger.shares.charge(one.user, "", seconds * one.cpus, BEGAN)


def play(example: Example, toml: str = "") -> Played:
    """Let the jobs come and go, minute by minute."""
    policy, regime = regime_of(example, settings_of(toml))
    known = {work.id: work for work in example.jobs}
    forward = Forward(
        Snapshot(
            now=BEGAN,
            total=Resources(cpus=example.cpus),
            policy=policy,
            reservations=example.reservations,
        ),
        lambda job, cpus, limit: known[job.id].takes * MINUTE,
        regime,
    )
    promises: dict[int, float] = {}
    for minute in range(LONGEST):
        forward.play(BEGAN + minute * MINUTE)
        for work in example.jobs:
            if work.comes == minute:
                forward.submit(work.job())
        forward.play(forward.now)
        for (job, _), start in forward.view.promised.items():
            if start < inf:
                promises.setdefault(job, _minutes(start))
        if len(forward.ends) == len(example.jobs):
            return _played(forward, example, promises)
    raise ValueError("this example does not come to an end")


def _minutes(instant: float) -> float:
    return round((instant - BEGAN) / MINUTE, 3)


def _played(forward: Forward, example: Example, promises: dict[int, float]) -> Played:
    starts = {job: _minutes(start) for (job, _), start in forward.starts.items()}
    ends = {job: _minutes(end) for job, end in forward.ends.items()}
    waits = {work.id: starts[work.id] - work.comes for work in example.jobs}
    slowdowns = [max(1.0, (waits[one.id] + one.takes) / one.takes) for one in example.jobs]
    return Played(
        bars=placed(forward.spans, example),
        starts=starts,
        ends=ends,
        promises={job: at for job, at in promises.items() if at > 0},
        waits=waits,
        slowdown=sum(slowdowns) / len(slowdowns),
    )


def placed(spans: Sequence[Span], example: Example) -> list[Bar]:
    """Each run on the lowest CPUs that are free, side by side where it can be; one that goes on, on
    those that it had."""
    bars: list[Bar] = []
    known = {work.id: work for work in example.jobs}
    for span in sorted(spans, key=lambda span: (span.start, span.job)):
        start, end = _minutes(span.start), _minutes(span.end)
        taken = {lane for bar in bars if bar.end > start for lane in bar.lanes}
        free = [lane for lane in range(example.cpus) if lane not in taken]
        had = next((bar.lanes for bar in bars if bar.job == span.job), ())
        lanes = had if had and not taken.intersection(had) else _lowest(free, span.cpus)
        whole = end - start == known[span.job].takes
        bars.append(Bar(span.job, lanes, start, end, whole))
    return bars


def _lowest(free: list[int], cpus: int) -> tuple[int, ...]:
    """So many of the free lanes: the first that lie side by side, else the first."""
    for at in range(len(free) - cpus + 1):
        if free[at + cpus - 1] - free[at] == cpus - 1:
            return tuple(free[at : at + cpus])
    return tuple(free[:cpus])
