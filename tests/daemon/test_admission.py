"""What can never start is refused when it comes in and when it is edited; what a change of the
limits makes so is told that."""

from __future__ import annotations

from typing import Any

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Resources
from tests.support.benches import Bench, Make, configuration, submission

LIMITED = {"partitions": {"main": {}, "few": {"max_cpus_per_user": 3}}}
PAIR = {"name": "g", "size": 2}
TOO_LARGE = "with 1 more of gang g it asks for more than there is: 6 cpus in all"
TOO_MANY = "in partition few may hold 3 cpus; together they ask for 4 cpus"
NEVER = "it never starts, unless the limit is raised, or less is asked for"


def member(bench: Bench, cpus: int, **fields: Any) -> int:
    return bench.submit("true", gang=PAIR, request={"cpus": cpus}, **fields)


def edit(bench: Bench, job: int, **changes: Any) -> None:
    bench.ask("edit", ids=[job], changes=changes)


def explained(bench: Bench, job: int) -> dict[str, Any]:
    [told] = bench.ask("explain", ids=[job])["jobs"]
    assert isinstance(told, dict)
    return told


# -- gangs ------------------------------------------------------------------------------------


def test_members_that_are_held_count_at_submit(make: Make) -> None:
    bench = make()
    member(bench, 3, hold=True)
    with pytest.raises(Wrong, match=TOO_LARGE):
        member(bench, 3, hold=True)
    member(bench, 1)


def test_members_that_wait_for_another_job_count_at_submit(make: Make) -> None:
    bench = make()
    parent = bench.submit("true", hold=True)
    member(bench, 3, dependency=f"afterany:{parent}")
    with pytest.raises(Wrong, match=TOO_LARGE):
        member(bench, 3, dependency=f"afterany:{parent}")


def test_members_that_come_in_at_once_count_at_submit(make: Make) -> None:
    bench = make()
    both = [submission("true", gang=PAIR, request={"cpus": 3})] * 2
    with pytest.raises(Wrong, match=TOO_LARGE):
        bench.ask("submit", submissions=both)
    assert bench.ask("queue")["total"] == 0


def test_no_edit_makes_a_gang_larger_than_the_machine(make: Make) -> None:
    bench = make()
    first, second = member(bench, 2, hold=True), member(bench, 2, hold=True)
    with pytest.raises(Wrong, match="5 cpus in all"):
        edit(bench, first, cpus=3)
    with pytest.raises(Wrong, match="cannot start together with others"):
        edit(bench, second, exclusive=True)
    edit(bench, first, cpus=1)
    edit(bench, second, cpus=3)


def test_members_that_are_edited_at_once_count_as_they_are_to_be(make: Make) -> None:
    bench = make(**LIMITED)
    both = [member(bench, cpus, hold=True) for cpus in (1, 3)]
    with pytest.raises(Wrong, match=TOO_LARGE):
        bench.ask("edit", ids=both, changes={"cpus": 3})
    bench.ask("edit", ids=both, changes={"cpus": 2})
    with pytest.raises(Wrong, match=TOO_MANY):
        bench.ask("edit", ids=both, changes={"partition": "few"})
    assert [bench.show(job)["partition"] for job in both] == ["main", "main"]


def test_the_members_of_a_gang_that_has_become_too_large_can_be_edited(make: Make) -> None:
    bench = make()
    first, second = member(bench, 2, hold=True), member(bench, 2, hold=True)
    bench.total = Resources(cpus=2, memory=1000)
    bench.crash()
    edit(bench, first, name="renamed")
    edit(bench, first, cpus=1)
    edit(bench, second, cpus=1)
    bench.ask("release", ids=[first, second])
    bench.settle()
    assert [bench.state(job) for job in (first, second)] == ["RUNNING", "RUNNING"]


def test_a_rerun_is_refused_that_could_not_start_with_those_of_its_gang(make: Make) -> None:
    bench = make()
    gone = member(bench, 3, hold=True)
    bench.ask("cancel", ids=[gone])
    member(bench, 2, hold=True)
    with pytest.raises(Wrong, match="5 cpus in all"):
        bench.ask("rerun", ids=[gone])


# -- limits -----------------------------------------------------------------------------------


def test_who_has_the_machine_for_itself_counts_as_all_of_it(make: Make) -> None:
    bench = make(**LIMITED)
    job = bench.submit("true", hold=True, request={"cpus": 1}, partition="few")
    whole = {"cpus": 1, "exclusive": True}
    with pytest.raises(Wrong, match="may hold 3 cpus; this asks for 4 cpus"):
        bench.submit("true", request=whole, partition="few")
    with pytest.raises(Wrong, match="may hold 3 cpus; this asks for 4 cpus"):
        edit(bench, job, exclusive=True)
    alone = bench.submit("true", hold=True, request=whole)
    with pytest.raises(Wrong, match="may hold 3 cpus; this asks for 4 cpus"):
        edit(bench, alone, partition="few")


def test_a_gang_that_a_limit_never_lets_start_together_is_refused(make: Make) -> None:
    bench = make(**LIMITED)
    first = member(bench, 2, partition="few", hold=True)
    with pytest.raises(Wrong, match=TOO_MANY):
        member(bench, 2, partition="few", hold=True)
    second = member(bench, 1, partition="few", hold=True)
    with pytest.raises(Wrong, match=TOO_MANY):
        edit(bench, second, cpus=2)
    bench.ask("cancel", ids=[second])
    other = member(bench, 2, hold=True)
    with pytest.raises(Wrong, match=TOO_MANY):
        edit(bench, other, partition="few")
    edit(bench, first, cpus=1)
    edit(bench, other, partition="few")


def test_a_gang_of_more_jobs_than_may_run_at_once_is_refused(make: Make) -> None:
    bench = make(partitions={"main": {"max_jobs_per_user": 1}})
    member(bench, 1)
    with pytest.raises(Wrong, match="may run 1 job at once; these are 2"):
        member(bench, 1)


def test_a_gang_that_a_lowered_limit_keeps_is_told_so(make: Make) -> None:
    bench = make(partitions={"main": {}, "few": {}})
    first, second = (member(bench, 2, partition="few", hold=True) for _ in range(2))
    bench.settings = configuration(**LIMITED)
    bench.ask("reload")
    bench.ask("release", ids=[first, second])
    bench.settle()
    for job in (first, second):
        told = explained(bench, job)
        assert TOO_MANY in told["reason"]["sentence"]
        assert told["promise"] == {"start": None, "why": NEVER}
        assert TOO_MANY in bench.show(job)["reason"]


def test_a_job_that_a_lowered_limit_keeps_is_told_that_it_never_starts(make: Make) -> None:
    bench = make(partitions={"main": {}, "few": {}})
    job = bench.submit("true", hold=True, request={"cpus": 4}, partition="few")
    bench.settings = configuration(**LIMITED)
    bench.ask("reload")
    bench.ask("release", ids=[job])
    bench.settle()
    assert explained(bench, job)["promise"] == {"start": None, "why": NEVER}
