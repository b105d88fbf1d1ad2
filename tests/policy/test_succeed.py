"""Which element may take the place of a run: only where deciding would come to the same."""

from __future__ import annotations

from msgspec.structs import replace

from hpcshell.core.records import (
    NO_INDEX,
    Claim,
    Dependencies,
    Dependency,
    Job,
    Outcome,
    Resources,
    Task,
)
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.explain import explain
from hpcshell.policy.succeed import Successor, successor, to_be_taken_back
from hpcshell.policy.view import ParentFacts, View
from tests.policy.made import elements_of, make_job

ARRAY = make_job(5, array="0-9", cpus=2)


def view_with(*jobs: Job, cpus: int = 2) -> View:
    """All that can start has started, as run 1, 2, ..."""
    view = View(Resources(cpus=cpus))
    for job in jobs:
        view.put_job(job, elements_of(job))
    view.advance(0.0)
    for run, start in enumerate(decide(view, Policy(), 0.0).starts, 1):
        view.claim(start.claim(run, 0.0))
    return view


def follower(view: View) -> int | None:
    """Who may follow run 1."""
    found = successor(view, view.claims[1])
    return None if found is None else found.index


def test_the_next_element_of_the_array_follows() -> None:
    assert follower(view_with(ARRAY)) == 1


def test_it_is_the_element_that_would_be_decided_once_the_run_is_over() -> None:
    view = view_with(ARRAY)
    expected = follower(view)
    view.release(1)
    view.task_ended(5, 0, Outcome.COMPLETED, 1.0)
    [start] = decide(view, Policy(), 1.0).starts
    assert start.index == expected


def test_what_is_lent_follows_nobody_else_and_is_not_decided_about() -> None:
    view = view_with(ARRAY)
    view.lend(5, 1)
    assert follower(view) == 2
    view.release(1)
    [start] = decide(view, Policy(), 1.0).starts
    assert start.index == 2


def test_what_is_taken_back_goes_first_again() -> None:
    view = view_with(ARRAY)
    view.lend(5, 1)
    view.put_task(Task(job=5, index=1))
    assert follower(view) == 1


def test_what_has_followed_runs_as_if_decided() -> None:
    view = view_with(ARRAY)
    view.lend(5, 1)
    claim = view.claims[1]
    view.release(1)
    view.task_ended(5, 0, Outcome.COMPLETED, 1.0)
    view.claim(replace(claim, run=2, index=1))
    entry = view.entry(5)
    assert entry is not None
    assert (entry.running, set(entry.begun), set(entry.lent)) == (1, {1}, set())


def test_nobody_follows_while_anything_that_waits_goes_first() -> None:
    for first in (
        make_job(4, cpus=2),
        make_job(9, cpus=2, priority=900),
        make_job(4, held="user"),
        make_job(4, begin=50.0),
    ):
        view = view_with(ARRAY)
        view.put_job(first, elements_of(first))
        assert follower(view) is None
        view.job_finished(first.id)
        assert follower(view) == 1


def test_what_goes_later_is_no_obstacle() -> None:
    later = make_job(6, cpus=1), make_job(7, priority=100)
    assert follower(view_with(ARRAY, *later)) == 1


def test_a_retry_that_has_grown_is_followed_by_nobody_and_follows_nobody() -> None:
    view = view_with(ARRAY)
    grown = Claim(run=1, job=5, index=0, cpus=1, start=0.0)
    assert successor(view, grown) is None
    view.put_task(Task(job=5, index=1, attempt=1))
    assert follower(view) is None


def test_nobody_follows_where_elements_may_not_start_at_all() -> None:
    for fields in ({"held": "user"}, {"deadline": 1000.0}):
        view = view_with(ARRAY)
        view.put_job(replace(ARRAY, **fields), elements_of(ARRAY).without(0))
        assert follower(view) is None
    assert follower(view_with(make_job(5, array="0-9", cpus=2, throttle=1))) is None


def test_what_is_lent_could_start_beside_the_run_once_there_is_room() -> None:
    view = view_with(ARRAY)
    view.lend(5, 1)
    assert not to_be_taken_back(view, 5)
    view.set_total(Resources(cpus=4))
    assert to_be_taken_back(view, 5)


def test_what_is_lent_is_taken_back_when_something_comes_that_goes_first() -> None:
    view = view_with(ARRAY)
    view.lend(5, 1)
    view.put_job(make_job(9, priority=100), elements_of(make_job(9)))
    assert not to_be_taken_back(view, 5)
    view.put_job(make_job(10, priority=900), elements_of(make_job(10)))
    assert to_be_taken_back(view, 5)


# -- links of a chain --------------------------------------------------------------------------


def chain(kind: str = "afterok", **fields: object) -> View:
    """Job 1 runs, job 2 waits for it."""
    term = Dependency(kind=kind, job=1)
    fields = {"dependencies": Dependencies(terms=(term,)), "cpus": 2} | fields
    child = make_job(2, **fields)  # type: ignore[arg-type]
    view = View(Resources(cpus=4))
    for job in (make_job(1, cpus=2), child):
        for parent in view.needs(job):
            view.know(parent, ParentFacts(total=1))
        view.put_job(job, elements_of(job))
    view.advance(0.0)
    [start] = decide(view, Policy(), 0.0).starts
    view.claim(start.claim(1, 0.0))
    return view


def test_a_job_that_waits_for_nothing_but_the_run_follows_it() -> None:
    assert successor(chain(), chain().claims[1]) == Successor(2, NO_INDEX, if_ok=True)


def test_it_is_not_taken_back_for_the_room_beside_the_run() -> None:
    view = chain()
    view.lend(2, NO_INDEX)
    assert view.free.cpus == 2
    assert not to_be_taken_back(view, 2)


def test_a_job_that_lacks_more_than_the_end_of_the_run_does_not_follow() -> None:
    both = (Dependency(kind="afterok", job=1), Dependency(kind="afterok", job=7))
    assert follower(chain("afterany")) is None, "its parent may be tried again"
    for fields in (
        {"dependencies": Dependencies(terms=both)},
        {"dependencies": Dependencies(terms=(Dependency(kind="afterok", job=1, delay=60.0),))},
        {"held": "user"},
        {"begin": 50.0},
        {"deadline": 500.0},
        {"cpus": 1},
        {"array": "0-3"},
    ):
        assert follower(chain(**fields)) is None, fields


def test_why_what_is_lent_waits() -> None:
    view = view_with(ARRAY)
    view.lend(5, 1)
    told = explain(view, Policy(), 5, 1, 0.0)
    assert told.reason.sentence.startswith("it starts in the place of another element")
    view = chain()
    view.lend(2, NO_INDEX)
    assert explain(view, Policy(), 2, NO_INDEX, 0.0).reason.code == "Dependency"
