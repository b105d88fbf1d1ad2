"""The laws of promises: whatever overstays and whoever comes in, nobody is put off for the sake of
what comes after it, nor for longer than what runs and goes before it takes."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.records import Claim, Request, Resources, Task
from hpcshell.policy.decide import Plan, Policy, decide, forecast
from hpcshell.policy.view import PLAIN, Unit, View
from tests.policy.made import elements_of, make_job
from tests.policy.reference import Timeline, afresh, in_line
from tests.policy.workloads import Load, loads
from tests.policy.world import Act, Script, World

MANY = st.sampled_from((0, 1, 2, 3, None))
STAYS = st.lists(st.sampled_from((0.0, 0.5, 1.0, 2.0, 7.0)), min_size=1, max_size=4)
ALL = Policy(promises=None)


def late(script: Script, stay: float) -> Script:
    """Whatever gets as far as its limit lives on for so long; some would have ended just then."""

    def act(index: int, attempt: int) -> Act:
        left_alone = script(index, attempt)
        return left_alone._replace(runs=left_alone.runs + stay, overstays=stay)

    return act


def overstaying(load: Load, policy: Policy, stays: list[float]) -> World:
    world = World(load.total, policy)
    for number, work in enumerate(load.work):
        world.submit(work.job, late(work.script(), stays[number % len(stays)]))
    return world


def places_of(plan: Plan, now: float) -> dict[Unit, float]:
    return plan.promises | {(start.job, start.index): now for start in plan.starts}


def nobody_is_put_off_for_what_comes_after(world: World, plan: Plan) -> None:
    """Each has the first place from its promise on that runs and those before it leave."""
    line, places = Timeline(world.view, world.now), places_of(plan, world.now)
    for unit, shape in in_line(world.view):
        if unit in places:
            promised = world.view.promised.get(unit, inf)
            since = world.now if promised == inf else max(promised, world.now)
            first = line.first(since, shape)
            assert first is None or places[unit] <= first
            line.take(places[unit], shape)


def all_that_is_promised_fits_together(world: World, plan: Plan) -> None:
    line = Timeline(world.view, world.now)
    for unit, start in places_of(plan, world.now).items():
        standing = world.view.queue.standing(*unit)
        assert standing is not None
        line.take(start, standing.shape)
    assert all(min(line.free(at)) >= 0 for at in line.moments() if at < inf)


def what_can_be_kept_is_kept(world: World, plan: Plan) -> None:
    """With nobody new before those who were promised something, and room for all of it still."""
    line, old = Timeline(world.view, world.now), world.view.promised
    waiting = list(in_line(world.view))
    kept = [(unit, shape) for unit, shape in waiting if old.get(unit, inf) < inf]
    if kept != waiting[: len(kept)]:
        return
    for unit, shape in kept:
        start = max(old[unit], world.now)
        if shape.need is None or not line.fits(start, shape.length, shape.need):
            return
        line.take(start, shape)
    places = places_of(plan, world.now)
    assert all(places[unit] <= max(old[unit], world.now) for unit, _ in kept)


def look(world: World) -> None:
    """What `decide` and `forecast` would do now."""
    plans = [ask(world.view, world.policy, world.now) for ask in (decide, forecast)]
    assert decide(world.view, world.policy, world.now) == plans[0]
    for plan in plans:
        if plan.promises is world.view.promised:
            continue  # nothing can start, and so nothing was looked at
        nobody_is_put_off_for_what_comes_after(world, plan)
        all_that_is_promised_fits_together(world, plan)
    if world.policy.promises is None or world.policy.promises > 1:
        for plan in plans:
            what_can_be_kept_is_kept(world, plan)


def watched(world: World) -> World:
    """Before each decision, and once nothing more starts."""
    decided = world.decide_once

    def look_and_decide() -> bool:
        look(world)
        return decided()

    world.decide_once = look_and_decide  # type: ignore[method-assign]
    world.watch.append(look)
    return world


@given(loads(simple=True), MANY, STAYS)
def test_runs_that_overstay_delay_nobody_more_than_they_must(
    load: Load, promises: int | None, stays: list[float]
) -> None:
    world = watched(overstaying(load, Policy(promises=promises), stays)).run()
    assert not world.left


@given(loads(), MANY, STAYS)
def test_whatever_comes_in_delays_nobody_before_it(
    load: Load, promises: int | None, stays: list[float]
) -> None:
    world = watched(overstaying(load, Policy(promises=promises), stays)).run()
    assert not world.left


@given(loads(simple=True), MANY, STAYS)
def test_without_promises_to_keep_the_plan_is_the_one_worked_out_the_slow_way(
    load: Load, promises: int | None, stays: list[float]
) -> None:
    def compare(world: World) -> None:
        world.view.keep({})
        starts, promised = afresh(world.view, world.policy, world.now)
        plans = [ask(world.view, world.policy, world.now) for ask in (decide, forecast)]
        for plan in plans:
            assert [(start.job, start.index) for start in plan.starts] == starts
            assert plan.promises.items() <= promised.items()
        assert plans[1].promises == promised

    world = overstaying(load, Policy(promises=promises), stays)
    decided = world.decide_once

    def compare_and_decide() -> bool:
        compare(world)
        return decided()

    world.decide_once = compare_and_decide  # type: ignore[method-assign]
    world.run()


# -- single cases ----------------------------------------------------------------------------------


def running(*ends: float | None, cpus: int = 4) -> View:
    """A machine on which one cpu is taken until each of these."""
    view = View(Resources(cpus=cpus))
    for run, end in enumerate(ends, 1):
        job = make_job(run)
        view.put_job(job, PLAIN)
        view.claim(Claim(run=run, job=run, index=-1, cpus=1, start=0.0, end=end))
    return view


def test_a_run_that_is_about_to_end_ends_when_it_must() -> None:
    view = running(6.0, cpus=2)
    view.put_job(make_job(10, cpus=2, time_limit=5.0), PLAIN)
    view.put_job(make_job(11, time_limit=0.75), PLAIN)
    plan = forecast(view, Policy(), 5.5)
    assert (plan.starts, plan.promises) == ([], {(10, -1): 6.0})


def test_what_is_moved_up_goes_before_what_it_passes() -> None:
    view = running(10.0)
    for job in (10, 11):
        view.put_job(make_job(job, cpus=4, time_limit=5.0), PLAIN)
    view.keep(forecast(view, ALL, 0.0).promises)
    view.put_job(make_job(11, cpus=4, time_limit=5.0, priority=900), PLAIN)
    assert forecast(view, ALL, 0.0).promises == {(11, -1): 10.0, (10, -1): 15.0}


def test_a_newcomer_disturbs_only_promises_that_are_in_its_way() -> None:
    view = running(10.0, 10.0, 10.0, 10.0, cpus=6)
    view.put_job(make_job(10, cpus=6, time_limit=5.0), PLAIN)
    view.put_job(make_job(11, cpus=3, time_limit=9.0), PLAIN)
    view.keep({(10, -1): 20.0, (11, -1): 10.0})
    view.put_job(make_job(12, cpus=3, time_limit=5.0, priority=900), PLAIN)
    plan = forecast(view, ALL, 0.0)
    assert plan.promises == {(12, -1): 10.0, (10, -1): 19.0, (11, -1): 10.0}


def test_a_place_under_a_throttle_is_kept_for_the_element_that_was_promised_it() -> None:
    view = running(10.0, 10.0, cpus=5)
    array = make_job(10, array="0-1", throttle=1, time_limit=50.0)
    view.put_job(array, elements_of(array))
    view.put_task(Task(job=10, index=1, attempt=1, request=Request(cpus=4, time_limit=5.0)))
    plan = forecast(view, Policy(), 0.0)
    assert (plan.starts, plan.promises) == ([], {(10, 1): 10.0})


def test_what_the_throttle_keeps_back_keeps_nobody_back() -> None:
    view = running(10.0, cpus=8)
    array = make_job(10, array="0-2", throttle=1, cpus=3, time_limit=5.0)
    view.put_job(array, elements_of(array))
    view.put_job(make_job(11, cpus=3, time_limit=8.0), PLAIN)
    view.keep({(10, 1): 0.0})
    plan = decide(view, ALL, 0.0)
    assert [start.job for start in plan.starts] == [10, 11]
    assert plan.promises == {}


def test_the_end_of_the_budget_takes_no_promise_away() -> None:
    view = running(10.0)
    for job in (10, 11):
        view.put_job(make_job(job, cpus=4, time_limit=5.0), PLAIN)
    promised = {(10, -1): 10.0, (11, -1): 15.0}
    view.keep(promised)
    plan = forecast(view, Policy(promises=None, depth=1), 0.0)
    assert (plan.promises, plan.complete) == (promised, False)
