"""Reservations and the state of the node, said to the daemon on the bench."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hpcshell.core.errors import HpcError, NotFound, Refused, Wrong
from hpcshell.core.records import Resources
from hpcshell.daemon.admission import user_name
from hpcshell.daemon.runner import wire
from tests.support.benches import Bench, Clock, configuration

ME = user_name(os.geteuid())


@contextmanager
def opened(bench: Bench) -> Iterator[Bench]:
    yield bench
    bench.close()
    assert not bench.complaints()


@pytest.fixture
def bench(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    with opened(Bench(tmp_path)) as bench:
        yield bench


@pytest.fixture
def with_cards(tmp_path: Path, clock: Clock) -> Iterator[Bench]:
    with opened(Bench(tmp_path, total=Resources(cpus=4, gpus=4))) as bench:
        yield bench


def reserve(bench: Bench, name: str = "week", **args: Any) -> dict[str, Any]:
    now = bench.loop.started
    asked = {"start": now + 100.0, "duration": 200.0, "cpus": 2, "users": [ME], **args}
    return dict(bench.ask("reserve", name=name, **asked)["reservation"])


def names(bench: Bench) -> list[str]:
    return [one["name"] for one in bench.ask("reservations")["reservations"]]


def story(bench: Bench) -> list[str]:
    return [entry.cause for entry in bench.store.events(0) if entry.job is None]


def turn(bench: Bench, clock: Clock, seconds: float) -> None:
    clock.pass_time(seconds)
    bench.settle()


# -- reservations --------------------------------------------------------------------------------


def test_it_is_on_record_before_it_is_answered_and_there_after_a_crash(bench: Bench) -> None:
    made = reserve(bench)
    assert (made["state"], made["sets_apart"], made["users"]) == ("INACTIVE", "2 cpus", [ME])
    assert [one.name for one in bench.store.reservations()] == ["week"]
    bench.crash()
    assert bench.ask("reservations", name="week")["reservations"] == [made]


def test_a_commit_that_fails_sets_nothing_apart(bench: Bench) -> None:
    def fail(when: str, count: int, kind: str) -> None:
        if kind == "commit":
            raise sqlite3.OperationalError("disk I/O error")

    bench.on_write = fail
    with pytest.raises(HpcError):
        reserve(bench)
    bench.on_write = None
    assert names(bench) == []
    assert bench.engine.view.book.known == {}
    assert bench.complaints()
    Path(bench.places.daemon_log).write_text("")  # it is as it should be


def test_jobs_wait_for_it_run_in_it_and_others_keep_out(bench: Bench, clock: Clock) -> None:
    reserve(bench)
    mine = bench.submit("true", request={"time_limit": 60.0, "cpus": 2}, reservation="week")
    shown = bench.show(mine)
    assert (shown["state"], shown["reason_code"]) == ("PENDING", "Reservation")
    assert shown["reason"] == "reservation week begins in 1m 40s"
    wide = bench.submit("true", request={"time_limit": 150.0, "cpus": 3})
    shown = bench.show(wide)
    assert shown["reason"] == (
        "it would run into reservation week (2 cpus), which begins in 1m 40s and lasts 3m 20s"
    )
    [told] = bench.ask("explain", ids=[wide])["jobs"]
    assert told["promise"]["start"] == clock.wall + 300.0
    assert bench.engine.view.next_wake() == clock.wall + 100.0, "it wakes when that begins"
    turn(bench, clock, 100.0)
    assert bench.show(mine)["state"] == "RUNNING"
    [claim] = bench.ask("resources")["claims"]
    assert claim["reservation"] == "week"
    [one] = bench.ask("reservations")["reservations"]
    assert (one["state"], one["used"]["cpus"], one["jobs"]) == ("ACTIVE", 2, [mine])
    bench.finish(mine)
    turn(bench, clock, 200.0)
    assert bench.show(wide)["state"] == "RUNNING"
    assert names(bench) == []
    assert story(bench)[-1] == "reservation week is no more: it is over"
    assert not bench.store.reservations()


def test_in_which_it_runs_is_known_after_a_crash(bench: Bench, clock: Clock) -> None:
    reserve(bench, start=clock.wall)
    mine = bench.submit("true", request={"time_limit": 60.0}, reservation="week")
    assert bench.show(mine)["state"] == "RUNNING"
    bench.crash()
    bench.settle()
    [one] = bench.ask("reservations")["reservations"]
    assert one["used"]["cpus"] == 1


def drawn_anew(bench: Bench) -> None:
    bench.settings = configuration(scheduler={"order": "wfp3"})
    bench.configure(bench.engine)


@pytest.mark.parametrize(
    "upset",
    [Bench.crash, drawn_anew, Bench.settle],
    ids=["crash", "other settings", "nothing"],
)
def test_its_cards_stay_when_another_ends(
    with_cards: Bench, clock: Clock, upset: Callable[[Bench], object]
) -> None:
    bench = with_cards
    bench.submit("true", request={"cpus": 1, "gpu_share": 50})  # so cards count one by one
    now = bench.loop.started
    reserve(bench, "first", start=now, duration=100.0, cpus=1, gpus=1)
    reserve(bench, "second", start=now, duration=900.0, cpus=1, gpus=1)
    turn(bench, clock, 110.0)
    assert names(bench) == ["second"]
    asked = {"cpus": 1, "gpus": 1, "time_limit": 60.0}
    upset(bench)
    bench.settle()
    pools = ("", "second", "")
    jobs = [bench.submit("true", request=asked, reservation=pool) for pool in pools]
    claims = {claim.job: claim.gpus for claim in bench.engine.view.claims.values()}
    assert [claims.get(job) for job in jobs] == [(1,), (2,), (3,)]


def test_it_is_let_go_when_nobody_has_used_it(bench: Bench, clock: Clock) -> None:
    reserve(bench, start=clock.wall, idle=50.0)
    job = bench.submit("true", request={"time_limit": 90.0}, reservation="week")
    turn(bench, clock, 80.0)
    bench.finish(job)
    turn(bench, clock, 40.0)
    assert names(bench) == ["week"]
    turn(bench, clock, 11.0)
    assert names(bench) == []
    assert story(bench)[-1] == "reservation week is no more: nobody has used it"
    bench.crash()
    assert names(bench) == []


def test_what_runs_when_it_begins_runs_on(bench: Bench, clock: Clock) -> None:
    job = bench.submit("true", request={"cpus": 4})
    reserve(bench, "maint", all=True, users=[], cpus=None)
    turn(bench, clock, 150.0)
    assert bench.show(job)["state"] == "RUNNING"
    assert bench.ask("node")["state"] == "MAINT"


def test_it_is_changed_in_what_is_named_and_removed(bench: Bench, clock: Clock) -> None:
    made = reserve(bench)
    bench.ask("reserve", name="week", edit=True, cpus=3)
    moved = bench.ask("reserve", name="week", edit=True, start=clock.wall + 10.0)["reservation"]
    assert (moved["total"]["cpus"], moved["end"] - moved["start"]) == (3, 200.0)
    bench.ask("reserve", name="week", edit=True, users=[], accounts=["lab"], idle=60.0, flex=True)
    changed = bench.ask("reserve", name="week", edit=True, idle=0.0)["reservation"]
    assert (changed["accounts"], changed["flex"], changed["idle"]) == (["lab"], True, None)
    assert made["accounts"] == []
    bench.ask("unreserve", name="week", dry_run=True)
    assert names(bench) == ["week"]
    bench.ask("unreserve", name="week")
    assert names(bench) == []
    with pytest.raises(NotFound):
        bench.ask("unreserve", name="week")


def test_what_waits_for_one_that_was_removed_says_so(bench: Bench) -> None:
    reserve(bench)
    job = bench.submit("true", request={"time_limit": 60.0}, reservation="week")
    bench.ask("unreserve", name="week")
    assert bench.show(job)["reason_code"] == "ReservationDeleted"
    bench.ask("edit", ids=[job], changes={"reservation": ""})
    bench.settle()
    assert bench.show(job)["state"] == "RUNNING"


def test_a_dry_run_tells_and_sets_nothing_apart(bench: Bench) -> None:
    assert reserve(bench, dry_run=True)["name"] == "week"
    assert names(bench) == []


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"reservation": "month"}, Wrong),
        ({"reservation": "a\nb"}, Wrong),
        ({"reservation": "week", "request": {"time_limit": 60.0, "cpus": 3}}, Wrong),
        ({"reservation": "week", "request": {"time_limit": 201.0}}, Wrong),
        ({"reservation": "week"}, Wrong),
        ({"reservation": "theirs", "request": {"time_limit": 60.0}}, Refused),
    ],
)
def test_a_job_that_cannot_run_in_it_is_refused(
    bench: Bench, asked: dict[str, Any], error: type[HpcError]
) -> None:
    reserve(bench)
    reserve(bench, "theirs", users=["somebody"])
    with pytest.raises(error) as found:
        bench.submit("true", **asked)
    assert found.value.hint
    ours = bench.submit("true", request={"time_limit": 1e6})
    if "request" in asked:
        bench.ask("hold", ids=[ours])
        changes = {"reservation": asked["reservation"], **asked["request"]}
        with pytest.raises((error, Refused)):
            bench.ask("edit", ids=[ours], changes=changes)


def test_for_whom_nobody_knows_it_is_told(bench: Bench) -> None:
    now = bench.loop.started
    asked = {"start": now + 100.0, "duration": 200.0, "cpus": 1}
    answer = bench.ask("reserve", name="week", users=[ME, "no.such.one"], **asked)
    assert answer["notes"] == ["this machine knows no user 'no.such.one'"]
    assert bench.ask("reserve", name="next", users=[ME], **asked)["notes"] == []


HOSTILE = ("", " ", "a b", "a,b", "none", "a\nb", "\x1b[2J", "x" * 256, "\u202eevil", "a\0b")


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_names_that_could_not_be_typed_or_shown_are_refused(bench: Bench, name: str) -> None:
    with pytest.raises(Wrong):
        reserve(bench, name)
    with pytest.raises(Wrong):
        reserve(bench, users=[name])


@pytest.mark.parametrize("name", ["../x", "-rf", "$(id)", "%n", "<b>", "'; DROP TABLE job;--", "é"])
def test_names_that_are_only_strange_are_kept_as_they_are(bench: Bench, name: str) -> None:
    if " " in name:
        with pytest.raises(Wrong):
            reserve(bench, name)
        return
    reserve(bench, name)
    bench.crash()
    assert names(bench) == [name]


@pytest.mark.parametrize(
    "args",
    [
        {"start": -1.0},
        {"start": 1e300},
        {"start": "soon"},
        {"start": None},
        {"duration": None},
        {"duration": 0.0},
        {"duration": -5.0},
        {"duration": 1e300},
        {"end": 5.0, "duration": None},
        {"start": 1.0},
        {"cpus": -1},
        {"cpus": 2**80},
        {"cpus": 5},
        {"cpus": 0},
        {"cpus": 1.5},
        {"memory": 2000},
        {"others": {"seats": 4}},
        {"others": {"desks": 1}},
        {"idle": -1.0},
        {"idle": 0.001},
        {"users": "ann"},
        {"users": [1]},
        {"flex": "maybe"},
    ],
    ids=str,
)
def test_figures_that_mean_nothing_are_refused(bench: Bench, args: dict[str, Any]) -> None:
    with pytest.raises((Wrong, Refused)):
        reserve(bench, **args)
    assert names(bench) == []
    assert bench.loop.trouble is None


# -- the node ------------------------------------------------------------------------------------


def test_a_drained_machine_starts_nothing_and_what_runs_runs_on(bench: Bench) -> None:
    runs = bench.submit("true")
    answer = bench.ask("set_node", state="drain", reason="new disk")
    assert (answer["state"], answer["was"], answer["reason"]) == ("DRAINING", "MIXED", "new disk")
    waits = bench.submit("true")
    shown = bench.show(waits)
    assert (shown["state"], shown["reason_code"]) == ("PENDING", "Drained")
    assert shown["reason"].endswith("it is drained (new disk)")
    bench.finish(runs)
    assert bench.ask("node")["state"] == "DRAINED"
    bench.crash()
    bench.settle()
    assert bench.show(waits)["state"] == "PENDING"
    assert bench.ask("hello")["node"]["reason"] == "new disk"
    answer = bench.ask("set_node", state="up")
    assert (answer["accepts"], answer["reason"]) == (True, None)
    bench.settle()
    assert bench.show(waits)["state"] == "RUNNING"
    assert [cause.split(" by ")[0] for cause in story(bench)] == [
        "the machine was drained",
        "the machine was resumed",
    ]


def test_a_machine_that_is_down_puts_back_what_runs(bench: Bench) -> None:
    back = bench.submit("true")
    over = bench.submit("true", requeue=False)
    answer = bench.ask("set_node", state="down", reason="power")
    assert answer["stopped"] == [back, over]
    stops = [order for order in bench.runner.orders if isinstance(order, wire.Stop)]
    assert len(stops) == 2
    for job in (back, over):
        bench.runner.end(bench.run_of(job), None, signal=15)
    bench.settle()
    assert bench.show(back)["state"] == "PENDING"
    assert bench.show(over)["state"] == "NODE_FAIL"
    assert bench.show(over)["reason"] == "the machine is down: power"
    assert bench.ask("node")["state"] == "DOWN"
    bench.ask("set_node", state="up")
    bench.settle()
    assert bench.show(back)["state"] == "RUNNING"


@pytest.mark.parametrize(
    "args",
    [{"state": "sideways"}, {"state": 1}, {"state": "drain", "reason": "a\nb"}, {"reason": 5}],
    ids=str,
)
def test_nonsense_about_the_machine_is_refused(bench: Bench, args: dict[str, Any]) -> None:
    with pytest.raises(Wrong):
        bench.ask("set_node", **args)
    assert bench.ask("node")["state"] == "IDLE"


def test_nothing_follows_a_run_while_the_machine_is_drained(bench: Bench) -> None:
    bench.submit("true", array="0-9", request={"cpus": 4})
    bench.ask("set_node", state="drain")
    for _ in range(3):
        for run in bench.runner.alive:
            bench.runner.end(run)
        bench.settle()
    assert sum(bench.runner.begun.values()) == 1
