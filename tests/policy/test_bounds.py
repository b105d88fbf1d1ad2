"""Limits of users, accounts, QOS and partitions, as the decider keeps them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.records import Outcome, Request, Resources, Retry
from hpcshell.policy.bounds import Bounds
from hpcshell.policy.decide import Policy, decide, forecast
from hpcshell.policy.limits import Claimant, Limits, Rule, Throttle
from hpcshell.policy.regime import Fill, Regime
from hpcshell.policy.view import Unit
from tests.policy.made import make_job
from tests.policy.reference import in_line
from tests.policy.regimes import policies, regimes, shortest
from tests.policy.test_limits import broken
from tests.policy.workloads import Load, shared_loads
from tests.policy.world import Act, World, same

KEYS = [
    *(("user", "", name) for name in ("ann", "bob", "*")),
    *(("account", each, "physics") for each in ("", "user")),
    *(("qos", each, name) for each in ("", "user") for name in ("low", "high", "*")),
    *(("partition", each, "main") for each in ("", "user", "account")),
]
few = st.none() | st.integers(1, 3)
totals = st.builds(Limits, max_running_jobs=few, max_cpus=st.none() | st.integers(1, 6))


@st.composite
def made_rules(draw: st.DrawFn) -> list[Rule]:
    """They may keep a job for ever: whoever asks for more than a limit never starts."""
    chosen = draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=1, max_size=4))
    return [
        Rule(kind=kind, name=name, each=each, limits=draw(totals)) for kind, each, name in chosen
    ]


def limited(regime: Regime, rules: list[Rule]) -> Regime:
    return regime._replace(bounds=Bounds(Throttle(rules)))


def holders(world: World) -> list[Claimant]:
    """What is held by whom, from what runs."""
    return [
        Claimant(
            user=job.user,
            accounts=(job.account,) if job.account else (),
            qos=job.qos,
            partition=job.partition,
            request=Request(cpus=claim.cpus, memory=claim.memory, gpus=len(claim.gpus)),
        )
        for claim in world.runs.values()
        for job in [world.jobs[claim.job]]
    ]


def throttle_of(world: World) -> Throttle:
    assert world.view.bounds is not None
    return world.view.bounds.throttle


def kept(world: World) -> set[Unit]:
    """Who is kept by a limit now."""
    return {
        unit
        for unit, shape in in_line(world.view)
        if shape.claimant is not None and throttle_of(world).allows(shape.claimant) is not None
    }


@given(shared_loads(), policies, regimes(), made_rules())
def test_no_more_runs_than_any_rule_allows(
    load: Load, policy: Policy, regime: Regime, rules: list[Rule]
) -> None:
    def look(world: World) -> None:
        assert not broken(rules, holders(world))

    world = load.world(policy, limited(regime, rules))
    world.watch.append(look)
    world.run()
    for job in world.left:  # whoever is left asks for more than is ever allowed, or waits for such
        entry = world.view.entry(job)
        assert entry is not None
        assert not entry.running
    assert not kept(world) or not world.runs


@given(shared_loads(), policies, regimes(), made_rules(), st.data())
def test_counts_return_to_zero_when_all_has_ended(
    load: Load, policy: Policy, regime: Regime, rules: list[Rule], data: st.DataObject
) -> None:
    world = load.world(policy, limited(regime, rules))
    for work in load.work:
        at = data.draw(st.integers(0, 20))
        if data.draw(st.booleans()):
            world.at(float(at), lambda number=work.job.id: drop(world, number))  # type: ignore[misc]
    world.run()
    for number in sorted(world.left):
        drop(world, number)
        world.tick()
    world.run()
    for number in sorted(world.left):
        drop(world, number)
    assert not world.left
    assert throttle_of(world)._used == {}


def drop(world: World, job: int) -> None:
    """All that waits of it ends."""
    if job in world.left:
        for unit in [unit for unit in world.tasks if unit[0] == job]:
            world.cancel(unit)
    if job in world.left:
        world.drop(job, Outcome.CANCELLED)


@given(shared_loads(simple=True), made_rules(), policies)
def test_whoever_is_kept_by_a_limit_is_promised_nothing(
    load: Load, rules: list[Rule], policy: Policy
) -> None:
    def look(world: World) -> None:
        promises = forecast(world.view, world.policy, world.now).promises
        assert not kept(world) & promises.keys()

    world = load.world(policy, limited(Regime(), rules))
    world.watch.append(look)
    world.run()


@given(shared_loads(simple=True), made_rules(), policies, regimes(exact=True))
def test_and_is_in_nobodys_way(
    load: Load, rules: list[Rule], policy: Policy, regime: Regime
) -> None:
    """The others start as if it were not there."""

    class Watched(World):
        def decide_once(self) -> bool:
            waiting = kept(self)
            with_them = decide(self.view, self.policy, self.now)
            ids = {job for job, _ in waiting}
            others = World(self.view.total, self.policy, self.regime)
            others.view = self.view
            if ids:
                assert not {(one.job, one.index) for one in with_them.starts} & waiting
                self._without(ids, with_them)
            return super().decide_once()

        def _without(self, ids: set[int], with_them: object) -> None:
            held = {job: self.jobs[job] for job in ids}
            promised = dict(self.view.promised)
            for job in ids:
                self.amend(job, held="user")
            self.view.keep({unit: at for unit, at in promised.items() if unit[0] not in ids})
            alone = decide(self.view, self.policy, self.now)
            for job, before in held.items():
                self.amend(job, held=before.held)
            self.view.keep(promised)
            assert alone.starts == getattr(with_them, "starts")  # noqa: B009

    world = Watched(load.total, policy, limited(regime, rules))
    for work in load.work:
        world.submit(work.job, work.script())
    world.run()


@given(shared_loads(), made_rules(), regimes())
def test_whoever_has_room_in_its_limits_and_in_the_machine_starts_at_once(
    load: Load, rules: list[Rule], regime: Regime
) -> None:
    def look(world: World) -> None:
        keeps = kept(world)
        for unit, shape in in_line(world.view):
            assert unit in keeps or shape.taken(world.view.room.free) is None

    world = load.world(Policy(promises=0), limited(regime, rules))
    world.watch.append(look)
    world.run()


# -- cases ---------------------------------------------------------------------------------------


def one_each(world_cpus: int = 4, **limits: int) -> World:
    rules = [Rule(kind="user", name="*", limits=Limits(**limits))]
    return World(Resources(cpus=world_cpus), Policy(), limited(Regime(), rules))


def test_a_job_alone_on_the_machine_holds_all_of_it_for_its_limits_too() -> None:
    world = one_each(max_cpus=3)
    world.submit(make_job(1, cpus=1, exclusive=True), same(Act(1.0)))
    world.submit(make_job(2, cpus=2), same(Act(1.0)))
    world.run()
    assert world.starts == {(2, -1): 0.0}


def test_a_limit_that_is_passed_keeps_a_job_of_its_user_and_no_other() -> None:
    world = one_each(max_running_jobs=1)
    for number, user in enumerate(("ann", "ann", "bob"), 1):
        world.submit(make_job(number, user=user), same(Act(3.0)))
    world.run()
    assert world.starts == {(1, -1): 0.0, (2, -1): 3.0, (3, -1): 0.0}


@pytest.mark.parametrize("promises", [1, 2, None])
def test_a_place_that_was_promised_is_nobodys_when_a_limit_keeps_its_owner(
    promises: int | None,
) -> None:
    """Whom the user has let pass has used up the limit; others need not wait for it."""
    rules = [Rule(kind="user", name="*", limits=Limits(max_running_jobs=1))]
    total, regime = Resources(cpus=3, memory=4), limited(Regime(), rules)
    world = World(total, Policy(promises=promises), regime)
    for number, user, memory, length in (
        (1, "bob", 4, 10.0),
        (2, "ann", 4, 5.0),
        (3, "ann", 0, 20.0),
        (4, "bob", 4, 20.0),
    ):
        job = make_job(number, user=user, memory=memory, time_limit=length)
        world.submit(job, same(Act(length)))
    told: list[dict[Unit, float]] = []
    world.watch.append(lambda it: told.append(forecast(it.view, it.policy, it.now).promises))
    world.run()
    assert world.starts == {(1, -1): 0.0, (3, -1): 0.0, (4, -1): 10.0, (2, -1): 30.0}
    assert told == [{}, {}, {(2, -1): 30.0}, {}, {}]  # a limit keeps it until 20


@pytest.mark.parametrize("fill", [None, shortest])
def test_whoever_is_kept_is_not_one_of_those_looked_at_behind_the_first(fill: Fill | None) -> None:
    rules = [Rule(kind="user", name="ann", limits=Limits(max_cpus=1))]
    regime = limited(Regime(fill=fill), rules)
    world = World(Resources(cpus=2), Policy(max_backfill_jobs=1), regime)
    for number, user, cpus, length in (
        (1, "bob", 1, 9.0),
        (2, "bob", 2, 9.0),
        (3, "ann", 2, 5.0),
        (4, "ann", 2, 1.0),
        (5, "bob", 2, 2.0),
        (6, "bob", 1, 3.0),
    ):
        job = make_job(number, user=user, cpus=cpus, time_limit=length)
        world.submit(job, same(Act(length)))
    world.run()
    assert world.starts[6, -1] == 0.0


def test_a_retry_that_asks_for_more_counts_as_more() -> None:
    world = one_each(max_cpus=2)
    again = Retry(limit=1, delay=0.0, jitter=0.0, grow={"cpus": 2.0})
    failing = make_job(1, cpus=1, retry=again)
    world.submit(failing, lambda _index, attempt: Act(2.0, exit_code=int(attempt == 1)))
    world.submit(replace(make_job(2, cpus=1), submit_time=1.0), same(Act(5.0)))
    world.run()
    assert world.restarts == [(0.0, (1, -1)), (1.0, (2, -1)), (6.0, (1, -1))]
    assert throttle_of(world)._used == {}
