"""Verdicts on dependencies, chains of them that would close, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.records import (
    Dependencies,
    Dependency,
    Outcome,
    Resources,
    State,
    Summary,
    Task,
)
from hpcshell.policy.depend import NOT_YET, Fact, ParentFacts, verdict, would_cycle
from hpcshell.policy.view import PLAIN, View
from tests.policy.made import elements_of, make_job
from tests.policy.world import Act, World, same

GOOD = Task(
    job=1,
    index=0,
    state=State.ENDED,
    outcome=Outcome.COMPLETED,
    attempt=1,
    start_time=5.0,
    end_time=9.0,
)
BAD = Task(
    job=1,
    index=1,
    state=State.ENDED,
    outcome=Outcome.FAILED,
    attempt=1,
    start_time=6.0,
    end_time=8.0,
)
RUNNING = Task(job=1, index=2, state=State.RUNNING, attempt=1, start_time=7.0)
CANCELLED = Task(job=1, index=3, state=State.ENDED, outcome=Outcome.CANCELLED, end_time=4.0)


@pytest.mark.parametrize(
    ("kind", "tasks", "total", "expected"),
    [
        ("after", [], 1, NOT_YET),
        ("after", [GOOD], 2, NOT_YET),
        ("after", [GOOD, RUNNING], 2, 8.0),
        ("after", [GOOD, CANCELLED], 2, 6.0),
        ("afterany", [GOOD, RUNNING], 2, NOT_YET),
        ("afterany", [GOOD, BAD, CANCELLED], 3, 10.0),
        ("afterok", [GOOD], 2, NOT_YET),
        ("afterok", [GOOD], 1, 10.0),
        ("afterok", [BAD], 9, None),
        ("afternotok", [BAD], 2, NOT_YET),
        ("afternotok", [GOOD, BAD], 2, 10.0),
        ("afternotok", [GOOD], 1, None),
    ],
)
def test_a_term_on_a_whole_job(
    kind: str, tasks: list[Task], total: int, expected: float | None
) -> None:
    facts = ParentFacts.of_live(total, tasks)
    assert verdict(Dependency(kind=kind, job=1, delay=1.0), facts) == expected


@pytest.mark.parametrize(
    ("kind", "index", "expected"),
    [
        ("after", 0, 6.0),
        ("after", 2, 8.0),
        ("after", 3, 5.0),
        ("after", 4, NOT_YET),
        ("afterany", 1, 9.0),
        ("afterany", 2, NOT_YET),
        ("afterok", 0, 10.0),
        ("afterok", 1, None),
        ("afternotok", 0, None),
        ("afternotok", 1, 9.0),
        ("aftercorr", 0, 10.0),
        ("aftercorr", 1, None),
    ],
)
def test_a_term_on_one_element(kind: str, index: int, expected: float | None) -> None:
    facts = ParentFacts.of_live(9, [GOOD, BAD, RUNNING, CANCELLED])
    term = Dependency(kind=kind, job=1, index=index, delay=1.0)
    assert verdict(term, facts, index) == expected


def test_an_element_the_parent_never_had_is_never_met_once_the_parent_has_ended() -> None:
    facts = ParentFacts(total=1, begun=1, ended=1, completed=1, elements={0: Fact(1.0, 2.0)})
    assert verdict(Dependency(kind="aftercorr", job=1), facts, 7) is None


def test_an_unknown_parent_is_waited_for() -> None:
    assert verdict(Dependency(kind="afterok", job=1), None) == NOT_YET


def test_facts_of_a_job_that_has_ended_come_from_its_summary() -> None:
    summary = Summary(
        outcome=Outcome.FAILED,
        start_time=5.0,
        end_time=9.0,
        counts={"COMPLETED": 3, "FAILED": 1},
    )
    facts = ParentFacts.of_ended(summary)
    assert (facts.total, facts.begun, facts.ended, facts.completed) == (4, 4, 4, 3)
    assert (facts.last_begin, facts.last_end) == (5.0, 9.0)


def test_a_child_of_a_job_that_has_ended_is_settled_when_it_is_put() -> None:
    view = View(Resources(cpus=1))
    child = make_job(2, dependencies=terms("afterok"))
    assert view.needs(child) == [1]
    view.know(1, ParentFacts(total=1, begun=1, ended=1, completed=1, last_end=3.0))
    view.put_job(child, PLAIN)
    assert [line.entry.job.id for line in view.queue.turn] == [2]


def test_a_clock_that_was_set_back_delays_only_what_asked_for_a_delay() -> None:
    view = View(Resources(cpus=1))
    view.know(1, ParentFacts(total=1, begun=1, ended=1, completed=1, last_end=1000.0))
    view.put_job(make_job(2, dependencies=terms("afterok")), PLAIN)
    view.put_job(make_job(3, dependencies=terms("afterok", delay=60.0)), PLAIN)
    view.advance(10.0)
    assert [line.entry.job.id for line in view.queue.turn] == [2]
    assert view.next_wake() == 1060.0


def terms(*kinds: str, **more: object) -> Dependencies:
    return Dependencies(
        terms=tuple(Dependency(kind=kind, job=1, **more) for kind in kinds)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("kind", "exit_code", "sentence"),
    [
        ("afterok", 1, "afterok:1 can never be met: job 1 did not complete"),
        ("afternotok", 0, "afternotok:1 can never be met: job 1 completed"),
    ],
)
def test_what_can_never_be_met_is_told_with_its_reason(
    kind: str, exit_code: int, sentence: str
) -> None:
    world = World(Resources(cpus=1))
    world.submit(make_job(1), same(Act(1.0, exit_code)))
    world.submit(make_job(2, held="user", dependencies=terms(kind)))
    world.run()
    assert not world.view.impossible(world.now)  # it is held: its user knows of it
    world.amend(2, held="")
    assert world.view.impossible(world.now) == [(2, None, Outcome.CANCELLED, sentence)]


def test_on_never_hold_holds() -> None:
    world = World(Resources(cpus=1))
    world.submit(make_job(1), same(Act(1.0, 1)))
    dependencies = Dependencies(terms=terms("afterok").terms, on_never="hold")
    world.submit(make_job(2, dependencies=dependencies))
    world.run()
    assert world.jobs[2].held == "dependency"
    assert 2 in world.left


def test_cancelling_one_parent_element_ends_only_its_own_child_element() -> None:
    world = World(Resources(cpus=2))
    world.submit(make_job(1, array="0-2"))
    world.submit(make_job(2, array="0-2", dependencies=terms("aftercorr")))
    world.at(0.0, lambda: world.cancel((1, 1)), order=2)
    world.run()
    outcomes = [world.outcome(2, index) for index in elements_of(world.jobs[2])]
    assert outcomes == [Outcome.COMPLETED, Outcome.CANCELLED, Outcome.COMPLETED]


@pytest.mark.parametrize(
    ("parents", "graph", "chain"),
    [
        ([2], {}, None),
        ([1], {}, [1, 1]),
        ([2], {2: [1]}, [1, 2, 1]),
        ([2, 3], {2: [4], 3: [4], 4: [5]}, None),
        ([2], {2: [3], 3: [4], 4: [1]}, [1, 2, 3, 4, 1]),
    ],
)
def test_a_chain_that_would_close_is_named(
    parents: list[int], graph: dict[int, list[int]], chain: list[int] | None
) -> None:
    assert would_cycle(1, parents, lambda job: graph.get(job, [])) == chain


@given(st.dictionaries(st.integers(1, 8), st.lists(st.integers(1, 8), max_size=3)))
def test_the_chain_named_is_one_that_is_there(graph: dict[int, list[int]]) -> None:
    def lookup(job: int) -> Iterable[int]:
        return graph.get(job, [])

    chain = would_cycle(1, lookup(1), lookup)
    reachable: set[int] = set()
    queue = list(lookup(1))
    while queue:
        job = queue.pop()
        if job not in reachable:
            reachable.add(job)
            queue.extend(lookup(job))
    assert (chain is not None) == (1 in reachable)
    if chain is not None:
        assert chain[0] == chain[-1] == 1
        assert all(b in lookup(a) for a, b in pairwise(chain))
