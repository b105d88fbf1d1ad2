"""P7: whatever somebody does to the wall clock, what is decided is as if nobody had touched it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcshell.core.settings import Settings
from hpcshell.core.settings_read import Layer, read_layers
from hpcshell.daemon.runner import wire
from tests.support.benches import Bench, Clock

HOUR, YEAR = 3600.0, 365.25 * 86400
LEAPS: Final = (-YEAR, -HOUR, -2.0, 2.0, HOUR, YEAR)
CPUS: Final = 4

Step = Callable[[Bench, Clock], None]
Make = Callable[..., Bench]


def configuration(**tables: Any) -> Settings:
    return read_layers([Layer(source="test", tables=tables)]).settings


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator[Make]:
    """Makes the bench of a configuration; one in a test."""
    made: list[Bench] = []

    def bench(**tables: Any) -> Bench:
        made.append(Bench(tmp_path, settings=configuration(**tables)))
        return made[0]

    yield bench
    for one in made:
        one.close()
        assert not one.complaints()


# -- the law ------------------------------------------------------------------------------------


def submit(cpus: int, limit: float | None, qos: str, sliced: bool, bench: Bench, _: Clock) -> None:
    request = {"cpus": cpus, "time_limit": limit}
    retry = {"limit": 1, "delay": 20.0, "jitter": 0.0}
    bench.submit(
        qos=qos, partition="turns" if sliced else "main", request=request, retry=retry
    )


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


def seen(bench: Bench, clock: Clock) -> object:
    """All that is decided and told, by the age of things: by the steady clock."""
    origin = clock.wall - clock.steady
    jobs = []
    for live in bench.engine.live.values():
        for view in [bench.show(live.job.id)]:
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
