"""Single decisions: what is started, with what, and what is said besides."""

from __future__ import annotations

from typing import Any

import pytest

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Claim, Request, Resources, Task
from hpcshell.policy.decide import Plan, Policy, Start, decide, forecast
from hpcshell.policy.view import PLAIN, View
from tests.policy.made import elements_of, make_job

EASY = Policy()


def view_of(*jobs: object, cpus: int = 4, **total: object) -> View:
    view = View(Resources(cpus=cpus, **total))  # type: ignore[arg-type]
    for job in jobs:
        view.put_job(job, elements_of(job))  # type: ignore[arg-type]
    return view


def units(plan: Plan) -> list[tuple[int, int]]:
    return [(start.job, start.index) for start in plan.starts]


def begin(view: View, plan: Plan, now: float = 0.0, first_run: int = 1) -> None:
    for run, start in enumerate(plan.starts, first_run):
        view.claim(start.claim(run, now))


def test_one_decision_starts_as_many_elements_as_fit() -> None:
    view = view_of(make_job(1, array="0-999999"), make_job(2))
    plan = decide(view, EASY, 0.0)
    assert units(plan) == [(1, 0), (1, 1), (1, 2), (1, 3)]
    begin(view, plan)
    entry = view.entry(1)
    assert entry is not None
    assert entry.waiting == IndexSet((range(4, 1_000_000),))
    assert view.free == Resources()
    assert view.used == Resources(cpus=4)


def test_a_start_says_what_is_held_and_until_when() -> None:
    asked = Request(cpus=2, memory=1 << 30, gpus=2, others={"lic": 1}, time_limit=60.0)
    view = view_of(
        make_job(1, gpus=1),
        make_job(2, request=asked),
        memory=2 << 30,
        gpus=4,
        others={"lic": 1, "other": 9},
    )
    plan = decide(view, EASY, 10.0)
    assert plan.starts[1] == Start(
        job=2, index=-1, cpus=2, memory=1 << 30, gpus=(1, 2), others={"lic": 1}, end=70.0
    )
    assert plan.starts[1].claim(5, 10.0) == Claim(
        run=5,
        job=2,
        index=-1,
        cpus=2,
        memory=1 << 30,
        gpus=(1, 2),
        others={"lic": 1},
        start=10.0,
        end=70.0,
    )


def test_gpus_that_come_back_are_given_again() -> None:
    view = view_of(make_job(1, gpus=1, array="0-2"), gpus=3)
    begin(view, decide(view, EASY, 0.0))
    view.release(2)
    view.put_job(make_job(2, gpus=1), PLAIN)
    assert decide(view, EASY, 0.0).starts[0].gpus == (1,)


def test_alone_means_all_of_the_machine() -> None:
    view = view_of(make_job(1, exclusive=True), make_job(2), memory=7, gpus=2)
    plan = decide(view, EASY, 0.0)
    assert units(plan) == [(1, -1)]
    start = plan.starts[0]
    assert (start.cpus, start.memory, start.gpus, start.exclusive) == (4, 7, (0, 1), True)
    begin(view, plan)
    view.set_total(Resources(cpus=8, memory=7, gpus=2))  # it grew: still nobody beside it
    assert not decide(view, EASY, 0.0).starts


def test_a_machine_that_shrank_starts_nothing_until_it_is_within_its_means() -> None:
    view = view_of(make_job(1, array="0-3"), make_job(2))
    begin(view, decide(view, EASY, 0.0))
    view.set_total(Resources(cpus=2))
    for run, expected in ((1, []), (2, []), (3, [(2, -1)])):
        view.release(run)
        assert units(decide(view, EASY, 0.0)) == expected
    assert view.free == Resources(cpus=1)


@pytest.mark.parametrize("gone", [{"gpus": 2}, {"memory": 8}, {"others": {"lic": 2}}], ids=str)
@pytest.mark.parametrize("promises", [0, 1, None])
def test_what_is_held_beyond_what_there_is_keeps_nobody_who_asks_for_none_of_it(
    gone: dict[str, Any], promises: int | None
) -> None:
    view = view_of(make_job(1, **gone), **gone)
    begin(view, decide(view, EASY, 0.0))
    view.set_total(Resources(cpus=4, memory=1, others={"lic": 1}))
    view.put_job(make_job(2), PLAIN)
    view.put_job(make_job(3, memory=1, others={"lic": 1}), PLAIN)
    plan = decide(view, Policy(promises=promises), 1.0)
    assert units(plan) == [(2, -1), *[(3, -1)] * ("gpus" in gone)]


