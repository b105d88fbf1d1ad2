"""Whole sites for tests: work, and every way to decide about it at once."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.errors import HpcError
from hpcshell.core.records import Request
from hpcshell.policy.booking import check_reservation
from hpcshell.policy.bounds import Bounds
from hpcshell.policy.decide import Policy
from hpcshell.policy.formulas import ORDERS
from hpcshell.policy.limits import Limits, Rule, Throttle
from hpcshell.policy.preempt import Rights
from hpcshell.policy.ranks import SHORT_STEP, STEP, stepped
from hpcshell.policy.regime import Regime
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.sharing import Sharing
from tests.policy.pauses import suspend, wake
from tests.policy.regimes import FILLS, policies, rank_of
from tests.policy.workloads import Load, Work, draw_request, shared_loads
from tests.policy.world import World
from tests.sim.queues import load_to_limits

few = st.none() | st.integers(1, 2)
RULES = st.lists(
    st.builds(
        Rule,
        kind=st.just("user"),
        name=st.sampled_from(("ann", "bob")),
        limits=st.builds(Limits, max_running_jobs=few, max_cpus=st.none() | st.integers(2, 6)),
    )
    | st.builds(
        Rule,
        kind=st.just("qos"),
        name=st.sampled_from(("low", "high")),
        each=st.sampled_from(("", "user")),
        limits=st.builds(Limits, max_running_jobs=few),
    ),
    max_size=3,
    unique_by=lambda rule: (rule.kind, rule.name, rule.each),
)
RIGHTS = st.builds(
    Rights,
    qos=st.sampled_from(({}, {"high": ("low",)}, {"high": ("low", ""), "top": ("high",)})),
    tiers=st.sampled_from(({}, {"main": 0, "fast": 1})),
    mode=st.sampled_from(("suspend", "requeue", "cancel")),
    exempt=st.sampled_from((0.0, 2.0)),
)


class Way(NamedTuple):
    """How a site decides. Each `regime` made of it counts by itself."""

    policy: Policy
    order: str
    fill: int
    rules: tuple[Rule, ...]
    rights: Rights | None
    sharing: Sharing | None
    reservations: tuple[Reservation, ...]
    pauses: tuple[tuple[float, float], ...]

    def regime(self) -> Regime:
        """One that nothing has been told."""
        made = Regime(fill=FILLS[self.fill], rights=self.rights, sharing=self.sharing)
        if self.order:
            made = made._replace(rank=rank_of(self.order), timely=ORDERS[self.order].ages)
        if self.rights is not None:
            size = STEP if self.sharing is None else SHORT_STEP
            rank = stepped(made.rank, partial(_step, self.rights), size)
            made = made._replace(rank=rank)
        return made._replace(bounds=Bounds(Throttle(self.rules)) if self.rules else None)

    def quiet(self) -> bool:
        """Whether whoever runs is left alone."""
        return self.rights is None and self.sharing is None and not self.pauses


def _step(rights: Rights, job: object) -> int:
    """Those go first that may preempt the others."""
    qos, partition = getattr(job, "qos"), getattr(job, "partition")  # noqa: B009
    depth = {"high": 1, "top": 2}.get(qos, 0) if rights.qos else 0
    return rights.tiers.get(partition, 0) * 3 + depth


class Site(NamedTuple):
    """Work, whose runs all succeed and keep their time limits, and how it is decided about."""

    load: Load
    way: Way

    def last(self) -> float:
        """When all that comes from outside has come."""
        came = [work.job.submit_time for work in self.load.work]
        return max([*came, *(at + length for at, length in self.way.pauses)])

    def world(self) -> World:
        """It, before anything has happened."""
        way = self.way
        world = self.load.world(way.policy, way.regime())
        for one in way.reservations:
            world.at(0.0, partial(_reserve, world, one), order=0)
        for at, length in way.pauses:
            world.at(at, partial(_pause, world, length))
        return world


def _reserve(world: World, one: Reservation) -> None:
    try:
        check_reservation(one, world.view.book, world.view.room, world.now)
    except HpcError:
        return
    world.view.reserve(one)


def _pause(world: World, length: float) -> None:
    """The last that began stands still, and is to go on later."""
    running = [run for run, claim in world.runs.items() if claim.suspended is None]
    if running:
        suspend(world, running[-1])
        wake_later = partial(_wake, world, running[-1])
        world.at(world.now + length, wake_later)


def _wake(world: World, run: int) -> None:
    if run in world.runs and world.runs[run].suspended is not None:
        wake(world, run)


@st.composite
def ways(draw: st.DrawFn, load: Load, turns: bool) -> Way:
    """Anything that goes together; `turns`: jobs take turns, whatever else."""
    rare = st.sampled_from((False, False, True))
    rules = tuple(draw(RULES)) if draw(rare) else ()
    rights = draw(RIGHTS) if draw(rare) else None
    sharing = None
    order = draw(st.sampled_from(("", *ORDERS)))
    if turns or draw(rare):  # they take turns in the order of priorities alone
        sharing, order = Sharing(slice=draw(st.sampled_from((2.0, 5.0))), partitions=("main",)), ""
    booked = []
    if draw(rare):
        asked = draw_request(draw, load.total, limits=False, shares=False)
        asked.pop("time_limit", None)
        start = draw(st.sampled_from((0.0, 2.0, 6.0)))
        booked.append(
            Reservation(
                name="r",
                start=start,
                end=start + draw(st.sampled_from((3.0, 12.0))),
                request=Request(**asked),
                users=("ann",),
                flex=draw(st.booleans()),
            )
        )
    pauses: tuple[tuple[float, float], ...] = ()
    if draw(rare):
        pauses = ((draw(st.sampled_from((1.0, 3.0))), draw(st.sampled_from((0.0, 2.0)))),)
    return Way(
        policy=_configured(draw(policies)),
        order=order,
        fill=draw(st.integers(0, len(FILLS) - 1)),
        rules=rules,
        rights=rights,
        sharing=sharing,
        reservations=tuple(booked),
        pauses=pauses,
    )


def _configured(policy: Policy) -> Policy:
    """As a configuration can ask for it: where nobody may pass the first in line, it alone is
    promised a start."""
    return policy if policy.backfill else replace(policy, promises=1)


@st.composite
def sites(draw: st.DrawFn, *, early: bool = False, turns: bool = False) -> Site:
    """All runs take their time limits or, `early`, part of them. `turns`: as in `ways`."""
    load = draw(shared_loads(most=7))
    way = draw(ways(load, turns))
    timed = way.sharing is not None or draw(st.sampled_from((True, True, False)))
    inside = st.sampled_from((False, False, True)) if way.reservations else st.just(False)
    work = []
    for one in load.work:
        job = one.job if way.quiet() else replace(one.job, deadline=None)
        if timed and job.request.time_limit is None:  # else there may be too many slices
            job = replace(job, request=replace(job.request, time_limit=9.0))
        if draw(inside):
            job = replace(job, reservation="r")
        work.append(one._replace(job=job))
    load = load_to_limits(load._replace(work=tuple(work)))
    if early:
        load = load._replace(work=tuple(_early(draw, one) for one in load.work))
    return Site(load, way)


def _early(draw: st.DrawFn, work: Work) -> Work:
    (limit,) = work.runs
    parts = draw(st.lists(st.sampled_from((1.0, 1.0, 0.5, 0.0)), min_size=1, max_size=3))
    return work._replace(runs=tuple(max(1.0, limit * part) for part in parts))
