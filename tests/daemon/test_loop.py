"""The loop on the bench: one tick at a time, with a runner that pretends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.errors import Broken, HpcError
from hpcshell.daemon import hearing, loop
from hpcshell.daemon.runner import wire
from tests.support.benches import Bench, Clock, submission


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_a_job_is_started_and_its_end_is_told(bench: Bench) -> None:
    job = bench.submit("true")
    assert bench.state(job) == "RUNNING"
    bench.finish(job, code=3)
    assert bench.show(job)["exit_code"] == 3
    assert bench.state(job) == "FAILED"
    assert not bench.runner.reports, "its end was acknowledged"
    assert not bench.complaints()


# -- what follows from what, in one tick -------------------------------------------------------


def test_a_start_lets_go_at_once_what_waits_for_it(bench: Bench) -> None:
    first = bench.submit("true", hold=True)
    second = bench.submit("true", dependency=f"after:{first}")
    bench.ask("release", ids=[first])
    assert bench.state(second) == "RUNNING"


def test_what_ends_in_a_tick_counts_for_what_is_submitted_in_it(bench: Bench) -> None:
    parent = bench.submit("true", array="0-2")
    bench.crash()  # from now on the store is asked how far it has got
    bench.settle()
    for index in (0, 1):
        bench.runner.end(bench.run_of(parent, index))
    child = bench.submit("true", dependency=f"afterany:{parent}")
    bench.finish(parent, 2)
    assert bench.state(child) == "RUNNING"


def test_a_hopeless_chain_ends_at_once_to_its_last_link(bench: Bench) -> None:
    jobs = [bench.submit("true", hold=True)]
    for _ in range(5):
        jobs.append(bench.submit("true", dependency=f"afterok:{jobs[-1]}"))
    bench.ask("cancel", ids=[jobs[0]])
    assert {bench.state(job) for job in jobs} == {"CANCELLED"}


def test_dropped_elements_are_counted_after_a_restart(bench: Bench) -> None:
    job = bench.submit("true", array="0-9%2")
    bench.ask("cancel", ids=[job], states=["PENDING"])
    bench.crash()
    bench.settle()
    for index in (0, 1):
        bench.finish(job, index)
    assert bench.show(job)["elements"]["counts"] == {"CANCELLED": 8, "COMPLETED": 2}
    assert "cancelled by" in bench.show(job)["reason"]


# -- the time limit ----------------------------------------------------------------------------


def test_an_edited_limit_survives_a_crash(bench: Bench) -> None:
    job = bench.submit("true", request={"time_limit": 60.0})
    bench.ask("edit", ids=[job], changes={"time_limit": 600.0})
    run = bench.run_of(job)
    assert bench.runner.limits[run] == 600.0
    bench.runner.limits[run] = 60.0  # the order was lost with the daemon
    bench.crash()
    bench.settle()
    assert bench.runner.limits[run] == 600.0


# -- a machine that cannot start it now --------------------------------------------------------


def test_a_deferred_start_is_tried_again_a_second_later(bench: Bench, clock: Clock) -> None:
    bench.runner.busy = True
    job = bench.submit("true")
    run = bench.run_of(job)
    assert run not in bench.runner.begun
    bench.runner.busy = False
    clock.pass_time(1.5)
    bench.settle()
    assert bench.runner.begun[run] == 1


def test_a_deferred_start_is_not_forgotten_when_a_commit_fails(bench: Bench, clock: Clock) -> None:
    bench.runner.busy = True
    job = bench.submit("true")
    run = bench.run_of(job)
    bench.on_write = broken
    with pytest.raises(HpcError):
        bench.submit("true")
    bench.on_write = None
    bench.runner.busy = False
    clock.pass_time(3.0)
    bench.settle()
    bench.settle()
    assert bench.runner.begun[run] == 1


def test_a_deferred_start_can_be_cancelled(bench: Bench, clock: Clock) -> None:
    bench.runner.busy = True
    job = bench.submit("true")
    bench.ask("cancel", ids=[job])
    clock.pass_time(1.5)
    bench.settle()
    assert bench.state(job) == "CANCELLED"


def test_a_deferred_start_that_was_made_good_elsewhere_is_left_alone(
    bench: Bench, clock: Clock
) -> None:
    bench.runner.busy = True
    job = bench.submit("true")
    bench.runner.busy = False
    bench.runner.close()
    bench.runner.open()  # the standing lacks the run: it is ordered again
    bench.settle()
    bench.ask("cancel", ids=[job])
    clock.pass_time(1.5)
    bench.settle()
    assert bench.state(job) == "COMPLETING", "it runs, and has been told to stop"


def broken(when: str, count: int, kind: str) -> None:
    raise Broken("the disk is gone")


# -- defects of ours ---------------------------------------------------------------------------


def test_a_word_that_cannot_be_digested_spoils_no_other(
    bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, poison, last = (bench.submit("true") for _ in range(3))
    poisoned = bench.run_of(poison)

    def stumble(engine: Any, event: wire.AnyEvent) -> None:
        if isinstance(event, wire.Ended) and event.run == poisoned:
            raise KeyError("a defect")
        hearing.hear(engine, event)

    monkeypatch.setattr(loop, "hear", stumble)
    for job in (first, poison, last):
        bench.runner.end(bench.run_of(job))
    for _ in range(8):
        bench.tick()
        clock.pass_time(1.5)
    assert bench.state(first) == bench.state(last) == "COMPLETED"
    assert bench.state(poison) == "RUNNING"
    assert {line["message"] for line in bench.complaints()} >= {"a tick failed", "left out"}
    monkeypatch.undo()
    bench.crash()
    bench.settle()
    assert bench.state(poison) == "COMPLETED", "its end is told again after a restart"


# -- who listens -------------------------------------------------------------------------------


def test_a_follower_hears_every_event_once(bench: Bench) -> None:
    bench.send("submit", submissions=[submission("true", hold=True)])
    bench.send("events", since=0, follow=True)
    bench.send("submit", submissions=[submission("true", hold=True)])
    bench.settle()
    bench.ask("cancel", ids=["1"])
    told = [said["event"]["seq"] for said in bench.heard() if "event" in said]
    assert told == sorted(set(told))


def test_one_look_and_one_change_are_answered_in_their_order(bench: Bench) -> None:
    numbers = [
        bench.send("submit", submissions=[submission("true", hold=True)]),
        bench.send("show", ids=["1"]),
        bench.send("cancel", ids=["1"]),
        bench.send("show", ids=["1"]),
    ]
    bench.settle()
    said = bench.heard()
    assert [line["id"] for line in said] == numbers
    assert said[3]["ok"]["jobs"][0]["state"] == "CANCELLED"


def test_who_waited_and_left_is_forgotten(bench: Bench) -> None:
    job = bench.submit("true")
    for _ in range(3):
        bench.send("wait", ids=[job])
        bench.send("events", follow=True)
        bench.settle()
    assert len(bench.loop.watchers.waits[job]) == 3
    bench.peer.close()
    bench.tick()
    assert not bench.loop.watchers.waits
    assert not bench.loop.watchers.followers


def test_a_wait_that_is_over_leaves_nothing_behind(bench: Bench) -> None:
    job = bench.submit("true")
    bench.send("wait", ids=[job])
    bench.settle()
    bench.finish(job)
    assert not bench.peer.gone
    assert not bench.loop.watchers.waits
