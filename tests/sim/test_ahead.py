"""What is told of when something starts is what then comes, whatever a site decides by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import Array, Resources
from hpcshell.policy.bounds import Bounds
from hpcshell.policy.explain import bind, explain, explain_suspended
from hpcshell.policy.explanation import Explanation
from hpcshell.policy.limits import Limits, Rule, Throttle
from hpcshell.policy.regime import Regime
from hpcshell.policy.view import Unit
from hpcshell.predict.named import foresight_named, learnt_by, taught
from hpcshell.predict.runtimes import Learnt
from hpcshell.sim.ahead import Ahead
from hpcshell.sim.forward import Forward
from hpcshell.sim.lengths import part_of_limit
from tests.policy.made import make_job
from tests.policy.picture import picture
from tests.policy.test_explain import LONG, waiting, world_of
from tests.policy.test_sooner import changed_by, easily_pleased
from tests.policy.ways import Site, sites
from tests.policy.world import World
from tests.sim.queues import snapshot_of, world_until


def ahead_of(world: World, site: Site, enough: Callable[[], bool] = lambda: False) -> Ahead:
    return Ahead(lambda: snapshot_of(world), enough, lambda snapshot: site.way.regime())


class Said(NamedTuple):
    """What was told of an element, when, and how many had started by then."""

    unit: Unit
    told: Explanation
    since: int


def said_of(world: World, site: Site) -> Iterator[Said]:
    """What is told of everything that waits, and held on to as the daemon does."""
    ahead = ahead_of(world, site)
    for unit in waiting(world):
        told = explain(world.view, world.policy, *unit, world.now, others=(), ahead=ahead)
        bind(world.view, world.policy, unit, told, world.now)
        yield Said(unit, told, len(world.restarts))


def start_of(world: World, said: Said) -> float | None:
    """When it then started for the first time."""
    later = (at for at, unit in world.restarts[said.since :] if unit == said.unit)
    return next(later, None)


@given(sites(), st.integers(0, 20))
def test_who_waits_starts_when_it_is_told_if_all_runs_take_their_limits(
    site: Site, later: int
) -> None:
    """Once whatever was promised is held on to."""
    world = world_until(site.world(), site.last() + later)
    list(said_of(world, site))
    before = picture(world.view)
    said = list(said_of(world, site))
    assert picture(world.view) == before
    world.run()
    for unit, one, since in said:
        start = start_of(world, Said(unit, one, since))
        if start is None:
            assert one.start is None
            continue
        if not one.promised and one.start is not None:
            assert one.start == start
        if one.earliest is not None:
            assert one.earliest.start <= start
        if one.latest is not None:
            assert start <= one.latest.start


@given(sites(early=True))
def test_who_is_promised_a_start_has_it_by_then_if_no_run_outlasts_its_limit(site: Site) -> None:
    """Whenever it is told, once nothing new comes in."""
    world = world_until(site.world(), site.last())
    said: list[Said] = []
    world.watch.append(lambda world: said.extend(said_of(world, site)))
    world.tick()
    world.run()
    for one in said:
        if one.told.promised:
            start = start_of(world, one)
            assert start is not None
            assert one.told.start is not None
            assert start <= one.told.start


@given(sites(turns=True), st.integers(0, 9))
def test_what_is_suspended_goes_on_when_it_is_told(site: Site, later: int) -> None:
    world = world_until(site.world(), site.last() + later)
    ahead = ahead_of(world, site)
    still = {run: world.view.claims[run] for run in sorted(world.view.waking)}
    told = {
        (claim.job, claim.index): explain_suspended(
            world.view, world.policy, run, world.now, ahead=ahead
        )
        for run, claim in still.items()
    }
    since = len(world.resumed)
    world.run()
    went = {(job, index): at for at, job, index in reversed(world.resumed[since:])}
    for unit, one in told.items():
        at = went.get(unit)
        if at is not None and not one.promised and one.start is not None:
            assert one.start == at
        if at is not None and one.latest is not None:
            assert at <= one.latest.start


@given(sites(), st.integers(0, 20))
def test_with_the_change_it_starts_when_it_is_told(site: Site, later: int) -> None:
    """And that is sooner."""
    world = world_until(site.world(), site.last() + later)
    with easily_pleased():
        for unit, told, _ in said_of(world, site):
            if told.change is None:
                continue
            assert told.start is None or told.change.start < told.start
            job = changed_by(world.jobs[unit[0]], told.change.options)
            forward = Forward(snapshot_of(world), part_of_limit(1.0, inf), site.way.regime())
            forward.change(job)
            assert forward.play().starts[unit] == told.change.start


# -- single cases ----------------------------------------------------------------------------------


def behind_a_throttle() -> World:
    return world_of(
        make_job(1, cpus=2, time_limit=100.0),
        make_job(2, time_limit=5.0, array=Array(indices="0-9", throttle=1)),
        make_job(3, time_limit=5.0, cpus=2),
    )


def said_by(world: World, job: int, enough: Callable[[], bool] = lambda: False) -> Explanation:
    ahead = Ahead(lambda: snapshot_of(world), enough, lambda snapshot: Regime())
    return explain(world.view, world.policy, job, -1, world.now, others=(), ahead=ahead)


def test_what_a_throttle_holds_back_counts_in_an_estimate() -> None:
    said = said_by(behind_a_throttle(), 3)
    assert not said.promised
    assert said.latest is not None
    assert said.start == said.latest.start == 150.0
    assert "played forward" in said.why


def test_it_is_said_when_there_was_no_time_to_play_it_forward() -> None:
    said = said_by(behind_a_throttle(), 3, enough=lambda: True)
    assert "no more time" in said.why


def test_it_is_said_when_it_stands_too_far_back_to_be_played() -> None:
    world = behind_a_throttle()
    few = replace(snapshot_of(world), jobs=snapshot_of(world).jobs[:2], left_out=1)
    ahead = Ahead(lambda: few, lambda: False, lambda snapshot: Regime())
    told = explain(world.view, world.policy, 3, -1, world.now, ahead=ahead)
    assert "only the first 2 jobs in line" in told.why
    near = explain(world.view, world.policy, 2, 1, world.now, ahead=ahead)
    assert near.start == 105.0
    assert "only the first 2 jobs in line" in near.why


def test_what_a_limit_keeps_is_given_an_interval() -> None:
    rule = Rule(kind="user", name="u", limits=Limits(max_running_jobs=1))
    regime = Regime(bounds=Bounds(Throttle([rule])))
    world = World(Resources(cpus=4), regime=regime)
    for number in (1, 2):
        world.arrive(make_job(number, time_limit=60.0), LONG)
    world.tick()
    ahead = Ahead(
        lambda: snapshot_of(world),
        lambda: False,
        lambda snapshot: Regime(bounds=Bounds(Throttle([rule]))),
    )
    said = explain(world.view, world.policy, 2, -1, world.now, others=(), ahead=ahead)
    assert said.reason.code == "AssocMaxJobsLimit"
    assert said.earliest is not None
    assert said.latest is not None
    assert (said.earliest.start, said.start, said.latest.start) == (0.0, 60.0, 60.0)


@pytest.mark.parametrize("name", ["last2", "ratio", "median", "shrunk"])
def test_what_was_learnt_can_be_taught(name: str) -> None:
    first = foresight_named(name)
    assert first is not None
    jobs = [make_job(n, cpus=1 + n % 2, time_limit=60.0 * (1 + n % 3)) for n in range(1, 9)]
    jobs.append(make_job(9))
    for job in jobs:
        first.ended(job, job.request, 7.0 * job.id)
    rows = msgspec.json.decode(msgspec.json.encode(learnt_by(first)), type=Learnt)
    other = taught(name, rows)
    assert other is not None
    blank = foresight_named(name)
    assert blank is not None
    told = [first.typical(job, job.request) for job in jobs]
    assert [other.typical(job, job.request) for job in jobs] == told
    assert [blank.typical(job, job.request) for job in jobs] != told
    for one in (first, other):
        one.ended(jobs[0], jobs[0].request, 3.0)
    assert first.length(jobs[0], jobs[0].request) == other.length(jobs[0], jobs[0].request)
