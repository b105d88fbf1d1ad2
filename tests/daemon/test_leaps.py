"""P7: whatever somebody does to the wall clock, what is decided is as if nobody had touched it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpcshell.daemon.admission import user_name
from hpcshell.daemon.runner import wire
from tests.support.benches import Bench, Clock, Make, configuration

HOUR, YEAR = 3600.0, 365.25 * 86400
LEAPS: Final = (-YEAR, -HOUR, -2.0, 2.0, HOUR, YEAR)
CPUS: Final = 4

ME: Final = user_name(os.geteuid())
Step = Callable[[Bench, Clock], None]


# -- the law ------------------------------------------------------------------------------------


def submit(cpus: int, limit: float | None, qos: str, sliced: bool, bench: Bench, _: Clock) -> None:
    request = {"cpus": cpus, "time_limit": limit}
    retry = {"limit": 1, "delay": 20.0, "jitter": 0.0}
    bench.submit(qos=qos, partition="turns" if sliced else "main", request=request, retry=retry)


def pass_time(seconds: float, bench: Bench, clock: Clock) -> None:
    clock.pass_time(seconds)
    bench.settle()


def end(code: int, bench: Bench, _: Clock) -> None:
    """The oldest run ends."""
    for run in sorted(bench.runner.alive)[:1]:
        bench.runner.end(run, code)
    bench.settle()


def checkpoint(bench: Bench, clock: Clock) -> None:
    """The youngest run writes one."""
    for run in sorted(bench.runner.alive)[-1:]:
        write_checkpoint(bench, clock, run)


def write_checkpoint(bench: Bench, clock: Clock, run: int) -> None:
    file = Path(bench.places.checkpoints) / str(run)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    os.utime(file, (clock.wall, clock.wall))


def set_clock(by: float, bench: Bench, clock: Clock) -> None:
    clock.set_wall(by)
    bench.settle()


STEPS: Final = st.one_of(
    st.builds(
        partial,
        st.just(submit),
        st.integers(1, CPUS),
        st.sampled_from([None, 30.0, 600.0]),
        st.sampled_from(["", "low", "high"]),
        st.booleans(),
    ),
    st.builds(partial, st.just(pass_time), st.sampled_from([1.0, 7.0, 15.0, 100.0])),
    st.builds(partial, st.just(end), st.sampled_from([0, 1])),
    st.just(checkpoint),
)
CONFIGURATIONS: Final = [
    {
        "scheduler": {"order": order, "time_slice": "10s", "preempt_exempt_time": "20s"},
        "partitions": {"main": {}, "turns": {"time_sliced": order == "priority"}},
        "qos": {"low": {"preempt_mode": mode}, "high": {"preempts": ["low"]}},
        "fairshare": {"half_life": "1h"},
        "priority": {"age": 1000, "max_age": "1h", "fairshare": 500, "qos": 0, "partition": 0},
    }
    for order in ("priority", "fairshare", "wfp3", "multifactor")
    for mode in ("suspend", "requeue")
]

PLAIN_SUBMIT: Final = partial(submit, 1, None, "", False)
LITTLE_USED: Final = [
    *((step, 0.0) for step in (PLAIN_SUBMIT, partial(pass_time, 1.0), partial(end, 0))),
    *((step, 0.0) for step in (PLAIN_SUBMIT, partial(end, 0), partial(pass_time, 1.0))),
    (PLAIN_SUBMIT, -YEAR),
]
"""One cpu-second has faded to a little less when the clock is set."""


def seen(bench: Bench, clock: Clock) -> object:
    """All that is decided and told, by the age of things: by the steady clock."""
    origin = clock.wall - clock.steady
    jobs = []
    for view in map(bench.show, bench.engine.live):
        stamps = [view[name] for name in ("submit_time", "start_time", "end_time")]
        ages = [None if time is None else round(time - origin, 2) for time in stamps]
        jobs.append((view["id"], view["state"], view["attempt"], *ages))
    wake = bench.engine.view.next_wake()
    usage = [round(row["usage"]) for row in bench.ask("fairshare")["rows"]]
    due = None if wake is None else round(wake - origin, 2)
    return jobs, sorted(bench.runner.suspended), bench.runner.stopping, due, usage


def story(steps: list[Step], tables: dict[str, Any]) -> list[object]:
    """What is seen after each step by somebody who does not look at the clock."""
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch)
        bench = Bench(Path(root), settings=configuration(**tables))
        told = []
        for step in steps:
            step(bench, clock)
            told.append(seen(bench, clock))
        bench.close()
        assert not bench.complaints()
        return told


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.tuples(STEPS, st.sampled_from([0.0, 0.0, *LEAPS])), min_size=2, max_size=12),
    tables=st.sampled_from(CONFIGURATIONS),
)
@example(steps=LITTLE_USED, tables=CONFIGURATIONS[0])
def test_whenever_the_clock_is_set_all_is_decided_as_if_it_had_not_been(
    steps: list[tuple[Step, float]], tables: dict[str, Any]
) -> None:
    def leaping(step: Step, by: float, bench: Bench, clock: Clock) -> None:
        set_clock(by, bench, clock)
        step(bench, clock)

    def looking(step: Step, bench: Bench, clock: Clock) -> None:
        bench.settle()
        step(bench, clock)

    undisturbed = story([partial(looking, step) for step, _ in steps], tables)
    assert story([partial(leaping, *each) for each in steps], tables) == undisturbed


# -- what people see ----------------------------------------------------------------------------

leaps = pytest.mark.parametrize("leap", [-YEAR, -HOUR, HOUR, YEAR])


@leaps
def test_turns_are_taken_slice_by_slice(make: Make, clock: Clock, leap: float) -> None:
    bench = make(partitions={"main": {"time_sliced": True}}, scheduler={"time_slice": "10s"})
    one, two = (bench.submit(request={"cpus": CPUS}) for _ in range(2))
    set_clock(leap, bench, clock)
    late = bench.submit(request={"cpus": CPUS})
    turns = []
    for _ in range(6):
        pass_time(10.0, bench, clock)
        turns += [job for job in (one, two, late) if bench.state(job) == "RUNNING"]
    assert turns == [two, late, one] * 2


@leaps
def test_a_turn_that_has_begun_is_over_when_it_was_to_be(
    make: Make, clock: Clock, leap: float
) -> None:
    bench = make(partitions={"main": {"time_sliced": True}}, scheduler={"time_slice": "10s"})
    one, _ = (bench.submit(request={"cpus": CPUS}) for _ in range(2))
    pass_time(10.0, bench, clock)
    pass_time(10.0, bench, clock)
    assert bench.state(one) == "RUNNING"
    pass_time(3.0, bench, clock)
    set_clock(leap, bench, clock)
    assert bench.state(one) == "RUNNING"
    assert bench.engine.view.next_wake() == pytest.approx(clock.wall + 7.0)


@pytest.mark.parametrize("leap", [-HOUR, HOUR])
@pytest.mark.parametrize("last", [0, 1])
def test_whoever_loses_least_makes_room(make: Make, clock: Clock, leap: float, last: int) -> None:
    bench = make(qos={"low": {}, "high": {"preempts": ["low"]}})
    jobs = [bench.submit(qos="low", request={"cpus": CPUS // 2}) for _ in range(2)]
    for job in (jobs[1 - last], jobs[last]):
        pass_time(100.0, bench, clock)
        write_checkpoint(bench, clock, bench.run_of(job))
    set_clock(leap, bench, clock)
    pass_time(10.0, bench, clock)
    bench.submit(qos="high", request={"cpus": CPUS // 2})
    assert bench.state(jobs[last]) == "COMPLETING"
    assert bench.state(jobs[1 - last]) == "RUNNING"


@leaps
def test_nobody_is_charged_for_time_that_did_not_pass(
    make: Make, clock: Clock, leap: float
) -> None:
    bench = make(accounts={"physics": {"users": {ME: 1}}}, fairshare={"half_life": "unlimited"})
    bench.submit(account="physics", request={"cpus": 2})
    clock.pass_time(70.0)  # it is also time to write down what was used
    set_clock(leap, bench, clock)
    bench.crash()
    pass_time(30.0, bench, clock)
    rows = bench.ask("fairshare")["rows"]
    assert max(row["usage"] for row in rows) == pytest.approx(200.0)


@leaps
def test_a_run_has_run_for_as_long_as_it_has(make: Make, clock: Clock, leap: float) -> None:
    bench = make()
    job = bench.submit(request={"time_limit": 300.0})
    pass_time(20.0, bench, clock)
    set_clock(leap, bench, clock)
    pass_time(6.0, bench, clock)
    bench.finish(job)
    view = bench.show(job)
    assert view["end_time"] - view["start_time"] == pytest.approx(26.0, abs=1e-3)
    assert view["end_time"] == pytest.approx(clock.wall)


@leaps
def test_so_has_one_that_had_ended_before_the_daemon_looked(
    make: Make, clock: Clock, leap: float
) -> None:
    bench = make()
    job = bench.submit()
    clock.pass_time(5.0)
    bench.runner.end(bench.run_of(job))
    clock.pass_time(5.0)
    set_clock(leap, bench, clock)
    view = bench.show(job)
    assert view["state"] == "COMPLETED"
    assert view["end_time"] - view["start_time"] == pytest.approx(5.0, abs=1e-3)


def test_a_deadline_stays_by_the_wall_clock_for_what_runs(make: Make, clock: Clock) -> None:
    bench = make()
    job = bench.submit(request={"time_limit": HOUR}, deadline=clock.wall + 2 * HOUR)
    run = bench.run_of(job)
    pass_time(60.0, bench, clock)
    set_clock(1.5 * HOUR, bench, clock)
    assert bench.runner.limits[run] == pytest.approx(0.5 * HOUR)
    set_clock(-HOUR, bench, clock)
    assert bench.runner.limits[run] == pytest.approx(HOUR)


def test_a_suspended_run_waits_until_its_deadline_by_the_wall_clock(
    make: Make, clock: Clock
) -> None:
    bench = make()
    job = bench.submit(request={"time_limit": 60.0}, deadline=clock.wall + HOUR)
    bench.ask("suspend", ids=[job])
    set_clock(HOUR / 2, bench, clock)
    last = [order for order in bench.runner.orders if isinstance(order, wire.Suspend)][-1]
    assert last.within == pytest.approx(HOUR / 2)
