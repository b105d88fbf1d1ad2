"""From a configuration to a policy and a regime."""

from __future__ import annotations

from math import isfinite
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcshell.core.records import Request, Resources
from hpcshell.core.settings import ORDER_NAMES, Settings
from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.policy.choice import choice, default_account
from hpcshell.policy.explain import bind, explain
from hpcshell.policy.plan import Policy
from hpcshell.policy.view import PLAIN, View
from tests.policy.made import make_job
from tests.policy.world import Act, World, same

TOTAL = Resources(cpus=8, memory=1 << 40, gpus=2)
NOW = 1e9


def read(**tables: Any) -> Settings:
    return read_layers([Layer(source="test", tables=tables)]).settings


def order(jobs: list[Any], now: float = NOW, **tables: Any) -> list[int]:
    """The ids of waiting jobs, first first."""
    view = View(TOTAL, choice(read(**tables), TOTAL)[1])
    view.advance(now)
    for job in jobs:
        view.put_job(job, PLAIN)
    return [line.entry.job.id for line in view.queue.turn]


# -- every order ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORDER_NAMES)
@given(
    cpus=st.integers(1, 10**6),
    limit=st.one_of(st.none(), st.floats(1.0, 3e9)),
    waited=st.floats(-1e6, 1e9),
    priority=st.integers(-(2**31), 2**31),
    nice=st.integers(-(2**31), 2**31),
)
def test_every_order_ranks_every_job_by_a_number_and_shows_why(
    name: str, cpus: int, limit: float | None, waited: float, priority: int, nice: int
) -> None:
    _, regime = choice(read(scheduler={"order": name}), TOTAL)
    job = make_job(
        1, cpus=cpus, time_limit=limit, submit_time=NOW - waited, priority=priority, nice=nice
    )
    assert isfinite(regime.rank(job, limit, NOW))
    assert regime.rows is not None
    rows = list(regime.rows(job, limit, NOW))
    assert rows
    assert all(isfinite(row.points) for row in rows)


def test_the_default_is_priority_less_nice() -> None:
    jobs = [make_job(1), make_job(2, priority=600, nice=50), make_job(3, priority=560)]
    assert order(jobs) == [3, 2, 1]


def test_levels_are_bands_of_the_priority_and_climb() -> None:
    jobs = [
        make_job(1, priority=100, submit_time=NOW - 3 * 3600.0),
        make_job(2, priority=500, submit_time=NOW),
        make_job(3, priority=900, submit_time=NOW),
        make_job(4, priority=500, nice=7200, submit_time=NOW - 3600.0),
    ]
    assert order(jobs, scheduler={"order": "levels"}) == [1, 3, 2, 4]
    assert order(jobs, scheduler={"order": "levels", "priority_boost": 0}) == [3, 2, 4, 1]


def test_formulas_go_by_the_time_limit() -> None:
    jobs = [make_job(1), make_job(2, time_limit=60.0), make_job(3, time_limit=600.0)]
    assert order(jobs, scheduler={"order": "sjf"}) == [2, 3, 1]
    assert order(jobs, scheduler={"order": "ljf"}) == [1, 3, 2]


def test_a_small_job_can_get_the_points_for_size() -> None:
    jobs = [make_job(1, cpus=1), make_job(2, cpus=8)]
    weights = {"size": 100, "age": 0}
    tables: dict[str, Any] = {"scheduler": {"order": "multifactor"}, "priority": weights}
    assert order(jobs, **tables) == [2, 1]
    tables["priority"] = {**weights, "favor_small": True}
    assert order(jobs, **tables) == [1, 2]


# -- how much is promised -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "policy"),
    [
        ({}, Policy()),
        ({"promises": 5}, Policy(promises=5)),
        ({"backfill": "easy", "promises": 5}, Policy(promises=1)),
        ({"backfill": "none"}, Policy(backfill=False)),
        ({"backfill": "greedy"}, Policy(promises=0)),
        ({"backfill": "conservative"}, Policy(promises=None)),
        ({"max_backfill_jobs": 3, "depth": 9}, Policy(max_backfill_jobs=3, depth=9)),
        ({"window": "1h", "resolution": "1m"}, Policy(window=3600.0, resolution=60.0)),
    ],
)
def test_policies(said: dict[str, Any], policy: Policy) -> None:
    assert choice(read(scheduler=said), TOTAL)[0] == policy


# -- tiers and rights -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["priority", "sjf", "f3", "multifactor", "fairshare"])
def test_who_may_preempt_goes_before(name: str) -> None:
    qos = {"low": {}, "middle": {"preempts": ["low"]}, "high": {"preempts": ["middle"]}}
    jobs = [
        make_job(1, qos="low", priority=1000, time_limit=1.0, submit_time=NOW - 1e6),
        make_job(2, qos="high", priority=1, time_limit=1e6, submit_time=NOW),
        make_job(3, qos="middle", priority=500, time_limit=1e3, submit_time=NOW),
        make_job(4, qos="low", partition="urgent", priority=1, time_limit=1e7, submit_time=NOW),
    ]
    partitions = {"main": {}, "urgent": {"tier": 2}}
    tables: dict[str, Any] = {"qos": qos, "partitions": partitions, "scheduler": {"order": name}}
    assert order(jobs, **tables) == [4, 2, 3, 1]


