"""Elements that follow others in their place, without a tick in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcshell.core.errors import NotYet
from hpcshell.core.records import Resources
from hpcshell.daemon.runner import wire
from hpcshell.daemon.succession import BRIEF, DEPTH
from tests.support.benches import Bench, Clock, submission


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    """A machine with one processor."""
    bench = Bench(tmp_path, Resources(cpus=1))
    yield bench
    assert all(count == 1 for count in bench.runner.begun.values()), "a run was started twice"
    assert not bench.complaints()
    bench.close()


def lending(bench: Bench, array: str = "0-99", **fields: object) -> int:
    """An array whose first element has shown that it is brief, so that others follow."""
    job = bench.submit("true", array=array, **fields)
    bench.finish(job, 0)
    return job


def running(bench: Bench) -> list[int]:
    return [claim.index for claim in bench.engine.view.claims.values()]


def test_behind_a_brief_element_the_next_ones_are_lent(bench: Bench) -> None:
    job = lending(bench)
    assert running(bench) == [1]
    assert [run.index for run in bench.engine.followers.values()] == list(range(2, 2 + DEPTH))
    assert bench.state(f"{job}_2") == "PENDING"


def test_one_follows_the_other_before_the_daemon_hears_of_it(bench: Bench) -> None:
    job = lending(bench)
    for _ in range(3):
        [run] = bench.runner.alive
        bench.runner.end(run)
    assert len(bench.runner.alive) == 1
    bench.settle()
    assert running(bench) == [4]
    assert [bench.state(f"{job}_{index}") for index in range(5)] == 4 * ["COMPLETED"] + ["RUNNING"]


def test_a_follower_begins_when_the_one_before_it_ends(bench: Bench, clock: Clock) -> None:
    job = lending(bench)
    clock.pass_time(0.25)
    bench.finish(job, 1)
    [claim] = bench.engine.view.claims.values()
    assert claim.start == clock.wall == bench.show(f"{job}_2")["start_time"]


def test_its_time_limit_counts_from_its_own_beginning(bench: Bench, clock: Clock) -> None:
    job = lending(bench, request={"time_limit": 60.0})
    clock.pass_time(0.5)
    bench.finish(job, 1)
    [claim] = bench.engine.view.claims.values()
    assert claim.end == clock.wall + 60.0


def test_nothing_is_lent_where_elements_take_their_time(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true", array="0-9")
    clock.pass_time(BRIEF)
    bench.finish(job, 0)
    assert running(bench) == [1]
    assert not bench.engine.followers


def test_nothing_is_lent_while_something_else_goes_first(bench: Bench) -> None:
    job = bench.submit("true", array="0-9")
    bench.submit("true", hold=True, priority=900)
    bench.finish(job, 0)
    assert running(bench) == [1]
    assert not bench.engine.followers


def test_what_is_lent_is_taken_back_before_anybody_changes_the_queue(bench: Bench) -> None:
    lending(bench)
    urgent = bench.submit("true", priority=900)
    assert not bench.engine.followers
    assert not bench.runner.followers
    bench.finish(1, 1)
    assert bench.state(urgent) == "RUNNING", "it goes before elements that had been lent"


def test_whoever_only_looks_does_not_disturb(bench: Bench) -> None:
    job = lending(bench)
    bench.show(job)
    bench.ask("queue")
    assert bench.engine.followers


def test_a_cancelled_array_has_nothing_that_still_begins(bench: Bench) -> None:
    job = lending(bench)
    bench.ask("cancel", ids=[job])
    assert len(bench.runner.alive) == 1
    bench.finish(job, 1)
    assert not bench.runner.alive
    assert bench.state(job) == "CANCELLED"
    assert all(run.end_time is not None for run in bench.store.runs(job, 5))


def test_what_was_taken_back_starts_under_the_id_it_had(bench: Bench) -> None:
    job = lending(bench)
    [ids] = [{run.index: run.id for run in bench.engine.followers.values()}]
    bench.submit("true", hold=True)
    bench.finish(job, 1)
    assert bench.run_of(job, 2) == ids[2]
    assert [run.id for run in bench.store.runs(job, 2)] == [ids[2]]


def test_a_request_does_not_wait_for_ever_for_a_runner_that_is_silent(
    bench: Bench, clock: Clock
) -> None:
    job = lending(bench)
    bench.runner.obeys = False
    number = bench.send("hold", ids=[job])
    bench.settle()
    assert not any(said["id"] == number for said in bench.heard())
    clock.pass_time(5.0)
    bench.settle()
    assert bench.answer(number)


def test_a_request_that_waits_is_refused_when_the_disk_is_full(bench: Bench) -> None:
    job = lending(bench)
    bench.runner.obeys = False
    number = bench.send("hold", ids=[job])
    bench.tick()

    def full(when: str, _count: int, _kind: str) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    bench.on_write = full
    bench.runner.end(bench.runner.alive[0])
    bench.tick()
    with pytest.raises(NotYet):
        bench.answer(number)
    bench.on_write = None
    bench.runner.obeys = True
    assert all("full" in said["error"] for said in bench.complaints())
    Path(bench.places.daemon_log).write_text("")


def test_what_follows_a_long_one_is_taken_back(bench: Bench, clock: Clock) -> None:
    lending(bench)
    for _ in range(3):
        clock.pass_time(BRIEF)
        bench.settle()
    assert not bench.runner.followers


def test_what_follows_is_taken_back_when_there_is_room_beside_it(
    tmp_path: Path, clock: Clock
) -> None:
    bench = Bench(tmp_path, Resources(cpus=2))
    job = bench.submit("true", array="0-4")
    bench.finish(job, 0)
    bench.finish(job, 2)
    slow = bench.run_of(job, 1)
    while len(bench.runner.alive) > 1 or len(bench.runner.reports) > 1:
        bench.runner.end(next(run for run in bench.runner.alive if run != slow))
        bench.settle()
    states = [bench.state(f"{job}_{index}") for index in range(5)]
    assert states == ["COMPLETED", "RUNNING", *3 * ["COMPLETED"]], "one waited behind the slow one"
    bench.close()


@pytest.mark.parametrize("heard", [True, False])
def test_a_crash_of_the_daemon_loses_nothing_that_was_lent(bench: Bench, heard: bool) -> None:
    job = lending(bench, "0-19")
    [run] = bench.runner.alive
    bench.runner.end(run)
    if heard:
        bench.settle()
    bench.crash()
    bench.settle()
    assert len(bench.runner.alive) == 1
    while bench.runner.alive:
        bench.runner.end(bench.runner.alive[0])
        bench.settle()
    assert bench.state(job) == "COMPLETED"
    assert len(bench.runner.begun) == 20


def test_a_runner_of_the_time_before_is_lent_nothing(bench: Bench) -> None:
    bench.runner.protocol = 1
    bench.runner.say_standing()
    bench.settle()
    lending(bench)
    assert not bench.engine.followers


def test_a_follower_that_cannot_be_started_just_now_is_tried_again(
    bench: Bench, clock: Clock
) -> None:
    job = lending(bench)
    bench.runner.busy = True
    bench.finish(job, 1)
    assert bench.state(f"{job}_2") == "RUNNING"
    assert not bench.runner.alive
    bench.runner.busy = False
    clock.pass_time(2.0)
    bench.settle()
    assert len(bench.runner.alive) == 1


def test_submissions_while_an_array_rushes_by_are_answered_in_order(bench: Bench) -> None:
    lending(bench)
    numbers = [bench.send("submit", submissions=[submission("true")]) for _ in range(5)]
    bench.settle()
    said = [answer for answer in bench.heard() if "ok" in answer]
    assert [answer["id"] for answer in said] == numbers
    ids = [answer["ok"]["jobs"][0]["id"] for answer in said]
    assert ids == sorted(ids)


def test_recalls_that_cross_with_new_orders_settle(bench: Bench) -> None:
    """The runner ends a run while the daemon still lends behind it: what came too late returns."""
    job = lending(bench, "0-49")
    for late in (1, DEPTH, DEPTH + 1, 3):
        for _ in range(late):
            if bench.runner.alive:
                bench.runner.end(bench.runner.alive[0])
        bench.tick()
        if bench.runner.alive:
            bench.runner.end(bench.runner.alive[0])
        bench.settle()
    while bench.runner.alive:
        bench.runner.end(bench.runner.alive[0])
        bench.settle()
    assert bench.state(job) == "COMPLETED"
    assert isinstance(bench.runner.orders[0], wire.Start)


def test_nothing_is_handed_on_of_a_machine_that_has_become_smaller(
    tmp_path: Path, clock: Clock
) -> None:
    bench = Bench(tmp_path, Resources(cpus=2))
    job = bench.submit("true", array="0-99")
    bench.finish(job, 0)
    bench.total = Resources(cpus=1)
    bench.ask("reload")
    for _ in range(6):
        bench.runner.end(bench.runner.alive[0])
        bench.settle()
    assert len(bench.runner.alive) == 1
    bench.close()


def test_a_run_that_may_have_begun_before_the_machine_went_down_is_not_started_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = lending(bench, "0-5")
    [lent, *_] = bench.engine.followers.values()
    bench.runner.reports.clear()
    bench.runner.followers.give_back()
    monkeypatch.setattr("hpcshell.machine.clock.boot_id", lambda: "another")
    bench.crash()
    bench.settle()
    runs = bench.store.runs(job, lent.index)
    assert runs[0].id == lent.id
    assert runs[0].end_time is not None
    while bench.runner.alive:
        bench.runner.end(bench.runner.alive[0])
        bench.settle()
    assert bench.state(job) == "COMPLETED"
    assert lent.id not in bench.runner.begun


def test_a_change_waits_also_where_nobody_knows_any_more_what_is_lent(
    bench: Bench, clock: Clock
) -> None:
    job = lending(bench)
    bench.runner.obeys = False
    clock.set_wall(-3600.0)  # the queue is loaded again
    number = bench.send("cancel", ids=[job])
    bench.settle()
    assert not any(said["id"] == number for said in bench.heard())
    bench.runner.obeys = True
    back = bench.runner.followers.give_back()
    bench.runner.said.append(wire.Recalled(runs=back, answers=bench.engine.recalls))
    bench.settle()
    assert bench.answer(number)


def test_only_the_answer_to_the_last_recall_means_that_nothing_is_lent(bench: Bench) -> None:
    lending(bench)
    bench.runner.obeys = False
    bench.send("hold", ids=[bench.submit("true")])
    bench.tick()
    [recall] = [order for order in bench.runner.orders if isinstance(order, wire.Recall)]
    bench.runner.said.append(bench.runner.standing())  # heard before the answer: asked anew
    back = bench.runner.followers.give_back()
    bench.runner.said.append(wire.Recalled(runs=back, answers=recall.number))
    bench.tick()
    assert bench.engine.recalling, "what was lent since may still be there"
    bench.runner.said.append(wire.Recalled(runs=[], answers=recall.number + 1))
    bench.runner.obeys = True
    bench.settle()
    assert not bench.engine.recalling


# -- links of a chain --------------------------------------------------------------------------


def chain(bench: Bench, links: int) -> list[int]:
    """Jobs that wait one for the other; the first runs."""
    jobs = [bench.submit("true", hold=True)]
    for _ in range(links - 1):
        jobs.append(bench.submit("true", dependency=f"afterok:{jobs[-1]}"))
    bench.ask("release", ids=[jobs[0]])
    return jobs


def test_the_links_of_a_chain_follow_one_the_other(bench: Bench) -> None:
    jobs = chain(bench, 5)
    assert [run.job for run in bench.engine.followers.values()] == jobs[1:]
    for _ in jobs:
        [run] = bench.runner.alive
        bench.runner.end(run)
    bench.settle()
    assert {bench.state(job) for job in jobs} == {"COMPLETED"}


def test_a_chain_breaks_where_a_link_fails(bench: Bench) -> None:
    jobs = chain(bench, 4)
    bench.runner.end(bench.runner.alive[0])
    bench.runner.end(bench.runner.alive[0], 1)
    assert not bench.runner.alive
    bench.settle()
    states = [bench.state(job) for job in jobs]
    assert states == ["COMPLETED", "FAILED", "CANCELLED", "CANCELLED"]
    assert all(run.end_time is not None for job in jobs for run in bench.store.runs(job, -1))


def test_a_link_that_is_tried_again_keeps_the_next_one_waiting(bench: Bench, clock: Clock) -> None:
    first = bench.submit("true", hold=True, retry={"limit": 1, "delay": 5.0})
    second = bench.submit("true", dependency=f"afterok:{first}")
    bench.ask("release", ids=[first])
    bench.finish(first, code=1)
    assert bench.state(second) == "PENDING"
    clock.pass_time(10.0)
    bench.settle()
    bench.finish(first)
    assert [bench.state(job) for job in (first, second)] == ["COMPLETED", "RUNNING"]