def test_what_is_tried_again_goes_before_the_rest_of_its_array() -> None:
    view = view_of(make_job(1, array="0-9"), cpus=2)
    begin(view, decide(view, EASY, 0.0))
    view.release(2)
    view.put_task(Task(job=1, index=1, attempt=1))
    assert units(decide(view, EASY, 0.0)) == [(1, 1)]


def test_a_throttle_counts_those_with_a_grown_request_too() -> None:
    view = view_of(make_job(1, array="0-9", throttle=2), cpus=8)
    begin(view, decide(view, EASY, 0.0))
    for run, index in ((1, 0), (2, 1)):
        view.release(run)
        view.put_task(Task(job=1, index=index, attempt=1, request=Request(cpus=2 + index)))
    view.put_task(Task(job=1, index=5, attempt=0))
    plan = decide(view, EASY, 0.0)
    assert len(plan.starts) == 2
    assert {index for _, index in units(plan)} <= {0, 1, 5}


def test_depth_ends_the_search_and_says_so() -> None:
    wide = [make_job(n, cpus=4, time_limit=float(n)) for n in range(2, 8)]
    view = view_of(make_job(1), *wide)
    begin(view, decide(view, EASY, 0.0))
    view.put_job(make_job(10, cpus=2, time_limit=1.0), PLAIN)
    short = decide(view, Policy(promises=0, depth=5), 0.0)
    assert (units(short), short.complete) == ([], False)
    long = decide(view, Policy(promises=0, depth=50), 0.0)
    assert (units(long), long.complete) == ([(10, -1)], True)


def test_what_can_never_fit_stands_in_nobodys_way() -> None:
    view = view_of(make_job(1, cpus=9), make_job(2, others={"none": 1}), make_job(3))
    plan = forecast(view, EASY, 0.0)
    assert units(plan) == [(3, -1)]
    assert plan.promises == {}
    assert [reason.code for reason in plan.reasons.values()] == ["TooLarge", "TooLarge"]


def test_no_promise_is_worked_out_where_none_decides_anything() -> None:
    view = view_of(make_job(1, cpus=4, time_limit=9.0), make_job(2, cpus=4, time_limit=9.0))
    plan = decide(view, EASY, 0.0)
    assert plan.promises == {}
    begin(view, plan)
    assert forecast(view, EASY, 0.0).promises == {(2, -1): 9.0}


def test_a_plan_says_when_time_alone_changes_something() -> None:
    view = view_of(make_job(1, begin=50.0))
    view.put_job(make_job(2, begin=40.0), PLAIN)
    assert decide(view, EASY, 0.0).next_wake == 40.0
    view.advance(45.0)
    plan = decide(view, EASY, 45.0)
    assert (units(plan), plan.next_wake) == ([(2, -1)], 50.0)


@pytest.mark.parametrize("promises", [0, 1, 5, None])
def test_an_empty_view_has_an_empty_plan(promises: int | None) -> None:
    view = view_of()
    assert decide(view, Policy(promises=promises), 0.0) == Plan(starts=[])
    assert forecast(view, Policy(promises=promises), 0.0) == Plan(starts=[])


def test_a_newcomer_of_higher_rank_takes_over_and_its_elder_is_promised_anew() -> None:
    policy = Policy(promises=None)
    view = view_of(make_job(1, cpus=4, time_limit=10.0))
    begin(view, decide(view, policy, 0.0))
    view.put_job(make_job(2, cpus=4, time_limit=5.0), PLAIN)
    view.keep(forecast(view, policy, 0.0).promises)
    assert view.promised == {(2, -1): 10.0}
    view.put_job(make_job(3, cpus=4, time_limit=7.0, priority=900), PLAIN)
    assert forecast(view, policy, 0.0).promises == {(3, -1): 10.0, (2, -1): 17.0}


def test_a_changed_request_loses_its_promise() -> None:
    policy = Policy(promises=None)
    view = view_of(make_job(1, cpus=4, time_limit=10.0))
    begin(view, decide(view, policy, 0.0))
    view.put_job(make_job(2, cpus=1, time_limit=5.0), PLAIN)
    view.put_job(make_job(3, cpus=4, time_limit=5.0), PLAIN)
    view.keep(forecast(view, policy, 0.0).promises)
    view.put_job(make_job(2, cpus=4, time_limit=50.0), PLAIN)
    assert view.promised == {(3, -1): 15.0}
