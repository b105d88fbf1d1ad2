"""What is suspended holds no cpus, and goes on at its rank as soon as there is room."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import Claim, Resources, State
from hpcshell.policy.decide import Policy, forecast
from hpcshell.policy.explain import explain, explain_suspended
from hpcshell.policy.preempt import Rights
from hpcshell.policy.regime import Regime
from hpcshell.policy.room import Room, resumed
from tests.policy.made import elements_of, make_job
from tests.policy.pauses import suspend, wake
from tests.policy.workloads import Load, loads
from tests.policy.world import Act, World, same

MACHINE = Resources(cpus=8, memory=100, gpus=2, others={"lic": 3})

claims = st.builds(
    Claim,
    run=st.just(0),
    job=st.just(1),
    index=st.just(-1),
    cpus=st.integers(0, 8),
    memory=st.integers(0, 100),
    gpus=st.sampled_from([(), (0,), (1,), (0, 1)]),
    others=st.sampled_from([{}, {"lic": 2}]),
    exclusive=st.booleans(),
    start=st.just(0.0),
    end=st.none() | st.floats(0, 1e6),
)
times = st.floats(0, 1e6)


# -- what is held -------------------------------------------------------------------------------


@given(st.lists(claims, min_size=1, max_size=4), times, times)
def test_to_resume_undoes_to_suspend(held: list[Claim], at: float, then: float) -> None:
    room = Room(MACHINE)
    for number, claim in enumerate(held):
        room.hold(replace(claim, run=number, gpus=()))
    before = room.free
    for number in range(len(held)):
        room.suspend(number, at)
        lacks = room.to_go_on(number)
        assert room.resources(room.free).memory == room.resources(before).memory
        room.resume(number, then)
        assert room.free == before
        assert not any(room.to_go_on(number))
        assert lacks[2:] == (0,) * len(lacks[2:])
    for number in range(len(held)):
        room.suspend(number, at)
    assert room.free[:2] == room.size[:2]
    for number in range(len(held)):
        room.let_go(number)
    assert room.free == room.size


@given(claims, st.lists(st.tuples(st.floats(0, 1e3), st.floats(-10, 1e3)), max_size=5))
def test_the_end_moves_by_as_long_as_it_stood_still(
    claim: Claim, pauses: list[tuple[float, float]]
) -> None:
    room = Room(MACHINE)
    room.hold(claim)
    still = now = 0.0
    for after, length in pauses:
        now += after
        room.suspend(claim.run, now)
        held = room.resume(claim.run, now + length)
        still += max(0.0, length)
        now += max(0.0, length)
        assert abs(held.paused - still) < 1e-6
        assert (held.end is None) == (claim.end is None)
        if held.end is not None and claim.end is not None:
            assert abs(held.end - held.paused - claim.end) < 1e-3
    assert resumed(claim, 5.0) is claim


# -- who goes on --------------------------------------------------------------------------------


def disturb(world: World, plan: list[tuple[int, bool]]) -> None:
    """Suspend something now and then, for a while or until there is room again."""
    moves = iter(plan)

    def look(world: World) -> None:
        running = [run for run, claim in world.runs.items() if claim.suspended is None]
        which, at_once = next(moves, (-1, False))
        if which < 0 or not running:
            return
        run = running[which % len(running)]
        suspend(world, run)
        if at_once:
            wake(world, run)
            while world.decide_once():
                pass
        else:
            world.at(world.now + which, lambda: _wake(world, run))

    world.watch.append(look)


def _wake(world: World, run: int) -> None:
    if run in world.runs and world.runs[run].suspended is not None:
        wake(world, run)


PLANS = st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=12)


@given(loads(), st.sampled_from((0, 1, 2, None)), PLANS)
def test_nothing_is_over_allocated_and_every_job_ends(
    load: Load, promises: int | None, plan: list[tuple[int, bool]]
) -> None:
    world = load.world(Policy(promises=promises))
    disturb(world, plan)
    world.run()
    assert not world.left
    assert not world.view.claims
    assert not world.view.waking
    assert world.view.free == world.view.total
    for work in load.work:
        for index in elements_of(work.job):
            assert world.tasks[work.job.id, index].state is State.ENDED


def busy(cpus: int = 4, promises: int | None = 1) -> World:
    """A machine on which job 1 has all cpus, and is suspended."""
    world = World(Resources(cpus=cpus, memory=10), Policy(promises=promises))
    world.arrive(make_job(1, cpus=cpus, memory=6, time_limit=100.0), same(Act(50.0)))
    world.tick()
    [run] = world.runs
    suspend(world, run)
    assert world.view.free.cpus == cpus
    assert world.view.free.memory == 4
    return world


def arrive(world: World, number: int, **fields: Any) -> None:
    world.arrive(make_job(number, submit_time=world.now, **fields), same(Act(10.0)))
    world.tick()


def stands_still(world: World) -> bool:
    return world.runs[1].suspended is not None


def test_what_is_not_to_go_on_does_not() -> None:
    world = busy()
    world.tick()
    assert stands_still(world)


def test_it_goes_on_when_others_have_ended() -> None:
    world = busy()
    arrive(world, 2, cpus=2)
    wake(world, 1)
    world.tick()
    assert stands_still(world)
    world.now = 10.0
    world.tick()
    assert not stands_still(world)
    assert world.runs[1].end == 110.0
    assert world.runs[1].paused == 10.0


def test_what_goes_before_it_goes_first() -> None:
    world = busy()
    wake(world, 1)
    arrive(world, 2, cpus=2, priority=900)
    assert 2 in {claim.job for claim in world.runs.values()}
    assert stands_still(world)


def test_what_comes_after_it_does_not_keep_it_from_going_on_for_ever() -> None:
    world = busy()
    arrive(world, 2, cpus=1, time_limit=10.0)
    wake(world, 1)
    for number in range(3, 20):
        arrive(world, number, cpus=1, time_limit=10.0)
        world.now += 1.0
    world.tick()
    assert not stands_still(world), "it waits for one run, and not for all that come"


def test_what_ends_before_it_can_go_on_may_pass_it() -> None:
    world = busy()
    arrive(world, 2, cpus=2, time_limit=20.0)
    wake(world, 1)
    arrive(world, 3, cpus=2, time_limit=20.0)
    assert {claim.job for claim in world.runs.values()} == {1, 2, 3}


def test_its_memory_stays_its_own_and_nobody_knows_until_when() -> None:
    world = busy()
    arrive(world, 2, cpus=1, memory=5, time_limit=1.0)
    assert {claim.job for claim in world.runs.values()} == {1}
    told = explain(world.view, world.policy, 2, -1, world.now)
    assert (told.start, told.promised) == (None, False)
    assert [(blocker.id, blocker.why, blocker.until) for blocker in told.blockers] == [
        (1, "is suspended", None)
    ]
    assert forecast(world.view, world.policy, world.now).promises == {(2, -1): inf}


@pytest.mark.parametrize("promises", [1, 2, None])
def test_it_goes_on_though_what_goes_before_it_waits_for_its_memory(promises: int | None) -> None:
    world = World(Resources(cpus=4, memory=10), Policy(promises=promises))
    world.arrive(make_job(1, cpus=1, memory=6), same(Act(50.0)))
    world.tick()
    suspend(world, 1)
    arrive(world, 2, cpus=4, memory=10, priority=900)
    wake(world, 1)
    world.tick()
    assert not stands_still(world)
    world.run()
    assert not world.left


def test_a_throttle_does_not_count_it_twice() -> None:
    world = World(Resources(cpus=4), Policy())
    world.arrive(make_job(1, cpus=2, array="0-5", throttle=2), same(Act(9.0)))
    world.tick()
    suspend(world, 1)
    wake(world, 1)
    arrive(world, 2, cpus=2, priority=900)
    assert stands_still(world)
    assert sum(claim.job == 1 for claim in world.runs.values()) == 2


# -- what is said of it -------------------------------------------------------------------------


def test_it_is_told_what_keeps_it() -> None:
    world = busy()
    told = explain_suspended(world.view, world.policy, 1, world.now)
    assert told.reason.code == "Suspended"
    assert "hpc resume 1" in told.reason.sentence
    arrive(world, 2, cpus=2, time_limit=20.0)
    wake(world, 1)
    told = explain_suspended(world.view, world.policy, 1, world.now)
    assert (told.reason.code, told.start, told.promised) == ("Resources", 20.0, True)
    assert told.reason.sentence == "it waits for 4 cpus (2 of 4 are free)"
    brief = explain_suspended(world.view, world.policy, 1, world.now, brief=True)
    assert brief.reason == told.reason
    world.now = 10.0
    world.end_run(2, world.ends[2])
    soon = explain_suspended(world.view, world.policy, 1, world.now)
    assert (soon.reason.code, soon.start) == ("None", 10.0)


@pytest.mark.parametrize(("priority", "before"), [(100, []), (950, [1])])
def test_it_keeps_nobody_that_goes_before_it(priority: int, before: list[int]) -> None:
    regime = Regime(rights=Rights(gap=1, modes={"safe": "off"}))
    world = World(Resources(cpus=4), Policy(promises=2), regime)
    world.arrive(make_job(1, cpus=4, time_limit=50.0, priority=priority), same(Act(50.0)))
    world.tick()
    suspend(world, 1)
    qos = "safe" if before else ""
    arrive(world, 2, cpus=4, time_limit=20.0, priority=200, qos=qos)
    wake(world, 1)
    world.arrive(make_job(3, cpus=4, time_limit=5.0, priority=900), same(Act(5.0)))
    told = explain(world.view, world.policy, 3, -1, world.now)
    assert [blocker.id for blocker in told.blockers] == [2, *before]
