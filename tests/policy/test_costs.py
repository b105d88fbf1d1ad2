"""Work grows with what changed, not with what waits: counted in calls, so that noise does not
matter."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import pytest

from hpcshell.core.records import Dependencies, Dependency, Job, Outcome, Resources
from hpcshell.policy.bounds import Bounds
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.explain import explain
from hpcshell.policy.limits import Limits, Rule, Throttle
from hpcshell.policy.regime import Regime
from hpcshell.policy.view import View
from tests.policy.made import elements_of, make_job
from tests.policy.regimes import rank_of, shortest


def calls(work: Callable[[], object]) -> int:
    """How many functions, of Python or C, the work calls."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


class Busy:
    """Two CPUs that are always busy."""

    def __init__(self, jobs: list[Job], policy: Policy, regime: Regime | None = None) -> None:
        self.view = View(Resources(cpus=2, gpus=1), regime)
        self.policy = policy
        self.run = 0
        for job in jobs:
            self.view.put_job(job, elements_of(job))
        self.decide()

    def decide(self) -> None:
        self.view.advance(1.0)
        for start in decide(self.view, self.policy, 1.0).starts:
            self.run += 1
            self.view.claim(start.claim(self.run, 1.0))

    def one_ends(self) -> None:
        """An element ends, another starts."""
        run = min(self.view.claims)
        claim = self.view.claims[run]
        self.view.release(run)
        self.view.task_ended(claim.job, claim.index, Outcome.COMPLETED, 1.0)
        entry = self.view.entry(claim.job)
        if entry is not None and not entry.waiting and not entry.running:
            self.view.job_finished(claim.job)
        self.decide()


def separate(number: int) -> list[Job]:
    return [make_job(n) for n in range(1, number + 1)]


def one_array(number: int) -> list[Job]:
    return [make_job(1, array=f"0-{number - 1}")]


def first_in_line_is_wide(number: int) -> list[Job]:
    """What ends makes room for neither the first in line nor the many after it."""
    wide = make_job(3, cpus=2, time_limit=60.0)
    rest = [make_job(n, cpus=1 + n % 2) for n in range(4, number)]
    return [make_job(1, time_limit=9.0), make_job(2, time_limit=9.0), wide, *rest]


def all_different(number: int) -> list[Job]:
    return [make_job(n, time_limit=float(n)) for n in range(1, number)]


def wide_and_different(number: int) -> list[Job]:
    return [make_job(n, cpus=1 + n % 2, time_limit=float(n)) for n in range(1, number)]


def waiting_for_gpus(number: int) -> list[Job]:
    return [make_job(n, gpus=1) for n in range(1, number)]


@pytest.mark.parametrize("promises", [0, 1])
@pytest.mark.parametrize("work", [separate, one_array, first_in_line_is_wide, waiting_for_gpus])
def test_an_end_costs_the_same_whatever_waits(
    work: Callable[[int], list[Job]], promises: int
) -> None:
    policy = Policy(promises=promises)
    few, many = Busy(work(200), policy), Busy(work(20_000), policy)
    assert calls(many.one_ends) <= calls(few.one_ends) * 1.2 + 5


def limited() -> Regime:
    """One user may run one job: it has all but the first two places in line."""
    rule = Rule(kind="user", name="u", limits=Limits(max_running_jobs=1))
    return Regime(bounds=Bounds(Throttle([rule])))


def in_order_of_length() -> Regime:
    return Regime(fill=shortest)


@pytest.mark.parametrize("policy", [Policy(), Policy(promises=0), Policy(backfill=False)])
@pytest.mark.parametrize("regime", [Regime, limited, in_order_of_length])
@pytest.mark.parametrize("work", [all_different, wide_and_different])
def test_and_whoever_is_limited_or_may_pass(
    work: Callable[[int], list[Job]], regime: Callable[[], Regime], policy: Policy
) -> None:
    """No two ask for the same; as many are looked at as the depth says, and no more."""
    few, many = Busy(work(2_000), policy, regime()), Busy(work(20_000), policy, regime())
    assert calls(many.one_ends) <= calls(few.one_ends) * 1.2 + 5


def test_an_order_that_changes_with_time_is_asked_for_once_a_job() -> None:
    regime = Regime(rank=rank_of("wfp3"), timely=True)
    few, many = Busy(separate(200), Policy(), regime), Busy(separate(2_000), Policy(), regime)
    assert calls(many.view.rerank) <= calls(few.view.rerank) * 11


@pytest.mark.parametrize("work", [separate, one_array])
def test_a_submission_costs_the_same_whatever_waits(work: Callable[[int], list[Job]]) -> None:
    few, many = Busy(work(200), Policy()), Busy(work(20_000), Policy())
    job = make_job(30_000)
    in_few = calls(lambda: few.view.put_job(job, elements_of(job)))
    assert calls(lambda: many.view.put_job(job, elements_of(job))) <= in_few * 1.2 + 5


def test_a_million_elements_come_and_go_as_one() -> None:
    view = View(Resources(cpus=2))
    job = make_job(1, array="0-999999")
    million = elements_of(job)
    assert calls(lambda: view.put_job(job, million)) < 200
    dropped = calls(lambda: view.elements_dropped(1, million, Outcome.CANCELLED, 0.0))
    assert dropped < 100


def test_the_short_reason_costs_the_same_whatever_waits() -> None:
    few, many = Busy(separate(200), Policy()), Busy(separate(20_000), Policy())
    short = [
        calls(partial(explain, busy.view, busy.policy, 199, -1, 1.0, brief=True))
        for busy in (few, many)
    ]
    assert short[1] <= short[0] * 1.2 + 5


def test_a_parent_with_many_elements_tells_its_child_only_what_decides() -> None:
    """The end of one of many parents, or of one element of many, does not look at all of them."""
    costs = []
    for number in (50, 2000):
        jobs = [make_job(n) for n in range(1, number + 1)]
        busy = Busy(jobs, Policy())
        child = make_job(number + 1, dependencies=_after_all(number))
        busy.view.put_job(child, elements_of(child))
        costs.append(calls(busy.one_ends))
    assert costs[1] <= costs[0] * 1.2 + 5


def _after_all(number: int) -> Dependencies:
    terms = tuple(Dependency(kind="afterok", job=n) for n in range(1, number + 1))
    return Dependencies(terms=terms)
