"""What is told of when something starts is what then comes, whatever a site decides by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.policy.explain import bind, explain, explain_suspended
from hpcshell.policy.explanation import Explanation
from hpcshell.policy.view import Unit
from hpcshell.sim.ahead import Ahead
from tests.policy.picture import picture
from tests.policy.test_explain import waiting
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
    world = world_until(site.world(), site.last() + later)
    before = picture(world.view)
    ahead = ahead_of(world, site)
    told = {
        unit: explain(world.view, world.policy, *unit, world.now, others=(), ahead=ahead)
        for unit in waiting(world)
    }
    assert picture(world.view) == before
    since = len(world.restarts)
    world.run()
    for unit, one in told.items():
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


@given(sites(), st.integers(0, 20))
def test_what_is_suspended_goes_on_when_it_is_told(site: Site, later: int) -> None:
    world = world_until(site.world(), site.last() + later)
    ahead = ahead_of(world, site)
    still = {run: claim for run, claim in world.view.claims.items() if run in world.view.waking}
    told = {
        claim: explain_suspended(world.view, world.policy, run, world.now, ahead=ahead)
        for run, claim in still.items()
    }
    since = len(world.resumed)
    world.run()
    went = {(job, index): at for at, job, index in reversed(world.resumed[since:])}
    for claim, one in told.items():
        at = went.get((claim.job, claim.index))
        if at is not None and not one.promised and one.start is not None:
            assert one.start == at
        if at is not None and one.latest is not None:
            assert at <= one.latest.start
