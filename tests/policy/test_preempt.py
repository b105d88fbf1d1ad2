"""Who makes room for whom: nobody for nothing, and nobody for ever."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Job, Outcome, Resources
from hpcshell.policy.decide import Policy
from hpcshell.policy.preempt import MODES, Rights
from hpcshell.policy.ranks import SHORT_STEP, STEP, squeezed, stepped
from hpcshell.policy.regime import Regime
from tests.policy.made import make_job
from tests.policy.regimes import Halved, policies, rank_of, regimes
from tests.policy.workloads import OWNERS, Load, shared_loads
from tests.policy.world import Act, World, same
from tests.policy.yields import check_debts

rights = st.builds(
    Rights,
    qos=st.sampled_from(
        ({}, {"high": ("low",)}, {"high": ("low", ""), "top": ("high", "low")}, {"low": ("high",)})
    ),
    tiers=st.sampled_from(({}, {"main": 0, "fast": 1})),
    gap=st.sampled_from((None, None, 1, 400)),
    mode=st.sampled_from(("suspend", "requeue", "cancel", "off")),
    modes=st.sampled_from(
        ({}, {"low": "suspend"}, {"low": "off"}, {"partition/main": "cancel", "high": "requeue"})
    ),
    exempt=st.sampled_from((0.0, 0.0, 2.0)),
)
graces = st.sampled_from((0.0, 0.0, 1.0, 3.0))


def entitled(rights: Rights, regime: Regime | None = None) -> Regime:
    """By QOS and tiers those go first that may preempt the others."""
    regime = regime or Regime()
    most = len(rights.qos) + 1

    def step(job: Job) -> int:
        return rights.tiers.get(job.partition, 0) * most + depth(rights, job.qos)

    return regime._replace(rank=stepped(regime.rank, step), rights=rights)


def depth(rights: Rights, qos: str) -> int:
    """How many QOS stand below this one."""
    return max((1 + depth(rights, one) for one in rights.qos.get(qos, ())), default=0)


def preempting(
    load: Load, policy: Policy, regime: Regime, rights: Rights, grace: float, stands: bool
) -> World:
    """`stands`: whoever has a right goes first; else the order of the line knows of no rights."""
    regime = entitled(rights, regime) if stands else regime._replace(rights=rights)
    return load.lingering(grace).world(policy, regime)


@given(shared_loads(), policies, regimes(), rights, graces, st.booleans())
def test_all_ends_whoever_may_preempt_whom(
    load: Load, policy: Policy, regime: Regime, rights: Rights, grace: float, stands: bool
) -> None:
    """That each may be preempted, and that none is too many, is checked on the way."""
    world = preempting(load, policy, regime, rights, grace, stands).run()
    assert not world.left
    assert not world.view.claims
    assert not world.view.waking
    assert world.view.free == world.view.total


@given(shared_loads(simple=True), policies, regimes(), rights, graces, st.booleans())
def test_nobody_makes_room_but_for_one_who_then_starts(
    load: Load, policy: Policy, regime: Regime, rights: Rights, grace: float, stands: bool
) -> None:
    world = preempting(load, policy, regime, rights, grace, stands)
    world.watch.append(check_debts)
    world.run()
    assert not world.yielded.debts


@given(shared_loads(simple=True), policies, regimes(), rights, graces, st.booleans())
def test_no_more_often_than_there_are_others(
    load: Load, policy: Policy, regime: Regime, rights: Rights, grace: float, stands: bool
) -> None:
    world = preempting(load, policy, regime, rights, grace, stands).run()
    elements = len(world.tasks)
    assert len(world.yielded.preempts) <= elements * elements


@given(rights, OWNERS, OWNERS)
def test_whom_nobody_can_reach_nobody_may_preempt(
    rights: Rights, first: dict[str, Any], second: dict[str, Any]
) -> None:
    maker, victim = make_job(1, **first), make_job(2, **second)
    assert rights.reach(victim) or not rights.mode_of(maker, victim)


# -- cases ---------------------------------------------------------------------------------------


def two(mode: str, grace: float = 0.0, policy: Policy | None = None, **fields: Any) -> World:
    """One of low QOS runs alone on the machine when one of high QOS comes."""
    given = Rights(qos={"high": ("low",)}, mode=mode, **fields)
    world = World(Resources(cpus=2, memory=2), policy, entitled(given))
    low = make_job(1, qos="low", cpus=2, time_limit=20.0, grace=grace)
    high = make_job(2, qos="high", cpus=1, time_limit=5.0, submit_time=3.0)
    world.submit(low, same(Act(10.0)))
    world.submit(high, same(Act(4.0)))
    return world


@pytest.mark.parametrize("promises", [0, 1, 2, None])
@pytest.mark.parametrize("mode", MODES)
def test_the_qos_decides_even_where_the_other_was_there_first(
    mode: str, promises: int | None
) -> None:
    world = two(mode, policy=Policy(promises=promises)).run()
    assert world.starts == {(1, -1): 0.0, (2, -1): 3.0}
    assert len(world.yielded.preempts) == 1
    ends = {"suspend": (Outcome.COMPLETED, 14.0), "requeue": (Outcome.COMPLETED, 17.0)}
    outcome, end = ends.get(mode, (Outcome.PREEMPTED, 3.0))
    assert (world.outcome(1), world.tasks[1, -1].end_time) == (outcome, end)


@pytest.mark.parametrize("promises", [0, 1, None])
def test_with_a_grace_it_starts_when_that_is_over(promises: int | None) -> None:
    world = two("requeue", grace=2.0, policy=Policy(promises=promises)).run()
    assert world.starts[2, -1] == 5.0
    assert len(world.yielded.preempts) == 1


def test_whoever_has_just_begun_is_left_alone() -> None:
    world = two("requeue", exempt=6.0)
    world.run()
    assert world.starts == {(1, -1): 0.0, (2, -1): 6.0}


def test_off_is_off() -> None:
    assert two("off").run().starts == {(1, -1): 0.0, (2, -1): 10.0}
    kept = two("requeue", modes={"low": "off"}).run()
    assert kept.starts == {(1, -1): 0.0, (2, -1): 10.0}


def test_what_cannot_be_requeued_is_cancelled() -> None:
    world = World(Resources(cpus=1), None, entitled(Rights(gap=1)))
    world.submit(make_job(1, requeue=False, priority=1), same(Act(9.0)))
    world.submit(make_job(2, submit_time=1.0), same(Act(1.0)))
    assert world.run().outcome(1) is Outcome.PREEMPTED


def race(lengths: dict[int, float], **fields: Any) -> World:
    """Some of one cpu each fill the machine; at 5 one that may preempt them wants one cpu."""
    given = Rights(qos={"high": ("low",)}, **fields)
    world = World(Resources(cpus=len(lengths)), None, entitled(given))
    for number, length in lengths.items():
        job = make_job(number, qos="low", submit_time=5.0 - length, time_limit=30.0)
        world.submit(job, same(Act(25.0)))
    world.submit(make_job(9, qos="high", submit_time=5.0), same(Act(1.0)))
    return world


def victims(world: World) -> list[int]:
    return [world.restarts[one.run - 1][1][0] for _, one in world.yielded.preempts]


def test_the_one_that_loses_least_makes_room() -> None:
    assert victims(race({1: 4.0, 2: 1.0, 3: 3.0}).run())[:1] == [2]


def test_a_fresh_checkpoint_makes_a_run_cheap() -> None:
    world = race({1: 4.0, 2: 1.0, 3: 3.0})
    world.at(4.5, lambda: world.view.checkpointed(1, 4.5))
    assert victims(world.run())[:1] == [1]


def test_to_stand_still_is_cheaper_than_to_end() -> None:
    world = race({1: 4.0, 2: 1.0, 3: 3.0}, modes={"partition/still": "suspend"})
    world.at(4.6, lambda: world.amend(3, partition="still"))
    assert victims(world.run())[:1] == [3]


def test_one_large_run_makes_room_and_not_several_small_ones_besides() -> None:
    given = Rights(qos={"high": ("low",)})
    world = World(Resources(cpus=4), None, entitled(given))
    for number, cpus in ((1, 1), (2, 3)):
        world.submit(make_job(number, qos="low", cpus=cpus, time_limit=30.0), same(Act(25.0)))
    world.submit(make_job(9, qos="high", cpus=3, submit_time=5.0), same(Act(1.0)))
    world.run()
    assert victims(world) == [2]


def test_memory_does_not_come_free_where_runs_stand_still() -> None:
    given = Rights(gap=1, mode="suspend")
    world = World(Resources(cpus=4, memory=4), None, entitled(given))
    world.submit(make_job(1, memory=3, priority=1, time_limit=9.0), same(Act(9.0)))
    world.submit(make_job(2, memory=3, submit_time=1.0), same(Act(1.0)))
    world.run()
    assert world.starts[2, -1] == 9.0
    assert not world.yielded.preempts


@pytest.mark.parametrize("resolution", [0.0, 6.0])
def test_runs_whose_ends_are_rounded_make_room_as_others_do(resolution: float) -> None:
    world = two("requeue", policy=Policy(resolution=resolution))
    assert world.run().starts[2, -1] == 3.0


def test_two_that_may_preempt_each_other_do_not_take_turns() -> None:
    given = Rights(qos={"a": ("b",)}, gap=1)
    world = World(Resources(cpus=1), None, entitled(given))
    world.submit(make_job(1, qos="b", priority=900), same(Act(5.0)))
    world.submit(make_job(2, qos="a", priority=100), same(Act(5.0)))
    world.run()
    assert len(world.yielded.preempts) <= 1


@pytest.mark.parametrize("order", ["fifo", "sjf", "wfp3"])
@pytest.mark.parametrize("stands", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_in_any_order_of_the_line_nobody_takes_turns(mode: str, order: str, stands: bool) -> None:
    given = Rights(qos={"high": ("low",)}, mode=mode)
    regime = Regime(rank=rank_of(order), timely=order == "wfp3", rights=given)
    regime = entitled(given, regime) if stands else regime
    world = World(Resources(cpus=1), None, regime)
    world.submit(make_job(1, qos="low", time_limit=9.0), same(Act(5.0)))
    world.submit(make_job(2, qos="high", time_limit=20.0, submit_time=1.0), same(Act(5.0)))
    world.run()
    assert len(world.yielded.preempts) <= 1


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Wrong, match="kill"):
        Rights(mode="kill")


def test_in_an_order_that_changes_another_may_overtake_who_is_made_room_for() -> None:
    """It was there already, and only time lets it go first: while the run takes its grace."""

    def rank(job: Job, length: float | None, now: float) -> float:
        return {1: 0.0, 2: 1.0 if now < 6.0 else -2.0}.get(job.id, -1.0)

    regime = Regime(rank=rank, timely=True, rights=Rights(gap=1))
    world = World(Resources(cpus=1), Policy(promises=0), regime)
    world.watch.append(check_debts)
    world.submit(make_job(1, priority=100, grace=2.0), same(Act(9.0)))
    world.submit(make_job(2, submit_time=1.0, priority=100), same(Act(3.0)))
    world.submit(make_job(3, submit_time=5.0), same(Act(3.0)))
    assert world.run().starts == {(1, -1): 0.0, (2, -1): 7.0, (3, -1): 10.0}
    assert victims(world) == [1]


def test_what_may_outlast_its_expectation_does_not_start_where_room_is_being_made() -> None:
    """It would have to make room in its turn, and what was sent away before would start then."""
    regime = Regime(foresight=Halved(), rights=Rights(gap=1))
    world = World(Resources(cpus=2), Policy(promises=0), regime)
    for number, submit in ((1, 0.0), (2, 1.0)):
        low = make_job(number, priority=100, grace=2.0, time_limit=4.0, submit_time=submit)
        world.submit(low, same(Act(4.0)))
    world.submit(make_job(3, cpus=2, time_limit=2.0, submit_time=1.0), same(Act(1.0)))
    assert world.run().starts == {(1, -1): 0.0, (3, -1): 3.0, (2, -1): 4.0}
    assert victims(world) == [1]


@pytest.mark.parametrize(("grace", "made", "start"), [(0.0, 2.0, 2.0), (1.0, 3.0, 4.0)])
def test_nobody_makes_room_that_is_promised_to_others_by_the_time_it_is_there(
    grace: float, made: float, start: float
) -> None:
    """The fifth was promised 4 when the fourth was to run until then, and the last ones 2 and 3."""
    world = World(Resources(cpus=3), Policy(promises=None), Regime(rights=Rights(gap=1)))
    for number in (1, 2, 3):
        world.submit(make_job(number, priority=900, time_limit=1.0), same(Act(1.0)))
    world.submit(make_job(4, priority=800, time_limit=3.0), same(Act(1.0)))
    world.submit(make_job(5, cpus=3, time_limit=1.0), same(Act(1.0)))
    low = make_job(6, array="0-2", cpus=2, priority=100, time_limit=1.0, grace=grace)
    world.submit(low, same(Act(1.0)))
    assert world.run().starts[5, -1] == start
    assert [at for at, _ in world.yielded.preempts] == [made]


def test_of_equals_who_was_there_first_is_left_alone() -> None:
    """It would go first again."""
    given = Rights(gap=1)
    world = World(Resources(cpus=1), None, Regime(rank=rank_of("sjf"), rights=given))
    for number in (1, 2):
        job = make_job(number, priority=number, time_limit=9.0, submit_time=float(number))
        world.submit(job, same(Act(5.0)))
    assert world.run().restarts == [(1.0, (1, -1)), (6.0, (2, -1))]


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=6),
    st.sampled_from((STEP, SHORT_STEP)),
)
def test_a_step_is_more_than_any_two_ranks_are_apart(ranks: list[float], size: float) -> None:
    """And squeezed into it they stay in order."""
    squeezed_ranks = [squeezed(rank, size) for rank in sorted(ranks)]
    assert squeezed_ranks == sorted(squeezed_ranks)
    assert squeezed_ranks[-1] - squeezed_ranks[0] < size
    plain = [rank for rank in ranks if abs(rank) <= 0.4 * size]
    assert [squeezed(rank, size) for rank in plain] == plain
    low, high = min(ranks), max(ranks)
    step = stepped(lambda job, length, now: high if job.id == 1 else low, lambda job: job.id == 1)
    assert step(make_job(1), None, 0.0) < step(make_job(2), None, 0.0)
