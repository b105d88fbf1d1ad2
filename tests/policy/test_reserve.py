"""The laws of reservations, over random machines, work and reservations; and what is refused."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.errors import HpcError
from hpcshell.core.records import Request, Resources
from hpcshell.policy.booking import admit_into, check_reservation
from hpcshell.policy.decide import Policy, decide, forecast
from hpcshell.policy.explain import explain
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.room import fits, minus, plus
from tests.policy.made import make_job
from tests.policy.test_laws import PROMISES, remember_promises
from tests.policy.workloads import Draw, Load, draw_request, loads
from tests.policy.world import Act, World, same

NAMES = ("r1", "r2", "r3")


class Site(NamedTuple):
    """A load, the reservations that are made, and when each is made."""

    load: Load
    made: tuple[tuple[float, Reservation], ...]

    def world(self, policy: Policy) -> World:
        world = self.load.world(policy)
        for at, reservation in self.made:
            world.at(at, lambda one=reservation: reserve(world, one), order=0)
        return world


def reserve(world: World, one: Reservation) -> bool:
    """Make it, if it may be made; whether it was."""
    try:
        check_reservation(one, world.view.book, world.view.room, world.now)
    except HpcError:
        return False
    world.view.reserve(one)
    return True


def draw_reservation(draw: Draw, name: str, total: Resources, made: float) -> Reservation:
    asked = draw_request(draw, total, limits=False)
    asked.pop("time_limit", None)
    start = made + draw(st.sampled_from((0.0, 1.0, 4.0, 9.0)))
    return Reservation(
        name=name,
        start=start,
        end=start + draw(st.integers(1, 20)),
        request=Request(**asked),
        users=draw(st.sampled_from((("u",), ("u",), ()))),
        flex=draw(st.booleans()),
        idle=draw(st.sampled_from((None, None, 2.0, 5.0))),
    )


@st.composite
def sites(draw: st.DrawFn, *, from_the_start: bool = False) -> Site:
    """`from_the_start`: all reservations are made before anything runs, and kept to the end."""
    load = draw(loads(simple=True))
    made = []
    for name in NAMES[: draw(st.integers(1, 3))]:
        at = 0.0 if from_the_start else float(draw(st.sampled_from((0, 0, 2, 5, 11))))
        one = draw_reservation(draw, name, load.total, at)
        made.append((at, replace(one, idle=None) if from_the_start else one))
    pools = ("", "", *(one.name for _, one in made if one.users))
    work = [
        each._replace(job=replace(each.job, reservation=draw(st.sampled_from(pools))))
        for each in load.work
    ]
    return Site(load._replace(work=tuple(work)), tuple(made))


def test_what_is_set_apart_is_left_alone(site: Site | None = None) -> None:
    """Kept as a name for the law below: see `check_apart`."""
    world = World(Resources(cpus=4))
    reserve(world, Reservation(name="r1", start=0.0, end=9.0, request=Request(cpus=3)))
    world.submit(make_job(1, cpus=2, time_limit=1.0), same(Act(1.0)))
    world.run()
    assert world.starts == {(1, -1): 9.0}


def check_apart(world: World) -> None:
    """Who is in a reservation holds no more than that sets apart; who is not, and began after it
    was made, nothing of it."""
    view = world.view
    opened = [one for one in view.book.known.values() if one.start <= world.now]
    apart = tuple(0 for _ in view.room.size)
    for one in opened:
        apart = plus(apart, view.book.amount(one))
        inside = tuple(0 for _ in view.room.size)
        for run, claim in view.claims.items():
            if claim.reservation == one.name:
                inside = plus(inside, view.room.held(run))
        assert fits(inside[1:], view.book.amount(one)[1:])
    if not opened:
        return
    last = max(made_at(world, one.name) for one in opened)
    for run, claim in view.claims.items():
        if claim.reservation not in view.book.known and claim.start >= last:
            apart = plus(apart, view.room.held(run))
    assert fits(apart[1:], view.room.size[1:])


def made_at(world: World, name: str) -> float:
    return next(at for at, one in world.site.made if one.name == name)  # type: ignore[attr-defined]


@given(sites(), PROMISES)
def test_what_is_set_apart_is_for_those_who_may_use_it_alone(
    site: Site, promises: int | None
) -> None:
    world = site.world(Policy(promises=promises))
    world.site = site  # type: ignore[attr-defined]
    world.watch.append(check_apart)
    world.run()  # checks, too, that nothing is over-allocated and no GPU is held twice
    assert not world.view.claims
    assert world.view.free == world.view.total
    assert not world.view.book.known


@given(sites(), PROMISES)
def test_every_job_ends_unless_its_reservation_is_over(site: Site, promises: int | None) -> None:
    world = site.world(Policy(promises=promises)).run()
    for job in world.left:
        assert world.jobs[job].reservation
        told = explain(world.view, world.policy, job, -1, world.now)
        assert told.reason.code == "ReservationDeleted"


@given(sites(), PROMISES)
def test_jobs_with_limits_never_run_into_a_reservation_that_is_to_come(
    site: Site, promises: int | None
) -> None:
    """Whoever began after it was made has ended when it begins, or leaves it what it needs."""

    def look(world: World) -> None:
        view = world.view
        for one in view.book.known.values():
            if one.start <= world.now:
                continue
            later = tuple(0 for _ in view.room.size)
            for run, claim in view.claims.items():
                runs_into = claim.end is not None and claim.end > one.start
                if runs_into and claim.start >= made_at(world, one.name):
                    later = plus(later, view.room.held(run))
            assert fits(plus(later, view.book.amount(one))[1:], view.room.size[1:])

    world = site.world(Policy(promises=promises))
    world.site = site  # type: ignore[attr-defined]
    world.watch.append(look)
    world.run()


@given(sites(from_the_start=True), st.sampled_from((1, 2, 3, None)))
def test_no_job_starts_later_than_its_first_promise(site: Site, promises: int | None) -> None:
    world = site.world(Policy(promises=promises))
    first = remember_promises(world)
    world.run()
    for unit, start in first.items():
        if unit in world.starts:
            assert world.starts[unit] <= start


@given(sites(), PROMISES)
def test_deciding_twice_gives_the_same_and_starts_nothing_more(
    site: Site, promises: int | None
) -> None:
    def look(world: World) -> None:
        assert not decide(world.view, world.policy, world.now).starts
        before = forecast(world.view, world.policy, world.now)
        assert forecast(world.view, world.policy, world.now) == before

    world = site.world(Policy(promises=promises))
    world.watch.append(look)
    world.run()


@given(sites(from_the_start=True))
def test_who_is_first_in_line_is_promised_no_later_start_without_reservations(site: Site) -> None:
    """That is so for the first in line alone. Those behind it may start later when a reservation is
    removed, as they may when the machine grows: others may now pass them."""

    def look(world: World) -> None:
        view = world.view
        before = forecast(view, world.policy, world.now).promises
        kept = dict(view.book.known)
        for name in kept:
            view.book.drop(name)
        after = forecast(view, world.policy, world.now)
        started = {(start.job, start.index) for start in after.starts}
        for one in kept.values():
            view.book.add(one)
        for unit, start in before.items():
            if not world.jobs[unit[0]].reservation and unit not in started:
                assert after.promises[unit] <= start

    world = site.world(Policy(promises=1))
    world.watch.append(look)
    world.run()


@given(sites(), PROMISES)
def test_every_reason_has_its_figures_and_brief_ones_agree(
    site: Site, promises: int | None
) -> None:
    def look(world: World) -> None:
        for job in world.left:
            for brief in (True, False):
                told = explain(world.view, world.policy, job, -1, world.now, brief=brief)
                assert told.reason.sentence

    world = site.world(Policy(promises=promises))
    world.watch.append(look)
    world.run()
