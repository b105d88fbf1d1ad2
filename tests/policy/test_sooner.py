"""The interval in which something starts, and what would start it sooner, are true."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import Job, Resources
from hpcshell.policy import sooner as sooner_module
from hpcshell.policy.decide import Policy
from hpcshell.policy.explain import explain
from hpcshell.policy.explanation import Explanation
from hpcshell.policy.reasons import span
from hpcshell.policy.rehearsal import Stage
from hpcshell.policy.sooner import LIMITS, Variant, variants
from hpcshell.policy.view import Unit
from hpcshell.sim.forward import Forward
from hpcshell.sim.lengths import part_of_limit
from tests.policy.made import make_job
from tests.policy.picture import picture
from tests.policy.test_explain import again, waiting, world_of
from tests.policy.workloads import Load, loads
from tests.policy.world import World
from tests.sim.queues import load_to_limits, snapshot_of

PROMISES = st.sampled_from((0, 1, 2, None))


def told(world: World, job: int, index: int = -1, others: tuple[Variant, ...] = ()) -> Explanation:
    return explain(world.view, world.policy, job, index, world.now, others=others)


def ready(world: World) -> Iterator[Unit]:
    """What stands in line; of the elements of an array the first."""
    for unit in waiting(world):
        entry = world.view.entry(unit[0])
        assert entry is not None
        first = next(entry.elements(), None)
        if world.view.queue.standing(*unit) is not None and unit[1] == first:
            yield unit


# -- laws ------------------------------------------------------------------------------------------


@given(loads(), PROMISES)
def test_a_stage_tells_what_the_whole_view_tells(load: Load, promises: int | None) -> None:
    def look(world: World) -> None:
        for unit in ready(world):
            said = explain(world.view, world.policy, *unit, world.now)
            if said.reason.code in ("None", "ArrayTaskLimit", "TooLarge"):
                continue
            stage = Stage.of(world.view, unit, world.now, most=100)
            assert stage is not None
            start = stage.start(world.policy, world.now)
            assert said.start == (None if start in (None, inf) else start)

    world = load.world(Policy(promises=promises))
    world.watch.append(look)
    world.run()


@given(loads(), PROMISES)
def test_what_is_told_lies_in_its_interval_and_asking_changes_nothing(
    load: Load, promises: int | None
) -> None:
    def look(world: World) -> None:
        before = picture(world.view)
        for unit in waiting(world):
            said = told(world, *unit)
            if said.start is not None and said.earliest is not None:
                assert world.now <= said.earliest.start <= said.start
                assert said.earliest.why
            if said.latest is not None:
                assert said.latest.start == said.start
        assert picture(world.view) == before

    world = load.world(Policy(promises=promises))
    world.watch.append(look)
    world.run()


@given(loads(simple=True))
def test_what_is_told_is_when_it_starts_if_all_runs_take_their_limits(load: Load) -> None:
    """Keeping all promises: then nothing that comes later is in the way."""

    def look(world: World) -> None:
        starts = Forward(snapshot_of(world), part_of_limit()).play().starts
        for unit in ready(world):
            said = told(world, *unit)
            if said.start is not None:
                assert starts[unit] == said.start

    world = load_to_limits(load).world(Policy(promises=None))
    world.watch.append(look)
    world.run()


@given(loads(simple=True))
def test_who_is_promised_a_start_has_it_by_then_if_all_runs_take_their_limits(load: Load) -> None:
    def look(world: World) -> None:
        starts = Forward(snapshot_of(world), part_of_limit()).play().starts
        for unit in ready(world):
            said = told(world, *unit)
            if said.promised and said.start is not None:
                assert starts[unit] <= said.start

    world = load_to_limits(load).world(Policy(promises=1))
    world.watch.append(look)
    world.run()


@given(loads(simple=True), st.sampled_from((1, None)))
def test_with_the_change_it_starts_when_it_is_told(load: Load, promises: int | None) -> None:
    def look(world: World) -> None:
        for unit in ready(world):
            said = told(world, *unit)
            if said.change is None:
                continue
            assert said.start is None or said.change.start < said.start
            changed = changed_by(world.jobs[unit[0]], said.change.options)
            view = again(world, changed)
            after = explain(view, world.policy, *unit, world.now)
            assert after.start == said.change.start

    world = load.world(Policy(promises=promises))
    world.watch.append(look)
    with easily_pleased():
        world.run()


@contextmanager
def easily_pleased() -> Iterator[None]:
    """Small changes count, and so does what little they gain."""
    with (
        mock.patch.object(sooner_module, "SHORTEST", 1.0),
        mock.patch.object(sooner_module, "LEAST_GAIN", 0.5),
        mock.patch.object(sooner_module, "GRAIN", 1),
        mock.patch.object(sooner_module, "_rounded", lambda seconds: float(int(seconds))),
    ):
        yield


def changed_by(job: Job, options: str) -> Job:
    return next(one.job for one in variants(job) if one.options == options)


# -- single cases ----------------------------------------------------------------------------------


def test_both_ends_say_what_they_rest_on() -> None:
    world = world_of(
        make_job(1, cpus=2, time_limit=600.0),
        make_job(2, cpus=2, time_limit=300.0),
        make_job(3, cpus=2, time_limit=60.0),
    )
    said = told(world, 3)
    assert said.earliest is not None
    assert said.latest is not None
    assert (said.earliest.start, said.latest.start) == (1.0, 900.0)
    assert "end at once" in said.earliest.why
    assert "time limit" in said.latest.why


def test_what_has_no_limit_is_told_the_longest_with_which_it_would_start_sooner() -> None:
    world = world_of(
        make_job(1, cpus=6, time_limit=3600.0),
        make_job(2, cpus=1, time_limit=600.0),
        make_job(3, cpus=8, time_limit=3600.0),
        make_job(4, cpus=2),
        cpus=8,
    )
    change = told(world, 4).change
    assert change is not None
    assert (change.options, change.start) == ("--time=45m", 600.0)


def test_the_smallest_change_wins() -> None:
    world = world_of(
        make_job(1, cpus=6, time_limit=36_000.0),
        make_job(2, cpus=10, time_limit=3600.0),
        make_job(3, cpus=5, time_limit=30_000.0),
        cpus=10,
    )
    said = told(world, 3)
    assert said.change is not None
    assert said.change.options == "--cpus=4"
    assert said.start is not None
    assert said.change.start < said.start == said.change.now


def test_less_memory_can_be_it() -> None:
    gib = 1 << 30
    world = world_of(
        make_job(1, memory=6 * gib, time_limit=7200.0),
        make_job(2, memory=4 * gib, time_limit=7200.0),
        memory=8 * gib,
    )
    said = told(world, 2)
    assert said.change is not None
    assert said.change.options == "--memory=2G"
    assert said.change.start == 0.0


def test_what_asks_for_the_same_elsewhere_is_tried_first() -> None:
    world = world_of(make_job(1, cpus=2, time_limit=7200.0), make_job(2, time_limit=60.0))
    elsewhere = replace(world.jobs[2], partition="other", request=make_job(2, cpus=0).request)
    said = told(world, 2, others=(Variant("--partition=other", elsewhere),))
    assert said.change is not None
    assert said.change.options == "--partition=other"


def test_nothing_is_advised_that_gains_next_to_nothing() -> None:
    world = world_of(make_job(1, cpus=2, time_limit=70.0), make_job(2, cpus=2, time_limit=600.0))
    assert told(world, 2).change is None


@pytest.mark.parametrize("time_limit", [None, 30.0, 60.0])
def test_what_asks_for_little_can_ask_for_less_only_of_time(time_limit: float | None) -> None:
    found = {one.options for one in variants(make_job(1, time_limit=time_limit))}
    limits = {f"--time={span(limit, '')}" for limit in LIMITS}
    assert {"--time=1d", "--time=1h"} < limits
    assert found == (limits if time_limit is None else set())


def test_what_is_far_back_is_not_worked_out() -> None:
    jobs = [make_job(number, cpus=2, time_limit=9.0) for number in range(1, 130)]
    world = world_of(*jobs)
    said = told(world, 129)
    assert said.start is not None
    assert (said.earliest, said.change) == (None, None)
    assert said.latest is not None


def test_others_may_have_limits_of_their_own() -> None:
    world = World(Resources(cpus=4))
    assert Stage.of(world.view, (1, -1), 0.0, most=10) is None
