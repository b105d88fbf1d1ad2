"""The laws of deciding, whatever the order, the expectations and the policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import Request, Resources, State
from hpcshell.policy.decide import Policy, decide, forecast
from hpcshell.policy.regime import Regime
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.view import Unit
from tests.policy.made import elements_of, make_job
from tests.policy.pauses import suspend, wake
from tests.policy.picture import picture
from tests.policy.promised import run_as_promised
from tests.policy.reference import in_line
from tests.policy.regimes import policies, rank_of, regimes, shortest
from tests.policy.workloads import Load, loads
from tests.policy.world import Act, World, same


def all_has_ended(world: World, load: Load) -> None:
    assert not world.left
    assert not world.view.claims
    assert world.view.free == world.view.total
    for work in load.work:
        for index in elements_of(work.job):
            assert world.tasks[work.job.id, index].state is State.ENDED


@given(loads(), policies, regimes())
def test_nothing_is_over_allocated_and_every_job_ends(
    load: Load, policy: Policy, regime: Regime
) -> None:
    world = load.world(policy, regime).run()  # checks each start and each instant
    all_has_ended(world, load)


@given(loads(), policies, regimes(), st.data())
def test_and_also_where_runs_are_suspended(
    load: Load, policy: Policy, regime: Regime, data: st.DataObject
) -> None:
    world = load.world(policy, regime)
    for at in data.draw(st.lists(st.integers(0, 12), max_size=4)):
        world.at(float(at), lambda: pause(world, data))
    all_has_ended(world.run(), load)


def pause(world: World, data: st.DataObject) -> None:
    """One of those that run stands still, and is to go on later."""
    running = [run for run, claim in world.runs.items() if claim.suspended is None]
    if running:
        run = data.draw(st.sampled_from(running))
        suspend(world, run)
        later = world.now + data.draw(st.sampled_from((0.0, 1.0, 5.0)))
        world.at(later, lambda: wake(world, run) if run in world.runs else None)


@given(loads(), policies, regimes())
def test_deciding_twice_gives_the_same_and_changes_nothing(
    load: Load, policy: Policy, regime: Regime
) -> None:
    def look(world: World) -> None:
        before = picture(world.view)
        first = decide(world.view, policy, world.now)
        forecast(world.view, policy, world.now)
        assert decide(world.view, policy, world.now) == first
        assert picture(world.view) == before

    world = load.world(policy, regime)
    world.watch.append(look)
    world.run()


class Looking(World):
    """Compares each decision with what a deeper look gives."""

    def decide_once(self) -> bool:
        plan = decide(self.view, self.policy, self.now)
        far = forecast(self.view, self.policy, self.now)
        assert far.starts == plan.starts
        assert far.resumes == plan.resumes
        deeper = replace(self.policy, depth=10**6)
        assert decide(self.view, deeper, self.now).starts == plan.starts
        return super().decide_once()


@given(loads(), policies, regimes(), st.data())
def test_a_deeper_look_never_changes_what_starts_now(
    load: Load, policy: Policy, regime: Regime, data: st.DataObject
) -> None:
    world = Looking(load.total, policy, regime)
    for work in load.work:
        world.submit(work.job, work.script())
    for at in data.draw(st.lists(st.integers(0, 12), max_size=2)):
        world.at(float(at), lambda: pause(world, data))
    world.run()


def test_a_forecast_lets_nobody_pass_either_where_decisions_look_at_none() -> None:
    """What it looks at for the reasons alone starts nothing."""
    policy = Policy(promises=0, max_backfill_jobs=0)
    world = Looking(Resources(cpus=3), policy, Regime(fill=shortest))
    world.submit(make_job(1, cpus=2, array="0-2", time_limit=1.0), same(Act(1.0)))
    world.submit(make_job(2), same(Act(1.0)))
    world.run()
    assert world.starts[2, -1] == world.starts[1, 2] == 2.0


@given(loads(), policies, regimes())
def test_the_same_work_starts_at_the_same_times(load: Load, policy: Policy, regime: Regime) -> None:
    if type(regime.foresight).__name__ in ("Predicted", "ShrunkForesight"):
        return  # they have learned from the first
    first, second = load.world(policy, regime).run(), load.world(policy, regime).run()
    assert first.restarts == second.restarts


# -- promises ------------------------------------------------------------------------------------


@given(loads(simple=True), regimes(exact=True, aging=False), st.sampled_from((0.0, 3.0, 5.0)))
def test_easy_never_pushes_back_whoever_stays_first_in_line(
    load: Load, regime: Regime, resolution: float
) -> None:
    """In orders in which others may come in before it, it counts anew from each who does."""
    policy = Policy(promises=1, resolution=resolution)
    promised: dict[Unit, float] = {}
    seen: set[int] = set()

    def look(world: World) -> None:
        promises = forecast(world.view, policy, world.now).promises
        came = [world.view.entry(job) for job in world.jobs.keys() - seen]
        seen.update(world.jobs)
        for unit in list(promised):
            entry = world.view.entry(unit[0])
            passed = any(one and entry and one.rank < entry.rank for one in came)
            if passed or (unit not in promises and world.task(unit).state is State.PENDING):
                del promised[unit]  # it has been overtaken
        for unit, start in promises.items():
            assert start <= promised.get(unit, start)
            promised[unit] = start

    world = load.world(policy, regime)
    world.watch.append(look)
    world.run()
    for unit, start in promised.items():
        assert world.starts[unit] <= start


@given(loads(simple=True), st.sampled_from((2, None)), st.sampled_from((0.0, 3.0, 5.0)))
def test_nobody_starts_later_than_its_first_promise(
    load: Load, promises: int | None, resolution: float
) -> None:
    policy = Policy(promises=promises, resolution=resolution)
    run_as_promised(load.world(policy))


@given(loads(simple=True), policies, st.floats(0.5, 9.0))
def test_nothing_is_promised_beyond_the_window(load: Load, policy: Policy, window: float) -> None:
    policy = replace(policy, window=window)

    def look(world: World) -> None:
        plan = forecast(world.view, policy, world.now)
        before = world.view.promised
        for unit, start in plan.promises.items():
            assert start <= world.now + window or unit in before

    world = load.world(policy)
    world.watch.append(look)
    world.run()


# -- who goes ------------------------------------------------------------------------------------


@given(loads(simple=True), regimes(aging=False))
def test_without_backfill_all_start_in_the_order_of_the_line(load: Load, regime: Regime) -> None:
    """Whoever starts leaves nobody behind that was in the line already and goes before it."""
    policy = Policy(promises=0, backfill=False)

    class Watched(World):
        def decide_once(self) -> bool:
            line = [unit for unit, _ in in_line(self.view)]
            starts = decide(self.view, policy, self.now).starts
            found = {(start.job, start.index) for start in starts}
            assert found == set(line[: len(found)])
            return super().decide_once()

    world = Watched(load.total, policy, regime)
    for work in load.work:
        world.submit(work.job, work.script())
    world.run()


@given(loads(simple=True), st.sampled_from((1, 2, None)), st.booleans())
def test_and_promises_do_not_change_that(load: Load, promises: int | None, by_size: bool) -> None:
    regime = Regime(rank=rank_of("saf")) if by_size else Regime()
    strict = load.world(Policy(promises=0, backfill=False), regime).run()
    promising = load.world(Policy(promises=promises, backfill=False), regime).run()
    assert promising.restarts == strict.restarts


@given(loads(), regimes(), st.sampled_from((None, 4.0)))
def test_without_promises_whatever_fits_starts(
    load: Load, regime: Regime, window: float | None
) -> None:
    def look(world: World) -> None:
        for _, shape in in_line(world.view):
            assert shape.taken(world.view.room.free) is None  # all in one place

    world = load.world(Policy(promises=0, window=window), regime)
    world.watch.append(look)
    world.run()


@pytest.mark.parametrize("order", ["wfp3", "unicef", "lexp", "sexp", "expansion"])
@given(load=loads(simple=True))
def test_an_order_that_changes_with_time_is_obeyed_at_each_instant(order: str, load: Load) -> None:
    rank = rank_of(order)

    class Watched(World):
        def decide_once(self) -> bool:
            line = [self.jobs[job] for (job, _), _ in in_line(self.view)]
            ranks = [rank(job, job.request.time_limit, self.now) for job in line]
            assert ranks == sorted(ranks)
            return super().decide_once()

    world = Watched(load.total, Policy(), Regime(rank=rank, timely=True))
    for work in load.work:
        world.submit(work.job, work.script())
    world.run()


# -- beside reservations and suspended runs ------------------------------------------------------


def apart(regime: Regime, policy: Policy) -> World:
    """Two cpus for all, of which one is busy until 10, and two in a reservation, one busy, too."""
    world = World(Resources(cpus=4), policy, regime)
    inside = Request(cpus=2)
    world.view.reserve(Reservation(name="r", start=0.0, end=90.0, request=inside, users=("u",)))
    for number, pool in ((1, ""), (2, "r")):
        job = make_job(number, time_limit=10.0, reservation=pool)
        world.submit(job, same(Act(10.0)))
    return world


def test_who_may_not_pass_outside_a_reservation_does_not_stop_those_inside() -> None:
    world = apart(Regime(), Policy(backfill=False))
    world.submit(make_job(3, cpus=2, time_limit=5.0), same(Act(5.0)))
    world.submit(make_job(4, time_limit=5.0), same(Act(5.0)))
    world.submit(make_job(5, time_limit=5.0, reservation="r"), same(Act(5.0)))
    world.run()
    assert [world.starts[number, -1] for number in (3, 4, 5)] == [10.0, 15.0, 0.0]


def test_nor_does_who_waits_inside_let_others_pass_the_first_outside() -> None:
    world = apart(Regime(fill=shortest), Policy())
    world.submit(make_job(3, cpus=2, time_limit=50.0, reservation="r"), same(Act(1.0)))
    world.submit(make_job(4, cpus=2, time_limit=30.0), same(Act(5.0)))
    world.submit(make_job(5, time_limit=20.0), same(Act(20.0)))
    world.submit(make_job(6, time_limit=9.0, reservation="r"), same(Act(9.0)))
    world.run()
    assert [world.starts[number, -1] for number in (3, 4, 5, 6)] == [10.0, 10.0, 15.0, 0.0]


def test_a_suspended_run_passes_the_first_in_line_too() -> None:
    """It goes on as soon as it may, though others pass in an order of their own."""
    world = World(Resources(cpus=3), Policy(), Regime(fill=shortest))
    world.submit(make_job(1, cpus=2, time_limit=20.0), same(Act(20.0)))
    world.submit(make_job(2, cpus=3, time_limit=9.0, submit_time=1.0), same(Act(9.0)))
    world.submit(make_job(3, time_limit=9.0), same(Act(9.0)))

    def pause_the_third() -> None:
        run = next(run for run, claim in world.runs.items() if claim.job == 3)
        suspend(world, run)
        world.at(4.0, lambda: wake(world, run))

    world.at(2.0, pause_the_third)
    world.run()
    assert world.tasks[3, -1].end_time == 11.0


@pytest.mark.parametrize(
    "policy",
    [
        Policy(backfill=False),
        Policy(backfill=False, max_backfill_jobs=0),
        Policy(depth=1),
        Policy(),
    ],
)
def test_a_suspended_run_goes_on_where_the_first_in_line_waits_for_what_it_holds(
    policy: Policy,
) -> None:
    """Nobody may pass that one, or few are looked at; but neither would ever come to an end."""
    world = World(Resources(cpus=1, gpus=1), policy, Regime())
    for number in (3, 4):
        job = make_job(number, gpus=1, priority=800, submit_time=1.0)
        world.submit(job, same(Act(1.0)))
    world.submit(make_job(1, gpus=1), same(Act(4.0)))
    world.submit(make_job(2, gpus=1, priority=900, submit_time=1.0), same(Act(1.0)))
    world.at(2.0, lambda: suspend(world, 1))
    world.at(5.0, lambda: wake(world, 1))
    world.run()
    assert world.starts[2, -1] == 7.0


# -- expectations --------------------------------------------------------------------------------


@given(loads(), policies, regimes())
def test_what_runs_is_expected_to_end_later_but_never_after_its_limit(
    load: Load, policy: Policy, regime: Regime
) -> None:
    def look(world: World) -> None:
        for claim in world.view.claims.values():
            end = world.view.end_of(claim)
            if claim.end is not None:
                assert end is not None
                assert end <= claim.end
                assert end > world.now or end == claim.end

    world = load.world(policy, regime)
    world.watch.append(look)
    world.run()


def test_a_run_is_stopped_at_its_limit_however_short_it_was_expected_to_be() -> None:
    from tests.policy.regimes import Halved

    world = World(Resources(cpus=1), Policy(), Regime(foresight=Halved()))
    world.submit(make_job(1, time_limit=8.0), same(Act(runs=100.0)))
    world.submit(make_job(2, time_limit=8.0), same(Act(runs=1.0)))
    world.run()
    assert world.starts == {(1, -1): 0.0, (2, -1): 8.0}
