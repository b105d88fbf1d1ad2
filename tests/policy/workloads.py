"""Random machines and work, small enough to be read when a law is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import Dependencies, Dependency, Job, Resources, Retry
from hpcshell.policy.decide import Policy
from hpcshell.policy.regime import Regime
from tests.policy.made import elements_of, make_job
from tests.policy.world import Act, Script, World

Draw = Callable[..., Any]
"""`draw` of a composite strategy, or that of `st.data()`."""
SHARES = (0, 0, 30, 50, 60, 99)
KINDS = ("after", "afterok", "afternotok", "afterany", "aftercorr")


class Work(NamedTuple):
    """A job and how its elements go: `runs[i]` and `exits[i]`, repeated as needed."""

    job: Job
    runs: tuple[float, ...]
    exits: tuple[int, ...]

    def script(self) -> Script:
        return lambda index, attempt: Act(
            self.runs[(index + attempt) % len(self.runs)],
            self.exits[(index + attempt) % len(self.exits)],
        )


class Load(NamedTuple):
    """A machine and the work that comes to it."""

    total: Resources
    work: tuple[Work, ...]

    def world(self, policy: Policy, regime: Regime | None = None) -> World:
        world = World(self.total, policy, regime)
        for work in self.work:
            world.submit(work.job, work.script())
        return world

    def lingering(self, grace: float) -> Load:
        """The same, whose runs live on for so many seconds once they are to make room."""
        late = (work._replace(job=replace(work.job, grace=grace)) for work in self.work)
        return self._replace(work=tuple(late))


@st.composite
def machines(draw: st.DrawFn) -> Resources:
    return Resources(
        cpus=draw(st.integers(1, 6)),
        memory=draw(st.integers(0, 8)),
        gpus=draw(st.integers(0, 3)),
        others={"lic": draw(st.integers(1, 3))} if draw(st.booleans()) else {},
    )


def draw_request(draw: Draw, total: Resources, *, limits: bool, shares: bool) -> dict[str, Any]:
    rare = st.sampled_from((False, False, False, False, True))
    asked: dict[str, Any] = {"cpus": draw(st.integers(1, total.cpus))}
    if total.memory and draw(st.booleans()):
        asked["memory"] = draw(st.integers(0, total.memory))
    if total.gpus and draw(rare):
        asked["gpu_share"] = draw(st.sampled_from(SHARES)) if shares else 0
        least, most = (0, total.gpus - 1) if asked["gpu_share"] else (1, total.gpus)
        asked["gpus"] = draw(st.integers(least, most))
    if total.others and draw(rare):
        asked["others"] = {"lic": draw(st.integers(1, total.others["lic"]))}
    if draw(rare):
        asked["exclusive"] = True
    if limits or draw(st.booleans()):
        asked["time_limit"] = float(draw(st.integers(1, 12)))
    return asked


def draw_terms(draw: Draw, jobs: list[Job]) -> Dependencies | None:
    terms: list[Dependency] = []
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2, 3)))):
        if draw(st.integers(0, 6)) == 0 or not jobs:
            terms.append(Dependency(kind="singleton"))
            continue
        parent = draw(st.sampled_from(jobs))
        indices = [None, *elements_of(parent)] if parent.array else [None]
        kind = draw(st.sampled_from(KINDS))
        terms.append(
            Dependency(
                kind=kind,
                job=parent.id,
                index=None if kind == "aftercorr" else draw(st.sampled_from(indices)),
                delay=float(draw(st.sampled_from((0, 0, 0, 3)))),
            )
        )
    if not terms:
        return None
    return Dependencies(terms=tuple(terms), any=draw(st.booleans()))


def draw_extras(draw: Draw, number: int, jobs: list[Job], at: float) -> dict[str, Any]:
    return {
        "priority": draw(st.sampled_from((500, 500, 500, 100, 900))),
        "begin": at + draw(st.sampled_from((0.0, 0.0, 0.0, 4.0))),
        "deadline": draw(st.sampled_from((None, None, None, at + 3.0, at + 15.0))),
        "name": draw(st.sampled_from(("a", "b", f"j{number}"))),
        "dependencies": draw_terms(draw, jobs),
        "retry": draw(
            st.sampled_from(
                (
                    Retry(),
                    Retry(limit=1, delay=0.0),
                    Retry(limit=2, delay=2.0, grow={"cpus": 2.0, "time": 1.5}),
                )
            )
        ),
    }


@st.composite
def loads(draw: st.DrawFn, *, simple: bool = False, most: int = 9, shares: bool = True) -> Load:
    """Anything at all; `simple`: only limits that are kept, nothing that changes the order;
    `shares`: of cards, too."""
    total = draw(machines())
    work: list[Work] = []
    jobs: list[Job] = []
    at = 0.0
    for number in range(1, draw(st.integers(1, most)) + 1):
        at += draw(st.sampled_from((0, 0, 0, 1, 2, 5)))
        asked = draw_request(draw, total, limits=simple, shares=shares)
        many = draw(st.sampled_from((0, 0, 1, 3, 5)))
        if many:
            asked["array"] = f"0-{many - 1}"
            asked["throttle"] = 0 if simple else draw(st.integers(0, 3))
        extras = {} if simple else draw_extras(draw, number, jobs, at)
        job = make_job(number, submit_time=at, **asked, **extras)
        limit = job.request.time_limit
        longest = int(limit) if simple and limit is not None else 14
        runs = draw(st.lists(st.integers(1, longest), min_size=1, max_size=3))
        exits = (0,) if simple else tuple(draw(st.lists(st.integers(0, 1), min_size=1, max_size=3)))
        work.append(Work(job, tuple(map(float, runs)), exits))
        jobs.append(job)
    return Load(total, tuple(work))


OWNERS = st.fixed_dictionaries(
    {
        "user": st.sampled_from(("ann", "bob")),
        "account": st.sampled_from(("", "physics", "optics")),
        "qos": st.sampled_from(("", "low", "high", "top")),
        "partition": st.sampled_from(("main", "fast")),
        "priority": st.sampled_from((500, 500, 100, 900)),
        "requeue": st.sampled_from((True, True, False)),
    }
)


@st.composite
def shared_loads(draw: st.DrawFn, *, simple: bool = False, most: int = 9) -> Load:
    """As `loads`, of several users, accounts, QOS and partitions."""
    load = draw(loads(simple=simple, most=most))
    owned = (work._replace(job=replace(work.job, **draw(OWNERS))) for work in load.work)
    return Load(load.total, tuple(owned))
