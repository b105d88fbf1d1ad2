"""The policies of a configuration in the daemon: limits, preemption, usage, and another one at any
time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hpcshell.core.errors import NotYet, Wrong
from hpcshell.daemon.admission import user_name
from tests.support.benches import Bench, Clock, Make, configuration

ME = user_name(os.geteuid())


def asks(cpus: int = 1, limit: float | None = 600.0) -> dict[str, Any]:
    return {"cpus": cpus, "time_limit": limit}


# -- limits -------------------------------------------------------------------------------------


def test_what_a_limit_never_lets_start_is_refused(make: Make) -> None:
    bench = make(qos={"short": {"max_time": "10m", "max_cpus_per_user": 2}})
    with pytest.raises(Wrong, match="QOS short may run for 10m; this asks for 20m"):
        bench.submit(qos="short", request=asks(limit=1200.0))
    with pytest.raises(Wrong, match="may hold 2 cpus; this asks for 3 cpus"):
        bench.submit(qos="short", request=asks(cpus=3))
    job = bench.submit(qos="short", request=asks())
    with pytest.raises(Wrong, match="may run for 10m"):
        bench.ask(
            "edit",
            ids=[bench.submit(qos="short", hold=True, request=asks())],
            changes={"time_limit": 1200.0},
        )
    assert bench.state(job) == "RUNNING"


def test_one_too_many_is_refused_for_now(make: Make) -> None:
    bench = make(limits={"max_submit_jobs": 3})
    array = bench.submit(array="0-1", request=asks(cpus=4))
    with pytest.raises(NotYet, match=f"user {ME} may have 3 jobs waiting or running and has 2"):
        bench.submit(array="0-1")
    bench.submit()
    bench.crash()
    bench.settle()
    with pytest.raises(NotYet, match="has 3"):
        bench.submit()
    bench.finish(array, 0)
    bench.submit()


def test_all_submitted_together_count_together(make: Make) -> None:
    bench = make(limits={"max_submit_jobs": 1})
    two = [{"argv": ["true"], "cwd": "/", "env": {}}] * 2
    with pytest.raises(NotYet):
        bench.ask("submit", submissions=two)
    assert bench.ask("queue")["total"] == 0


def test_limits_keep_jobs_waiting_and_say_so(make: Make) -> None:
    bench = make(users={ME: {"max_jobs": 1}})
    first, second = bench.submit(), bench.submit()
    assert bench.show(second)["reason_code"] == "AssocMaxJobsLimit"
    told = bench.ask("explain", ids=[second])["jobs"][0]
    assert "1 is running" in told["reason"]["sentence"]
    bench.finish(first)
    assert bench.state(second) == "RUNNING"


def test_unknown_names_are_refused_once_there_are_any(make: Make) -> None:
    bench = make(qos={"high": {}}, accounts={"physics": {"users": {ME: 1}}})
    with pytest.raises(Wrong, match="no QOS 'hihg'"):
        bench.submit(qos="hihg")
    with pytest.raises(Wrong, match="no account 'phisics'"):
        bench.submit(account="phisics")
    job = bench.submit(qos="high")
    assert bench.show(job)["account"] == "physics"


# -- another configuration at any time ----------------------------------------------------------


def test_another_order_holds_at_once(make: Make) -> None:
    bench = make()
    running = bench.submit(request=asks(cpus=4))
    long, short = (bench.submit(request=asks(4, limit)) for limit in (900.0, 60.0))
    assert [row["id"] for row in bench.ask("queue")["rows"]] == [running, long, short]
    bench.settings = configuration(scheduler={"order": "sjf"})
    bench.ask("reload")
    assert [row["id"] for row in bench.ask("queue")["rows"]] == [running, short, long]
    bench.finish(running)
    assert (bench.state(short), bench.state(long)) == ("RUNNING", "PENDING")


def test_nothing_is_lost_when_the_policy_changes(make: Make, clock: Clock) -> None:
    bench = make()
    parent = bench.submit(request=asks(2))
    child = bench.submit(dependency=f"afterok:{parent}")
    array = bench.submit(array="0-5", request=asks(1))
    bench.finish(array, 0)
    held = bench.submit(hold=True)
    before = [bench.state(job) for job in (parent, child, array, held)]
    claims = dict(bench.engine.view.claims)
    bench.settings = configuration(
        scheduler={"order": "multifactor", "backfill": "conservative", "predict": "last2"},
        limits={"max_jobs": 100},
    )
    bench.ask("reload")
    assert bench.engine.view.claims == claims
    assert [bench.state(job) for job in (parent, child, array, held)] == before
    assert bench.engine.policy.promises is None
    bench.finish(parent)
    for index in range(1, 6):
        bench.finish(array, index)
    assert bench.state(child) == "RUNNING"
    bench.finish(child)
    assert bench.state(array) == "COMPLETED"
    assert bench.state(held) == "PENDING"


def test_a_file_that_is_wrong_changes_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make(scheduler={"order": "ljf"})
    view = bench.engine.view

    def wrong(_: Any) -> None:
        raise Wrong("hpcshell.toml line 2: [priority] has no key 'aeg'", "did you mean age?")

    monkeypatch.setattr(bench.loop, "configure", wrong)
    with pytest.raises(Wrong):
        bench.ask("reload")
    assert bench.engine.view is view
    assert bench.engine.host.settings.scheduler.order == "ljf"


def test_promises_stay_while_order_limits_and_rights_do(make: Make) -> None:
    bench = make()
    view = bench.engine.view
    bench.settings = replace(bench.settings, daemon=replace(bench.settings.daemon, linger=60.0))
    bench.ask("reload")
    assert bench.engine.view is view


# -- fair share ---------------------------------------------------------------------------------

TWO = {"physics": {"users": {ME: 1}}, "biology": {"users": {ME: 1}}}


def factor(bench: Bench, account: str) -> float:
    [row] = [
        row
        for row in bench.ask("fairshare")["rows"]
        if (row["account"], row["user"]) == (account, ME)
    ]
    return float(row["factor"])


def test_usage_counts_while_a_run_goes_on_and_outlives_every_end(make: Make, clock: Clock) -> None:
    bench = make(scheduler={"order": "fairshare"}, accounts=TWO, fairshare={"half_life": "1h"})
    job = bench.submit(account="physics", request=asks(4, None))
    assert factor(bench, "physics") == 1.0
    clock.pass_time(100.0)
    bench.settle()
    low = factor(bench, "physics")
    assert low < factor(bench, "biology") == 1.0
    bench.crash()
    bench.settle()
    assert factor(bench, "physics") == pytest.approx(low)
    clock.pass_time(50.0)
    bench.finish(job)
    used = usage(bench, "physics")
    assert used == pytest.approx(600.0, rel=0.05)
    bench.crash()
    bench.settle()
    assert usage(bench, "physics") == pytest.approx(used)
    clock.pass_time(3600.0)
    assert usage(bench, "physics") == pytest.approx(used / 2)


def usage(bench: Bench, account: str) -> float:
    rows = bench.ask("fairshare")["rows"]
    return float(
        next(row["usage"] for row in rows if (row["account"], row["user"]) == (account, ME))
    )


def test_what_was_kept_is_charged_once(make: Make, clock: Clock) -> None:
    bench = make(accounts=TWO, fairshare={"half_life": "unlimited"})
    first = bench.submit(account="physics", request=asks(2, None))
    second = bench.submit(account="biology", request=asks(1, None))
    clock.pass_time(70.0)
    bench.tick()
    assert bench.store.kept("usage")
    clock.pass_time(30.0)
    bench.finish(first)
    third = bench.submit(account="physics", request=asks(1, None))
    clock.pass_time(10.0)
    bench.finish(third)
    bench.crash()
    bench.settle()
    clock.pass_time(10.0)
    assert usage(bench, "physics") == pytest.approx(2 * 100 + 10)
    assert usage(bench, "biology") == pytest.approx(120.0)
    bench.finish(second)
    assert usage(bench, "biology") == pytest.approx(120.0)


def test_usage_goes_over_to_another_tree(make: Make, clock: Clock) -> None:
    bench = make(accounts=TWO, fairshare={"half_life": "unlimited"})
    bench.submit(account="physics", request=asks(2, None))
    clock.pass_time(50.0)
    bench.settings = configuration(
        accounts={"science": {}, "physics": {"parent": "science", "users": {ME: 2}}},
        fairshare={"half_life": "unlimited", "algorithm": "tree"},
        scheduler={"order": "fairshare"},
    )
    bench.ask("reload")
    clock.pass_time(50.0)
    assert usage(bench, "physics") == pytest.approx(200.0)
    depths = [(row["account"], row["depth"]) for row in bench.ask("fairshare")["rows"]]
    assert depths[:4] == [("root", 0), ("science", 1), ("physics", 2), ("physics", 3)]


def test_ranks_are_asked_for_again_with_nothing_else_happening(make: Make, clock: Clock) -> None:
    bench = make(scheduler={"order": "wfp3", "rerank": "10s"})
    bench.submit(request=asks(4, None))
    long, short = bench.submit(request=asks(4, 600.0)), bench.submit(request=asks(2, 60.0))
    clock.pass_time(11.0)
    bench.tick()
    found = bench.ask("priority")
    assert [row["id"] for row in found["rows"]] == [short, long]
    assert found["renewed_every"] == 10.0


# -- priority -----------------------------------------------------------------------------------


def test_every_factor_is_shown_with_weight_and_points(make: Make, clock: Clock) -> None:
    bench = make(
        scheduler={"order": "multifactor"},
        priority={"age": 1000, "max_age": "1h", "fairshare": 0, "qos": 500, "partition": 0},
        qos={"high": {"priority": 10}, "low": {"priority": 5}},
    )
    bench.submit(request=asks(4, None))
    low = bench.submit(qos="low", nice=7, request=asks(4))
    high = bench.submit(qos="high", request=asks(4))
    clock.pass_time(1800.0)
    found = bench.ask("priority")
    assert [row["id"] for row in found["rows"]] == [high, low]
    factors = {row["factor"]: row for row in found["rows"][1]["factors"]}
    assert factors["age"] == {"factor": "age", "value": 0.5, "weight": 1000.0, "points": 500.0}
    assert factors["qos"]["points"] == 250.0
    assert factors["nice"]["points"] == -7.0
    assert found["rows"][1]["priority"] == 743.0
    told = bench.ask("explain", ids=[low])["jobs"][0]["standing"]
    assert (told["order"], told["priority"]) == ("multifactor", 743.0)


def test_in_another_qos_and_partition_a_job_has_their_priority(make: Make) -> None:
    bench = make(
        qos={"low": {"priority": -100}, "high": {"priority": 200}},
        partitions={"main": {"priority": 10}, "fast": {"priority": 50}},
    )
    job = bench.submit(qos="low", priority=400, request=asks(), hold=True)
    assert bench.show(job)["priority"] == 310
    bench.ask("edit", ids=[job], changes={"qos": "high"})
    assert bench.show(job)["priority"] == 610
    bench.ask("edit", ids=[job], changes={"partition": "fast", "qos": ""})
    assert bench.show(job)["priority"] == 450
    bench.ask("edit", ids=[job], changes={"qos": "high", "priority": 7})
    assert bench.show(job)["priority"] == 7


# -- preemption ---------------------------------------------------------------------------------

QOS = {"low": {}, "high": {"preempts": ["low"]}}


@pytest.mark.parametrize("mode", ["requeue", "cancel"])
def test_a_qos_ends_runs_of_another(make: Make, clock: Clock, mode: str) -> None:
    bench = make(qos=QOS, scheduler={"preempt_mode": mode})
    victim = bench.submit(qos="low", request=asks(4))
    other = bench.submit(qos="low", request=asks(4))
    maker = bench.submit(qos="high", request=asks(4))
    run = bench.run_of(victim)
    assert bench.runner.stopping == {run: "preempt" if mode == "requeue" else "evict"}
    assert bench.state(victim) == "COMPLETING"
    bench.ask("hold", ids=[other])  # decided again: nobody is preempted twice
    assert len([each for each in bench.runner.orders if type(each).__name__ == "Stop"]) == 1
    bench.runner.end(run, None, signal=15)
    bench.settle()
    assert bench.state(maker) == "RUNNING"
    assert bench.state(victim) == ("PENDING" if mode == "requeue" else "PREEMPTED")
    bench.finish(maker)
    assert mode == "cancel" or bench.state(victim) == "RUNNING"


def test_a_qos_lets_runs_of_another_stand_still(make: Make, clock: Clock) -> None:
    bench = make(qos={**QOS, "low": {"preempt_mode": "suspend"}})
    victim = bench.submit(qos="low", request=asks(4))
    maker = bench.submit(qos="high", request=asks(3))
    assert (bench.state(victim), bench.state(maker)) == ("SUSPENDED", "RUNNING")
    assert bench.runner.suspended == {bench.run_of(victim)}
    clock.pass_time(10.0)
    bench.finish(maker)
    assert bench.state(victim) == "RUNNING"
    assert not bench.runner.suspended


def test_a_crash_in_between_changes_nothing(make: Make, clock: Clock) -> None:
    bench = make(qos=QOS)
    victim = bench.submit(qos="low", request=asks(4))
    maker = bench.submit(qos="high", request=asks(4))
    run = bench.run_of(victim)
    bench.crash()
    bench.settle()
    assert bench.engine.view.leaving.keys() == {run}
    bench.runner.end(run, None, signal=15)
    bench.settle()
    assert (bench.state(maker), bench.state(victim)) == ("RUNNING", "PENDING")


def test_work_is_spared_that_has_no_checkpoint(make: Make, clock: Clock) -> None:
    bench = make(qos=QOS)
    saved, unsaved = (bench.submit(qos="low", request=asks(2)) for _ in range(2))
    clock.pass_time(100.0)
    file = Path(bench.places.checkpoints) / str(bench.run_of(saved))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    os.utime(file, (clock.wall - 1.0, clock.wall - 1.0))
    bench.submit(qos="high", request=asks(2))
    assert (bench.state(saved), bench.state(unsaved)) == ("COMPLETING", "RUNNING")


def test_jobs_take_turns_slice_by_slice(make: Make, clock: Clock) -> None:
    bench = make(partitions={"main": {"time_sliced": True}}, scheduler={"time_slice": "10s"})
    one, two = (bench.submit(request=asks(4, None)) for _ in range(2))
    assert (bench.state(one), bench.state(two)) == ("RUNNING", "PENDING")
    turns = []
    for _ in range(4):
        clock.pass_time(10.0)
        bench.settle()
        turns.append((bench.state(one), bench.state(two)))
    assert turns == [("SUSPENDED", "RUNNING"), ("RUNNING", "SUSPENDED")] * 2
    bench.ask("reload")
    bench.settings = configuration(
        partitions={"main": {"time_sliced": True}}, scheduler={"time_slice": "20s"}
    )
    clock.pass_time(6.0)
    bench.ask("reload")
    assert bench.engine.view.next_wake() == clock.wall + 14.0
    bench.finish(one)
    assert bench.state(two) == "RUNNING"


def test_a_run_is_safe_for_its_time(make: Make, clock: Clock) -> None:
    bench = make(qos={**QOS, "low": {"preempt_exempt_time": "1m"}})
    victim = bench.submit(qos="low", request=asks(4))
    maker = bench.submit(qos="high", request=asks(4))
    assert (bench.state(victim), bench.state(maker)) == ("RUNNING", "PENDING")
    assert bench.engine.view.next_wake() == clock.wall + 60.0
    clock.pass_time(60.0)
    bench.tick()
    assert bench.state(victim) == "COMPLETING"
