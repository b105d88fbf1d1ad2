"""Gangs: whatever is accepted can start together, and what is refused never could."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Gang, Job, Resources
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.gang import admit_member, company
from hpcshell.policy.view import View
from tests.policy.made import elements_of, make_job


def accepted(view: View, job: Job) -> bool:
    """Whether the job may come in beside what is there; then it does."""
    try:
        admit_member(job, view.queue.gates.gangs.members(job), view.room)
    except Wrong:
        return False
    view.put_job(job, elements_of(job))
    return True


def view_of(*jobs: Job, cpus: int = 6) -> View:
    view = View(Resources(cpus=cpus, gpus=2))
    for job in jobs:
        view.put_job(job, elements_of(job))
    return view


# -- laws -------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=4))
def test_a_gang_is_accepted_if_and_only_if_it_can_start(asked: list[tuple[int, bool]]) -> None:
    view, gang = view_of(), Gang(name="g", size=len(asked))
    jobs = [
        make_job(number, cpus=cpus, held="user" if held else "", gang=gang)
        for number, (cpus, held) in enumerate(asked, 1)
    ]
    if not all(accepted(view, job) for job in jobs):
        assert sum(cpus for cpus, _ in asked) > 6
        return
    for job in jobs:
        view.put_job(replace(job, held=""), elements_of(job))
    assert {start.job for start in decide(view, Policy(), 0.0).starts} == {job.id for job in jobs}


@given(st.integers(1, 4), st.integers(0, 12), st.data())
def test_all_that_wait_are_parted_into_gangs_in_their_order(
    size: int, count: int, data: st.DataObject
) -> None:
    jobs = [make_job(number, gang=Gang(name="g", size=size)) for number in range(1, count + 1)]
    met = [company(job, jobs) for job in jobs]
    for job, mine in zip(jobs, met, strict=True):
        assert job in mine
        assert all(met[other.id - 1] == mine for other in mine)
        assert len(mine) <= size
    new = make_job(99, gang=Gang(name="g", size=size))
    assert len(company(new, jobs)) == count % size + 1


# -- whom a member counts with -----------------------------------------------------------------


def test_a_member_that_is_over_or_has_begun_does_not_count() -> None:
    gang = Gang(name="g", size=2)
    jobs = [make_job(number, cpus=3, gang=gang) for number in (1, 2)]
    view = view_of(*jobs)
    assert [job.id for job in view.queue.gates.gangs.members(jobs[0])] == [1, 2]
    view.job_finished(1)
    assert [job.id for job in view.queue.gates.gangs.members(jobs[0])] == [2]
    view.queue.start(view.queue.jobs[2], -1)
    assert view.queue.gates.gangs.members(jobs[0]) == []


def test_a_complete_gang_that_waits_is_not_in_the_way_of_another_of_its_name() -> None:
    gang = Gang(name="g", size=2)
    view = view_of(*(make_job(number, cpus=3, held="user", gang=gang) for number in (1, 2)))
    assert accepted(view, make_job(3, cpus=5, gang=gang))
    assert not accepted(view, make_job(4, cpus=2, gang=gang))
    assert accepted(view, make_job(5, cpus=1, gang=gang))


def test_a_gang_that_is_too_large_is_told_what_it_asks_for_and_what_there_is() -> None:
    gang = Gang(name="g", size=2)
    view = view_of(make_job(1, cpus=6, held="user", gang=gang))
    new = make_job(2, cpus=6, gang=gang)
    with pytest.raises(Wrong, match="12 cpus in all; this machine has 6 cpus"):
        admit_member(new, view.queue.gates.gangs.members(new), view.room)


def test_held_members_of_another_size_are_refused_too() -> None:
    view = view_of(make_job(1, held="user", gang=Gang(name="g", size=2)))
    new = make_job(2, gang=Gang(name="g", size=3))
    with pytest.raises(Wrong, match="is to have 2 members, not 3"):
        admit_member(new, view.queue.gates.gangs.members(new), view.room)
