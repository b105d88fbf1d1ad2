"""Suspend, resume and preempt, said to the daemon on the bench."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.errors import NotYet, Wrong
from hpcshell.daemon.runner import wire
from tests.support.benches import Bench, Clock


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
    assert not bench.complaints()


def only(answer: dict[str, Any]) -> dict[str, Any]:
    [line] = answer["jobs"]
    return dict(line)


def ends(bench: Bench, job: int) -> None:
    """The runner has ended it, as it was told to."""
    bench.runner.end(bench.run_of(job), None, signal=15)
    bench.settle()


# -- suspend and resume -------------------------------------------------------------------------


def test_it_stands_still_and_its_cpus_are_free(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true", request={"cpus": 3, "memory": 600, "gpus": 1})
    line = only(bench.ask("suspend", ids=[job]))
    assert (line["was"], line["now"]) == ("RUNNING", "SUSPENDED")
    assert bench.runner.suspended == {bench.run_of(job)}
    free = bench.engine.view.free
    assert (free.cpus, free.memory, free.gpus) == (4, 400, 1)
    [claim] = bench.ask("resources")["claims"]
    assert (claim["cpus"], claim["memory"], claim["suspended"]) == (0, 600, True)
    clock.pass_time(30.0)
    shown = bench.show(job)
    assert (shown["suspended"], shown["reason_code"]) == (30.0, "Suspended")
    assert "suspended by" in shown["reason"]
    line = only(bench.ask("resume", ids=[job]))
    assert (line["was"], line["now"]) == ("SUSPENDED", "RUNNING")
    clock.pass_time(5.0)
    bench.finish(job)
    shown = bench.show(job)
    assert (shown["state"], shown["suspended"]) == ("COMPLETED", 30.0)
    assert bench.ask("history")["rows"][0]["suspended"] == 30.0


def test_its_time_limit_stands_still(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true", request={"time_limit": 100.0})
    run = bench.run_of(job)
    clock.pass_time(10.0)
    bench.ask("suspend", ids=[job])
    clock.pass_time(1000.0)
    bench.ask("edit", ids=[job], changes={"time_limit": 200.0})
    bench.ask("resume", ids=[job])
    assert bench.runner.limits[run] == 200.0
    claim = bench.engine.view.claims[run]
    assert claim.end == claim.start + 1200.0
    assert bench.engine.runs[run].claim == claim


def test_its_deadline_does_not(bench: Bench, clock: Clock) -> None:
    deadline = clock.wall + 100.0
    job = bench.submit("true", deadline=deadline, request={"time_limit": 90.0})
    run = bench.run_of(job)
    clock.pass_time(10.0)
    bench.ask("suspend", ids=[job])
    [order] = [order for order in bench.runner.orders if isinstance(order, wire.Suspend)]
    assert order.within == 90.0
    clock.pass_time(50.0)
    bench.ask("resume", ids=[job])
    assert bench.engine.view.claims[run].end == deadline
    assert bench.runner.limits[run] == 50.0  # 10 have passed, and 40 are left


def test_what_overstays_its_deadline_suspended_ends_by_it(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true", deadline=clock.wall + 100.0)
    bench.ask("suspend", ids=[job])
    clock.pass_time(100.0)
    bench.runner.stopping[bench.run_of(job)] = "deadline"
    ends(bench, job)
    assert bench.state(job) == "DEADLINE"


def test_what_others_have_taken_is_waited_for(bench: Bench) -> None:
    job = bench.submit("true", request={"cpus": 3})
    bench.ask("suspend", ids=[job])
    other = bench.submit("true", request={"cpus": 2})
    line = only(bench.ask("resume", ids=[job]))
    assert (line["was"], line["now"]) == ("SUSPENDED", "SUSPENDED")
    assert "as soon as its CPUs are free" in line["later"]
    shown = bench.show(job)
    assert shown["reason_code"] == "Resources"
    assert "goes on as soon as its CPUs are free" in shown["reason"]
    [told] = bench.ask("explain", ids=[job])["jobs"]
    assert told["state"] == "SUSPENDED"
    assert told["reason"]["sentence"] == "it waits for 3 cpus (2 of 4 are free)"
    bench.crash()
    bench.settle()
    bench.finish(other)
    assert bench.state(job) == "RUNNING"
    assert not bench.runner.suspended


def test_to_suspend_once_more_takes_a_resume_back(bench: Bench) -> None:
    job = bench.submit("true", request={"cpus": 3})
    bench.ask("suspend", ids=[job])
    other = bench.submit("true", request={"cpus": 2})
    bench.ask("resume", ids=[job])
    bench.ask("suspend", ids=[job])
    bench.finish(other)
    assert bench.state(job) == "SUSPENDED"


@pytest.mark.parametrize(
    ("verb", "why"),
    [("suspend", "only what runs can be suspended"), ("resume", "nothing to resume")],
)
def test_what_waits_is_left_alone(bench: Bench, verb: str, why: str) -> None:
    job = bench.submit("true", hold=True)
    answer = bench.ask(verb, ids=[job])
    assert not answer["jobs"]
    assert why in answer["unchanged"][0]["why"]
    bench.ask("cancel", ids=[job])
    assert bench.ask(verb, ids=[job])["unchanged"][0]["ended"]


@pytest.mark.parametrize("verb", ["suspend", "resume", "preempt"])
def test_a_dry_run_changes_nothing(bench: Bench, verb: str) -> None:
    job = bench.submit("true")
    assert bench.ask(verb, ids=[job], dry_run=True)["jobs"]
    assert bench.state(job) == "RUNNING"


def test_one_element_of_an_array_is_suspended(bench: Bench) -> None:
    job = bench.submit("true", array="0-3")
    bench.ask("suspend", ids=[f"{job}_2"])
    assert bench.show(job)["elements"]["counts"] == {"RUNNING": 3, "SUSPENDED": 1}
    assert bench.show(job)["state"] == "RUNNING"
    bench.ask("suspend", ids=[job])
    assert bench.show(job)["state"] == "SUSPENDED"
    assert len(bench.ask("queue", states=["SUSPENDED"])["rows"]) == 1
    bench.ask("resume", ids=[job])
    assert bench.show(job)["elements"]["counts"] == {"RUNNING": 4}


@pytest.mark.parametrize("verb", ["cancel", "requeue"])
def test_what_is_suspended_is_ended_as_what_runs_is(bench: Bench, verb: str, clock: Clock) -> None:
    job = bench.submit("true", request={"cpus": 4})
    bench.ask("suspend", ids=[job])
    clock.pass_time(7.0)
    bench.ask(verb, ids=[job])
    assert bench.state(job) == "COMPLETING"
    assert bench.engine.view.free.cpus == 4
    bench.crash()
    bench.settle()
    run = bench.run_of(job)
    ends(bench, job)
    assert bench.state(job) == ("CANCELLED" if verb == "cancel" else "RUNNING")
    assert bench.store.run(run).claim.suspended is not None  # type: ignore[union-attr]
    story = bench.ask("show", ids=[job], story=True)["jobs"][0]["story"]
    assert [entry["kind"] for entry in story][:3] == ["submit", "start", "suspend"]


def test_somebody_kills_it(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true")
    bench.ask("suspend", ids=[job])
    clock.pass_time(3.0)
    bench.runner.end(bench.run_of(job), None, signal=9)
    bench.settle()
    shown = bench.show(job)
    assert (shown["state"], shown["signal"], shown["suspended"]) == ("FAILED", 9, 3.0)
    assert bench.engine.view.free == bench.engine.view.total


def test_it_is_lost_with_the_machine(bench: Bench) -> None:
    job = bench.submit("true")
    bench.ask("suspend", ids=[job])
    bench.runner.lose(bench.run_of(job))
    bench.settle()
    assert bench.show(job)["attempt"] == 2
    assert (bench.state(job), bench.show(job)["suspended"]) == ("RUNNING", 0.0)


# -- what is recorded is carried out ------------------------------------------------------------


def test_an_order_that_got_lost_is_given_again(bench: Bench) -> None:
    job = bench.submit("true")
    run = bench.run_of(job)
    bench.runner.obeys = False
    bench.ask("suspend", ids=[job])
    bench.crash()
    bench.runner.obeys = True
    bench.settle()
    assert bench.runner.suspended == {run}
    bench.runner.obeys = False
    bench.ask("resume", ids=[job])
    bench.crash()
    bench.runner.obeys = True
    bench.settle()
    assert not bench.runner.suspended


def test_what_could_not_be_started_yet_is_suspended_when_it_is(bench: Bench, clock: Clock) -> None:
    bench.runner.busy = True
    job = bench.submit("true")
    bench.ask("suspend", ids=[job])
    bench.runner.busy = False
    clock.pass_time(2.0)
    bench.settle()
    assert bench.runner.suspended == {bench.run_of(job)}


def test_a_runner_of_an_earlier_version_cannot(bench: Bench) -> None:
    job = bench.submit("true")
    bench.runner.protocol = 2
    bench.runner.say_standing()
    bench.settle()
    for verb, more in (("suspend", {}), ("preempt", {"mode": "suspend"})):
        with pytest.raises(NotYet, match="earlier version"):
            bench.ask(verb, ids=[job], **more)
    assert bench.state(job) == "RUNNING"


# -- preempt ------------------------------------------------------------------------------------

CHECKPOINT = {"number": 10, "before": 60.0, "to": "leader"}


def stops(bench: Bench) -> list[wire.Stop]:
    return [order for order in bench.runner.orders if isinstance(order, wire.Stop)]


def test_it_goes_back_into_the_queue_and_that_is_no_retry(bench: Bench) -> None:
    job = bench.submit("true", checkpoint=CHECKPOINT, retry={"limit": 1, "delay": 0.0}, grace=7.0)
    line = only(bench.ask("preempt", ids=[job]))
    assert (line["was"], line["now"]) == ("RUNNING", "COMPLETING")
    [stop] = stops(bench)
    assert (stop.cause, stop.grace) == ("preempt", 7.0)
    assert stop.ahead == wire.Warn(10, 60.0, "leader")
    bench.crash()
    bench.settle()
    assert stops(bench)[-1] == stop, "said again, word for word"
    ends(bench, job)
    shown = bench.show(job)
    assert (shown["state"], shown["attempt"], shown["preempted"]) == ("RUNNING", 2, 1)
    bench.finish(job, code=3)
    assert bench.show(job)["attempt"] == 3, "the one retry is still to be had"
    bench.finish(job, code=3)
    assert bench.state(job) == "FAILED"


def test_a_new_run_is_told_how_often_it_was_started_again(bench: Bench) -> None:
    job = bench.submit("true")
    bench.ask("preempt", ids=[job])
    ends(bench, job)
    first, second = (order for order in bench.runner.orders if isinstance(order, wire.Start))
    for name in ("HPC_RESTART_COUNT", "SLURM_RESTART_COUNT"):
        assert (first.env[name], second.env[name]) == ("0", "1")
    files = {order.env["HPC_CHECKPOINT_FILE"] for order in (first, second)}
    assert files == {f"{bench.places.checkpoints}/{order.run}" for order in (first, second)}


@pytest.mark.parametrize(("mode", "requeue"), [("cancel", True), ("requeue", False)])
def test_it_ends_as_preempted_where_it_may_not_go_back(
    bench: Bench, mode: str, requeue: bool
) -> None:
    job = bench.submit("true", requeue=requeue, retry={"limit": 3})
    bench.ask("preempt", ids=[job], mode=mode, grace=1.0)
    assert stops(bench)[-1].grace == 1.0
    ends(bench, job)
    shown = bench.show(job)
    assert shown["state"] == "PREEMPTED"
    assert "preempted by" in shown["reason"]


def test_it_goes_on_by_itself_when_what_took_its_place_is_over(bench: Bench) -> None:
    job = bench.submit("true", request={"cpus": 4})
    other = bench.submit("true", request={"cpus": 2}, priority=900)
    assert bench.state(other) == "PENDING"
    bench.ask("preempt", ids=[job], mode="suspend")
    assert (bench.state(job), bench.state(other)) == ("SUSPENDED", "RUNNING")
    bench.finish(other)
    assert bench.state(job) == "RUNNING"


@pytest.mark.parametrize("mode", ["requeue", "cancel"])
def test_a_suspended_one_makes_room_too(bench: Bench, mode: str) -> None:
    job = bench.submit("true", request={"memory": 1000})
    bench.ask("suspend", ids=[job])
    bench.ask("preempt", ids=[job], mode=mode)
    ends(bench, job)
    assert bench.state(job) == ("RUNNING" if mode == "requeue" else "PREEMPTED")


def test_a_cancel_is_stronger(bench: Bench) -> None:
    job = bench.submit("true", checkpoint=CHECKPOINT)
    bench.ask("preempt", ids=[job])
    bench.ask("cancel", ids=[job])
    assert stops(bench)[-1].ahead is None
    ends(bench, job)
    assert bench.state(job) == "CANCELLED"


def test_only_the_modes_there_are(bench: Bench) -> None:
    job = bench.submit("true")
    with pytest.raises(Wrong):
        bench.ask("preempt", ids=[job], mode="pause")
