"""Bars of a chart: no two overlap, each job has as many processors as it has."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.sim.policies import Policy, policy_of
from hpcshell.sim.report.gantt import MOST_JOBS, SHORTEST, Bar, bars, busiest, running
from hpcshell.sim.simulate import simulate
from hpcshell.trace.clean import Workload
from tests.sim.configured import OWNED, policy_with, tables
from tests.sim.made import MACHINE, POLICIES, WORKLOADS, workload

ALWAYS = (-1.0, 1e9)


def clash(one: Bar, other: Bar) -> bool:
    """Whether two bars cover the same processors at the same time."""
    begin, end = max(one.start, other.start), min(one.end, other.end)
    return begin < end and max(one.low, other.low) < min(one.high, other.high)


@given(st.one_of(st.tuples(WORKLOADS, POLICIES), st.tuples(OWNED, tables().map(policy_with))))
def test_bars_are_as_wide_as_their_jobs_and_do_not_overlap(case: tuple[Workload, Policy]) -> None:
    found = simulate(*case)
    drawn = bars(found, ALWAYS)
    widths: Counter[tuple[int, float]] = Counter()
    for bar in drawn:
        assert 0 <= bar.low < bar.high <= MACHINE
        widths[bar.row, bar.start] += bar.high - bar.low
    held = running(found, ALWAYS)
    pieces = zip(held.job.tolist(), held.start.tolist(), strict=True)
    assert widths == {piece: found.workload.procs[piece[0]] for piece in pieces}
    assert {row for row, _ in widths} == set(np.flatnonzero(found.started).tolist())
    assert not any(clash(one, other) for at, one in enumerate(drawn) for other in drawn[:at])


def test_a_job_is_in_one_piece_where_it_can_be() -> None:
    found = simulate(workload([(0, 9, 4, 1.0, 1), (0, 9, 8, 1.0, 1)]), policy_of("easy"))
    assert bars(found, ALWAYS) == [
        Bar(row=0, low=0, high=4, start=0.0, end=9.0),
        Bar(row=1, low=4, high=12, start=0.0, end=9.0),
    ]


def test_the_window_is_where_most_wait_and_shows_few_enough_jobs() -> None:
    quiet = [(at, 10, 1, 1.0, 1) for at in range(0, 100_000, 100)]
    rush = [(50_000, 300, 16, 1.0, 1) for _ in range(20)]
    found = simulate(workload(quiet + rush), policy_of("easy"))
    window = busiest(found)
    assert window[0] <= 50_000 + 20 * 300
    assert window[1] >= 50_000
    assert 0 < len(running(found, window)) <= MOST_JOBS


def test_no_jobs_have_a_window_too() -> None:
    found = simulate(workload([]), policy_of("easy"))
    assert busiest(found) == (0.0, SHORTEST)
    assert bars(found, busiest(found)) == []


def test_jobs_that_never_started_are_not_drawn() -> None:
    found = simulate(workload([(0, 9, 4, 1.0, 1)]), policy_of("easy"))
    assert len(running(found, (-5.0, 0.0))) == 0
    assert np.array_equal(running(found, ALWAYS).job, [0])