def test_nobody_has_rights_unless_they_are_given() -> None:
    assert choice(read(), TOTAL)[1].rights is None
    assert choice(read(qos={"a": {}}, partitions={"x": {"tier": 0}}), TOTAL)[1].rights is None
    rights = choice(read(scheduler={"preempt_gap": 100}), TOTAL)[1].rights
    assert rights is not None
    assert rights.mode_of(make_job(1, priority=600), make_job(2)) == "requeue"
    assert rights.mode_of(make_job(1, priority=599), make_job(2)) == ""


def test_the_mode_is_that_of_the_victim() -> None:
    tables = {
        "scheduler": {"preempt_mode": "cancel"},
        "qos": {
            "low": {"preempt_mode": "suspend"},
            "plain": {},
            "high": {"preempts": ["low", "plain"]},
        },
    }
    rights = choice(read(**tables), TOTAL)[1].rights
    assert rights is not None
    maker = make_job(1, qos="high")
    assert rights.mode_of(maker, make_job(2, qos="low")) == "suspend"
    assert rights.mode_of(maker, make_job(2, qos="plain")) == "cancel"


# -- limits ---------------------------------------------------------------------------------------


def test_no_limits_cost_nothing() -> None:
    assert choice(read(qos={"a": {"priority": 5}}, users={"ann": {}}), TOTAL)[1].bounds is None


def test_keys_are_limits_of_whom_they_say() -> None:
    tables = {
        "limits": {"max_jobs": 3},
        "users": {"ann": {"max_cpus": 2}},
        "accounts": {"top": {"grp_jobs": 1}, "below": {"parent": "top", "max_time": "1h"}},
        "qos": {"q": {"max_cpus_per_account": 4, "grp_memory": "1G"}},
        "partitions": {"p": {"max_submit_jobs_per_user": 7}},
    }
    bounds = choice(read(**tables), TOTAL)[1].bounds
    assert bounds is not None
    throttle = bounds.throttle

    def why(job: Any, request: Request) -> str:
        reason = throttle.never(bounds.claimant(job, request))
        return "" if reason is None else reason.code

    assert why(make_job(1, user="ann"), Request(cpus=3)) == "AssocGrpCpuLimit"
    assert why(make_job(1, user="bob"), Request(cpus=3)) == ""
    assert why(make_job(1, account="below"), Request()) == "AssocMaxWallDurationPerJobLimit"
    assert why(make_job(1, qos="q"), Request(memory=2 << 30)) == "QOSGrpMemLimit"
    first = bounds.claimant(make_job(1, account="below", user="bob"), Request(time_limit=1.0))
    throttle.add(first)
    again = throttle.allows(bounds.claimant(make_job(2, account="top"), Request()))
    assert again is not None
    assert again.code == "AssocGrpJobsLimit"


def test_the_first_account_that_names_a_user_is_theirs() -> None:
    settings = read(accounts={"a": {"users": {"bob": 1}}, "b": {"users": {"ann": 1, "bob": 1}}})
    assert [default_account(settings, user) for user in ("ann", "bob", "eve")] == ["b", "a", ""]


# -- what is told comes true ----------------------------------------------------------------------

STATIC = ("priority", "levels", "fifo", "sjf", "saf", "ljf", "laf", "f1", "f2", "f3", "f4")


@st.composite
def works(draw: st.DrawFn) -> list[tuple[int, float, float]]:
    """(cpus, time limit, seconds it runs), at most its limit."""
    return draw(
        st.lists(
            st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)).map(
                lambda one: (one[0], float(max(one[1:])), float(min(one[1:])))
            ),
            min_size=1,
            max_size=8,
        )
    )


@settings(max_examples=30)
@pytest.mark.parametrize("name", STATIC)
@given(work=works())
def test_what_explain_promises_is_kept_when_limits_are(
    name: str, work: list[tuple[int, float, float]]
) -> None:
    """Conservative: of all that was there when it was said, nothing starts later."""
    tables = read(scheduler={"order": name, "backfill": "conservative"})
    total = Resources(cpus=4)
    world = World(total, *choice(tables, total))
    for number, (cpus, limit, runs) in enumerate(work, 1):
        world.submit(make_job(number, cpus=cpus, time_limit=limit), same(Act(runs)))
    told: dict[int, float] = {}

    def ask(world: World) -> None:
        if not told:
            for number in world.left:
                answer = explain(world.view, world.policy, number, -1, world.now)
                bind(world.view, world.policy, (number, -1), answer, world.now)
                if answer.start is not None and answer.promised:
                    told[number] = answer.start

    world.watch.append(ask)
    world.run()
    for number, start in told.items():
        assert world.starts[number, -1] <= start
