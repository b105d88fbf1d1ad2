"""The laws of deciding, over random machines and work."""

from __future__ import annotations

from random import Random
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import NO_INDEX, Resources, State
from hpcshell.policy.decide import Policy, decide, forecast
from hpcshell.policy.profile import Profile
from hpcshell.policy.room import Vector
from hpcshell.policy.view import Unit
from tests.policy.made import elements_of, make_job
from tests.policy.picture import picture
from tests.policy.promised import run_as_promised
from tests.policy.workloads import Load, Work, loads
from tests.policy.world import Act, World, same

PROMISES = st.sampled_from((0, 1, 2, None))


@given(loads(), PROMISES)
def test_nothing_is_over_allocated_and_every_job_ends(load: Load, promises: int | None) -> None:
    world = load.world(Policy(promises=promises)).run()  # checks each start and each instant
    assert not world.left
    assert not world.view.claims
    assert world.view.free == world.view.total
    for work in load.work:
        for index in elements_of(work.job):
            assert world.tasks[work.job.id, index].state is State.ENDED


@given(loads(), PROMISES)
def test_deciding_twice_gives_the_same_and_changes_nothing(
    load: Load, promises: int | None
) -> None:
    policy = Policy(promises=promises)

    def look(world: World) -> None:
        before = picture(world.view)
        first = decide(world.view, policy, world.now)
        forecast(world.view, policy, world.now)
        assert decide(world.view, policy, world.now) == first
        assert picture(world.view) == before

    world = load.world(policy)
    world.watch.append(look)
    world.run()


@given(loads())
def test_once_decided_nothing_more_can_start_at_the_same_instant(load: Load) -> None:
    def look(world: World) -> None:
        assert not decide(world.view, world.policy, world.now).starts

    world = load.world(Policy())
    world.watch.append(look)
    world.run()


@given(loads(simple=True))
def test_easy_never_pushes_back_the_promise_of_the_first_in_line(load: Load) -> None:
    policy = Policy(promises=1)
    promised: dict[Unit, float] = {}

    def look(world: World) -> None:
        for unit, start in forecast(world.view, policy, world.now).promises.items():
            assert start <= promised.get(unit, start)
            promised[unit] = start

    world = load.world(policy)
    world.watch.append(look)
    world.run()
    for unit, start in promised.items():
        assert world.starts[unit] <= start


@given(loads(simple=True), st.sampled_from((2, 3, None)))
def test_no_job_starts_later_than_its_first_promise(load: Load, promises: int | None) -> None:
    world = load.world(Policy(promises=promises))
    run_as_promised(world)


@pytest.mark.parametrize("promises", [1, 2, 3, None])
def test_promises_hold_in_plain_queues_of_many_lengths(promises: int | None) -> None:
    """Runs shorter than their limits make room that a careless plan would give to the wrong job."""
    for seed in range(150):
        random = Random(seed)
        world = World(Resources(cpus=random.randint(2, 6)), Policy(promises=promises))
        at = 0.0
        for number in range(1, random.randint(5, 13)):
            at += random.choice((0, 0, 1, 2))
            limit = random.randint(1, 12)
            act = Act(float(random.randint(1, limit)))
            cpus = random.randint(1, world.view.total.cpus)
            job = make_job(number, submit_time=at, cpus=cpus, time_limit=float(limit))
            world.submit(job, same(act))
        run_as_promised(world)


@given(loads(simple=True), PROMISES)
def test_the_elements_of_an_array_start_when_separate_jobs_would(
    load: Load, promises: int | None
) -> None:
    together = load.world(Policy(promises=promises)).run()
    apart = World(load.total, Policy(promises=promises))
    for job, runs, exits in load.work:
        for index in elements_of(job):
            twin = replace(job, id=job.id * 100 + max(index, 0), array=None)
            script = Work(job, runs, exits).script()
            apart.submit(twin, same(script(index, 1)))
    apart.run()
    for (job_id, index), start in together.starts.items():
        assert apart.starts[job_id * 100 + max(index, 0), NO_INDEX] == start


@pytest.mark.parametrize("seed", [97, 108, 126, 209, 252, 849, 925, 1207, *range(30)])
def test_where_to_look_from_is_a_short_cut_and_no_more(seed: int) -> None:
    """Promises are looked for from where they can be; looking from now on gives the same.

    The seeds that are named are of queues in which a bolder short cut would not.
    """
    random = Random(seed)
    world = few_shapes(random)
    earliest = Profile.earliest

    def from_now_on(
        profile: Profile, limit: float | None, need: Vector | None, since: float = 0.0
    ) -> float | None:
        return earliest(profile, limit, need)

    def look(world: World) -> None:
        plan = forecast(world.view, world.policy, world.now)
        with mock.patch.object(Profile, "earliest", from_now_on):
            assert forecast(world.view, world.policy, world.now) == plan
        world.view.keep(plan.promises)

    world.watch.append(look)
    world.run()


def few_shapes(random: Random) -> World:
    """A queue of few kinds of jobs, so that many are alike."""
    cpus = random.randint(2, 6)
    world = World(Resources(cpus=cpus), Policy(promises=random.choice((None, 2, 3, 5))))
    at = 0.0
    for number in range(1, random.randint(8, 22)):
        at += random.choice((0, 0, 1, 2))
        limit = random.choice((3, 4, 9))
        act = Act(float(random.randint(1, limit)))
        job = make_job(
            number,
            cpus=random.choice((1, 2, cpus)),
            time_limit=float(limit) if random.random() < 0.9 else None,
            priority=random.choice((500, 500, 500, 900)),
            submit_time=at,
        )
        world.submit(job, same(act))
    return world


@pytest.mark.parametrize("depth", [1, 2, 3])
@given(load=loads())
def test_a_short_budget_still_lets_every_job_end(depth: int, load: Load) -> None:
    world = load.world(Policy(depth=depth)).run()
    assert not world.left
