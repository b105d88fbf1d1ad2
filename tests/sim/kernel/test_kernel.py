"""The kernel and the decider of the daemon are one brain: equal starts, whatever the work."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.policy.formulas import ORDERS
from tests.sim.kernel.logs import (
    Log,
    Row,
    Way,
    by_decisions,
    by_kernel,
    logs,
    long_log,
    ways,
)


@given(logs(), ways())
def test_the_kernel_starts_each_job_when_the_decider_does(log: Log, way: Way) -> None:
    assert by_kernel(log, way) == by_decisions(log, way)


@given(logs(longest=900), ways())
def test_and_where_runs_outlast_what_was_expected_of_them(log: Log, way: Way) -> None:
    """Lengths on both sides of the first corrections."""
    assert by_kernel(log, way) == by_decisions(log, way)


@given(st.integers(0, 1 << 30), ways())
def test_and_in_long_queues(seed: int, way: Way) -> None:
    log = long_log(Random(seed))
    assert by_kernel(log, way) == by_decisions(log, way)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("promises", ["none", "greedy", "easy"])
@given(log=logs())
def test_in_every_order(promises: str, order: str, log: Log) -> None:
    way = Way(promises, order, order)
    assert by_kernel(log, way) == by_decisions(log, way)


@given(logs(), ways())
def test_no_more_processors_are_held_than_there_are(log: Log, way: Way) -> None:
    starts = by_kernel(log, way)
    for at in starts:
        held = [
            row.procs
            for row, start in zip(log.rows, starts, strict=True)
            if start <= at < start + row.run
        ]
        assert sum(held) <= log.total


@given(logs(), ways(), st.integers(1, 7))
def test_starts_are_moved_with_the_log(log: Log, way: Way, by: int) -> None:
    """Only differences of times count, unless the order looks at the clock."""
    if way.order in ("f1", "f2", "f3", "f4"):
        return
    later = Log(log.total, [row._replace(submit=row.submit + by) for row in log.rows])
    assert by_kernel(later, way) == [start + by for start in by_kernel(log, way)]


def test_a_run_of_no_time_lets_the_next_start_at_once() -> None:
    log = Log(2, [Row(0.0, 0.0, 2, 5.0), Row(0.0, 3.0, 2, 3.0), Row(1.0, 1.0, 1, 1.0)])
    for promises in ("none", "easy", "all"):
        way = Way(promises)
        assert by_kernel(log, way) == by_decisions(log, way) == [0.0, 0.0, 3.0]


def test_without_promises_too_those_that_pass_have_an_order_of_their_own() -> None:
    rows = [Row(0.0, 3.0, 1, 3.0), Row(1.0, 1.0, 2, 5.0), Row(1.0, 3.0, 1, 5.0)]
    log, way = Log(2, [*rows, Row(1.0, 4.0, 1, 6.0)]), Way("greedy", fill="ljf")
    assert by_kernel(log, way) == by_decisions(log, way) == [0.0, 6.0, 3.0, 1.0]


def test_equals_pass_in_the_order_of_the_line() -> None:
    """The smallest expansion factor goes first: of two alike, the later."""
    wide, first, second = Row(2.0, 1.0, 3, 1.0), Row(0.0, 1.0, 1, 1.0), Row(1.0, 1.0, 1, 1.0)
    log = Log(3, [Row(0.0, 3.0, 3, 3.0), first, second, wide, Row(3.0, 4.0, 2, 4.0)])
    way = Way("easy", "sexp", "laf")
    assert by_kernel(log, way) == by_decisions(log, way)
    starts = by_kernel(log, way)
    assert starts[2] < starts[1]


def test_nobody_is_promised_anything_before_it_decides_something() -> None:
    """What nobody could pass was promised no start: one that comes later may yet go first."""
    told = (
        *((8, 4, 1, 4), (11, 1, 5, 1), (11, 2, 1, 2), (11, 1, 4, 5), (11, 5, 1, 5), (14, 3, 5, 3)),
        *((14, 2, 5, 2), (19, 1, 5, 1), (20, 4, 5, 5), (21, 1, 2, 2), (23, 4, 1, 4), (25, 3, 5, 3)),
        *((27, 2, 3, 3), (29, 1, 3, 1)),
    )
    rows = [Row(float(at), float(run), procs, float(asked)) for at, run, procs, asked in told]
    log = Log(5, rows)
    assert by_kernel(log, Way("all")) == by_decisions(log, Way("all"))
