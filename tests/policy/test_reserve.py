"""The laws of reservations, over random machines, work and reservations; and what is refused."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

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
from hpcshell.policy.room import fits, plus
from hpcshell.policy.view import Unit
from tests.policy.apart import check_apart, make, reserve
from tests.policy.made import make_job
from tests.policy.promised import run_as_promised
from tests.policy.test_laws import PROMISES
from tests.policy.workloads import Draw, Load, draw_request, loads
from tests.policy.world import Act, World, same

NAMES = ("r1", "r2", "r3")
LONG = 1000
"""Seconds in which all work of a load can be done, one after the other."""


class Site(NamedTuple):
    """A load, the reservations that are made, and when each is made."""

    load: Load
    made: tuple[tuple[float, Reservation], ...]

    def world(self, policy: Policy) -> World:
        world = self.load.world(policy)
        for at, reservation in self.made:
            world.at(at, partial(make, world, reservation), order=0)
        return world


def draw_reservation(draw: Draw, name: str, total: Resources, made: float) -> Reservation:
    asked = draw_request(draw, total, limits=False, shares=False)
    asked.pop("time_limit", None)
    start = made + draw(st.sampled_from((0.0, 1.0, 4.0, 9.0)))
    return Reservation(
        name=name,
        start=start,
        end=start + draw(st.sampled_from((1, 3, 6, 12, 20, LONG))),
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


@given(sites(), PROMISES)
def test_what_is_set_apart_is_for_those_who_may_use_it_alone(
    site: Site, promises: int | None
) -> None:
    world = site.world(Policy(promises=promises))
    world.watch.append(partial(check_apart, {one.name: at for at, one in site.made}))
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
    made = {one.name: at for at, one in site.made}

    def look(world: World) -> None:
        view = world.view
        for one in view.book.known.values():
            if one.start <= world.now:
                continue
            later = tuple(0 for _ in view.room.size)
            for run, claim in view.claims.items():
                runs_into = claim.end is not None and claim.end > one.start
                if runs_into and claim.start >= made[one.name]:
                    later = plus(later, view.room.held[run])
            assert fits(plus(later, view.book.amount(one))[1:], view.room.size[1:])

    world = site.world(Policy(promises=promises))
    world.watch.append(look)
    world.run()


@given(sites(from_the_start=True), st.sampled_from((1, 2, 3, None)))
def test_no_job_starts_later_than_its_first_promise(site: Site, promises: int | None) -> None:
    """In a reservation that is too short for all who want to run in it, some have no promise, and
    take their turn when others end early: what goes behind them is promised nothing certain."""
    ends = {one.name: one.end - one.start for _, one in site.made}
    world = site.world(Policy(promises=promises))

    def counts(unit: Unit) -> bool:
        return ends.get(world.jobs[unit[0]].reservation, LONG) == LONG

    run_as_promised(world, counts)


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


# -- one by one ------------------------------------------------------------------------------------


def world_of(cpus: int = 8, gpus: int = 0, **policy: object) -> World:
    return World(Resources(cpus=cpus, gpus=gpus), Policy(**policy))  # type: ignore[arg-type]


def apart(name: str = "r", **fields: object) -> Reservation:
    asked = {key: fields.pop(key) for key in ("cpus", "gpus", "exclusive") if key in fields}
    if "cpus" not in asked:
        asked["cpus"] = 0 if "exclusive" in asked else 4
    base = {"start": 10.0, "end": 20.0, "request": Request(**asked), "users": ("u",)}  # type: ignore[arg-type]
    return Reservation(name=name, **{**base, **fields})  # type: ignore[arg-type]


MAINTENANCE = apart("maint", exclusive=True, users=())


def told(world: World, job: int) -> tuple[str, str]:
    """The reason of a job, which is the same in brief."""
    told = explain(world.view, world.policy, job, -1, world.now)
    brief = explain(world.view, world.policy, job, -1, world.now, brief=True)
    assert brief.reason == told.reason
    return told.reason.code, told.reason.sentence


def arrive(world: World, number: int, **fields: Any) -> None:
    world.arrive(make_job(number, **fields), same(Act(1.0)))


def test_a_job_that_would_run_into_maintenance_says_so_and_is_promised_its_end() -> None:
    world = world_of()
    reserve(world, MAINTENANCE)
    arrive(world, 1, cpus=2, time_limit=11.0)
    explained = explain(world.view, world.policy, 1, -1, 0.0)
    assert explained.reason.code == "Reservation"
    assert explained.reason.sentence == (
        "it would run into reservation maint (the whole machine), which begins in 10s and lasts 10s"
    )
    assert (explained.start, explained.promised) == (20.0, True)
    assert told(world, 1)[0] == "Reservation"
    arrive(world, 2, cpus=2, time_limit=10.0)
    assert [start.job for start in decide(world.view, world.policy, 0.0).starts] == [2]


def test_a_job_without_a_limit_waits_for_whatever_is_to_come() -> None:
    world = world_of()
    reserve(world, apart(cpus=8, users=()))
    arrive(world, 1)
    assert not decide(world.view, world.policy, 0.0).starts
    assert told(world, 1)[1].startswith("it would run into reservation r (8 cpus)")


def test_it_says_when_its_own_reservation_begins_and_what_is_free_of_it() -> None:
    world = world_of()
    reserve(world, apart())
    arrive(world, 1, cpus=2, time_limit=5.0, reservation="r")
    assert told(world, 1) == ("Reservation", "reservation r begins in 10s")
    assert explain(world.view, world.policy, 1, -1, 0.0).start == 10.0
    arrive(world, 2, cpus=4, time_limit=5.0, reservation="r")
    world.now = 10.0
    world.view.advance(10.0)
    world.decide_once()
    assert world.starts == {(1, -1): 10.0}
    assert told(world, 2) == (
        "Reservation",
        "it waits for 4 cpus (2 of 4 are free) in reservation r",
    )


def test_what_is_set_apart_now_is_named_to_those_who_lack_it() -> None:
    world = world_of()
    reserve(world, apart(start=0.0))
    arrive(world, 1, cpus=6, time_limit=5.0)
    assert told(world, 1) == (
        "Reservation",
        "what it needs is set apart by reservation r (4 cpus), which ends in 20s",
    )
    assert explain(world.view, world.policy, 1, -1, 0.0).start == 20.0


def test_a_reservation_that_is_gone_or_was_never_made_is_named() -> None:
    world = world_of()
    arrive(world, 1, time_limit=5.0, reservation="r")
    assert told(world, 1) == ("ReservationDeleted", "there is no reservation r, or it is over")
    assert "hpc edit 1 --reservation none" in explain(world.view, world.policy, 1, -1, 0.0).advice


def test_a_job_too_long_or_too_large_for_its_reservation_says_so() -> None:
    world = world_of()
    reserve(world, apart())
    arrive(world, 1, cpus=5, time_limit=5.0, reservation="r")
    arrive(world, 2, cpus=4, time_limit=11.0, reservation="r")
    arrive(world, 3, cpus=4, reservation="r")
    assert "and reservation r sets apart 4 cpus" in told(world, 1)[1]
    assert told(world, 2)[1] == "it may run for 11s, and reservation r leaves it 10s"
    assert told(world, 3)[1] == "it has no time limit, and reservation r ends in 20s"


def test_a_closed_machine_starts_nothing_and_says_why() -> None:
    world = world_of()
    world.view.closed = "it is drained (new disk)"
    arrive(world, 1)
    assert not decide(world.view, world.policy, 0.0).starts
    assert told(world, 1) == (
        "Drained",
        "nothing new starts on this machine: it is drained (new disk)",
    )
    assert explain(world.view, world.policy, 1, -1, 0.0).why == (
        "it starts some time after: hpc node resume"
    )


def test_what_is_suspended_goes_on_though_the_machine_is_closed() -> None:
    world = world_of()
    arrive(world, 1, cpus=8)
    world.decide_once()
    world.view.suspend(1, 0.0)
    world.view.wake(1)
    world.view.closed = "it is drained"
    assert decide(world.view, world.policy, 0.0).resumes == [1]


def test_two_open_reservations_never_give_the_same_gpu() -> None:
    world = world_of(cpus=8, gpus=4)
    for name in ("a", "b"):
        assert reserve(world, apart(name, cpus=2, gpus=2, start=0.0))
    for number, name in enumerate(("a", "b"), 1):
        arrive(world, number, cpus=1, gpus=2, time_limit=5.0, reservation=name)
    starts = decide(world.view, world.policy, 0.0).starts
    assert sorted(gpu for start in starts for gpu in start.gpus) == [0, 1, 2, 3]


def test_what_runs_on_in_two_reservations_is_not_given_twice() -> None:
    world = world_of(cpus=8)
    arrive(world, 9, cpus=4)  # without a limit, and before either was made
    world.decide_once()
    for name in ("a", "b"):
        assert reserve(world, apart(name, start=0.0))
    for number, name in enumerate(("a", "b"), 1):
        arrive(world, number, cpus=4, time_limit=5.0, reservation=name)
    plan = decide(world.view, world.policy, 0.0)
    assert [start.job for start in plan.starts] == [1], "the one that was made first"


def test_nobody_who_runs_is_stopped_when_a_reservation_begins() -> None:
    world = world_of(cpus=8)
    world.submit(make_job(1, cpus=8, time_limit=15.0), same(Act(15.0)))
    world.at(1.0, partial(make, world, MAINTENANCE))
    world.submit(make_job(2, cpus=8, time_limit=1.0), same(Act(1.0)))
    world.run()
    assert world.starts == {(1, -1): 0.0, (2, -1): 20.0}


def test_a_flexible_one_lets_its_jobs_run_outside_behind_all_others() -> None:
    world = world_of(cpus=8)
    reserve(world, apart(flex=True))
    arrive(world, 1, cpus=4, time_limit=5.0, reservation="r")
    arrive(world, 2, cpus=8, time_limit=9.0)
    starts = decide(world.view, world.policy, 0.0).starts
    assert [(start.job, start.reservation) for start in starts] == [(2, "")]
    world.decide_once()
    world.now = 1.0
    assert [unit[0] for unit in world.starts] == [2]
    arrive(world, 3, cpus=4, time_limit=50.0, reservation="r")  # longer than the reservation
    world.run()
    assert world.starts[1, -1] <= 10.0
    assert 3 not in world.left


def test_nobody_uses_it_and_it_is_let_go() -> None:
    world = world_of(cpus=8)
    reserve(world, apart(cpus=8, start=0.0, end=100.0, idle=5.0))
    world.submit(make_job(1, cpus=1, time_limit=3.0, reservation="r"), same(Act(3.0)))
    world.submit(make_job(2, cpus=8, time_limit=1.0), same(Act(1.0)))
    world.run()
    assert world.starts == {(1, -1): 0.0, (2, -1): 8.0}
    assert [(one.name, why) for one, why in world.view.book.lapsed] == [("r", "nobody has used it")]


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (apart(start=-300.0), "it would have begun 5m ago"),
        (apart(start=-500.0, end=-100.0), "it would have ended 1m 40s ago"),
        (apart(cpus=9), "it sets apart 9 cpus; this machine has 8 cpus"),
        (apart(cpus=2, gpus=3), "it sets apart 3 gpus; this machine has 1 gpu"),
        (apart(cpus=0), "it sets apart no cpus"),
        (apart(cpus=0, users=()), "it sets nothing apart"),
        (apart(end=10.5), "lasts less than a second"),
        (apart(idle=0.2), "nobody can use it within 0.2 s"),
        (apart(request=Request(cpus=1, others={"lic": 1})), "this machine has no 'lic'"),
        (
            apart("b", cpus=5, start=15.0, end=25.0),
            "would overlap with reservation a: together they would set apart 9 cpus, and this "
            "machine has 8 cpus",
        ),
        (apart("b", exclusive=True, start=0.0), "one of them is for the whole machine"),
    ],
)
def test_what_cannot_be_set_apart_is_refused_with_figures(one: Reservation, said: str) -> None:
    world = world_of(cpus=8, gpus=1)
    reserve(world, apart("a"))
    with pytest.raises(HpcError) as found:
        check_reservation(one, world.view.book, world.view.room, 0.0)
    assert said in found.value.message
    assert found.value.hint


@pytest.mark.parametrize(("start", "end"), [(5.0, 5.0), (5.0, 4.0), (0.0, float("inf"))])
def test_an_end_that_is_none_is_refused_when_the_record_is_made(start: float, end: float) -> None:
    with pytest.raises(HpcError, match="ends before it starts"):
        apart(start=start, end=end)


def test_those_that_touch_or_fit_beside_each_other_are_allowed_and_one_may_replace_itself() -> None:
    world = world_of(cpus=8)
    assert reserve(world, apart("a"))
    assert reserve(world, apart("b"))
    assert reserve(world, apart("c", exclusive=True, start=20.0, end=30.0))
    assert reserve(world, apart("a", cpus=3))
    assert not reserve(world, apart("d", cpus=2))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"reservation": "x"}, "there is no reservation 'x'"),
        ({"user": "v"}, "reservation r is not for v: it is for user u and account a"),
        ({"user": "v", "account": "b"}, "is not for v in account 'b'"),
        ({"cpus": 5}, "asks for 5 cpus; reservation r sets apart 4 cpus"),
        ({"exclusive": True}, "asks for the whole machine; reservation r sets apart 4 cpus"),
        ({"time_limit": 11.0}, "asks for 11s; reservation r leaves it 10s"),
        ({"time_limit": None}, "has no time limit; reservation r leaves it 10s"),
        ({"time_limit": 5.0, "begin": 16.0}, "asks for 5s; reservation r leaves it 4s"),
        ({"begin": 20.0}, "reservation r ends before it may begin"),
    ],
)
def test_a_job_that_may_not_or_cannot_run_in_it_is_refused(
    asked: dict[str, Any], said: str
) -> None:
    world = world_of(cpus=8)
    reserve(world, apart(accounts=("a",)))
    job = make_job(1, **{"cpus": 4, "time_limit": 10.0, "reservation": "r", **asked})
    with pytest.raises(HpcError) as found:
        admit_into(job, world.view.book, world.view.room, 0.0)
    assert said in found.value.message


def test_users_and_accounts_are_let_in_and_flexible_ones_ask_for_no_more() -> None:
    world = world_of(cpus=8)
    reserve(world, apart(accounts=("a",), flex=True))
    for asked in ({}, {"user": "v", "account": "a"}, {"cpus": 8}, {"time_limit": 99.0}):
        job = make_job(1, **{"cpus": 4, "reservation": "r", **asked})  # type: ignore[arg-type]
        admit_into(job, world.view.book, world.view.room, 0.0)
