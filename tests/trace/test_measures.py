"""Measures of schedules agree with their definitions and with the published figures."""

from __future__ import annotations

from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.trace.clean import SC15, clean
from hpcshell.trace.measures import (
    NOTHING,
    Schedule,
    bounded_slowdown,
    jain,
    makespan,
    measure,
    overtakers,
    queue_over_time,
    utilization,
    utilization_over_time,
)
from hpcshell.trace.read import read_trace
from tests.support.traces import reference, shared_trace

JOB = st.tuples(
    st.integers(0, 1000),
    st.integers(0, 500),
    st.integers(1, 300),
    st.integers(1, 4),
    st.integers(1, 3),
)
Rows = list[tuple[int, int, int, int, int]]


def schedule(rows: Rows) -> Schedule:
    """Of (submit, wait, run, procs, user)."""
    table = np.array(rows, np.int64).reshape(-1, 5)
    submit, wait, run, procs, user = table.T
    return Schedule(
        machine=16,
        submit=submit.astype(float),
        start=(submit + wait).astype(float),
        run=run.astype(float),
        procs=procs,
        user=user,
    )


@given(st.lists(JOB, min_size=1, max_size=30))
def test_the_measures_are_what_they_are_defined_to_be(rows: Rows) -> None:
    found = measure(schedule(rows))
    slowdowns = [max(1, (wait + run) / max(run, 10)) for _, wait, run, _, _ in rows]
    waits = [wait for _, wait, _, _, _ in rows]
    assert found.jobs == len(rows)
    assert found.avebsld == pytest.approx(mean(slowdowns))
    assert found.mean_wait == pytest.approx(mean(waits))
    assert found.max_wait == max(waits)
    assert found.median_wait <= found.p95_wait <= found.max_wait
    length = max(s + w + r for s, w, r, _, _ in rows) - min(s for s, *_ in rows)
    assert found.makespan == length
    assert found.utilization == pytest.approx(sum(r * p for _, _, r, p, _ in rows) / (16 * length))
    users = {user for *_, user in rows}
    means = [
        mean(sld for sld, row in zip(slowdowns, rows, strict=True) if row[4] == user)
        for user in users
    ]
    assert found.user_avebsld == pytest.approx(mean(means))
    assert found.fairness == pytest.approx(sum(means) ** 2 / len(means) / sum(m * m for m in means))


@given(st.lists(JOB, min_size=1, max_size=30))
def test_who_started_before_an_earlier_one_has_overtaken(rows: Rows) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    starts = [submit + wait for submit, wait, *_ in rows]
    by_hand = [any(s > start for s in starts[:at]) for at, start in enumerate(starts)]
    assert overtakers(schedule(rows)).tolist() == by_hand


@given(st.lists(JOB, min_size=1, max_size=30), st.integers(1, 50))
def test_the_curves_have_the_area_of_what_they_show(rows: Rows, points: int) -> None:
    made = schedule(rows)
    busy, waiting = utilization_over_time(made, points), queue_over_time(made, points)
    assert len(busy.times) == points + 1
    assert len(busy.values) == len(waiting.values) == points
    assert busy.values.mean() == pytest.approx(utilization(made))
    assert waiting.values.mean() * makespan(made) == pytest.approx(made.wait.sum())
    assert (waiting.values >= -1e-9).all()


def test_a_curve_shows_when() -> None:
    made = schedule([(0, 5, 5, 8, 1), (0, 10, 10, 16, 1)])
    assert utilization_over_time(made, 4).values.tolist() == [0, 0.5, 1, 1]
    assert queue_over_time(made, 4).values.tolist() == [2, 1, 0, 0]


def test_no_jobs_have_measures_too() -> None:
    empty = schedule([])
    assert measure(empty) == NOTHING
    assert queue_over_time(empty, 3).values.tolist() == [0, 0, 0]


def test_jobs_shorter_than_ten_seconds_count_as_ten() -> None:
    slowdown = bounded_slowdown(np.array([0.0, 19.0, 30.0]), np.array([1.0, 1.0, 15.0]))
    assert slowdown.tolist() == [1, 2, 3]


def test_the_index_is_one_where_all_are_alike_and_least_where_one_has_all() -> None:
    assert jain(np.array([3.0, 3.0, 3.0])) == 1
    assert jain(np.array([0.0, 0.0, 0.0, 5.0])) == 0.25
    assert jain(np.zeros(3)) == 1


PUBLISHED = {
    ("KTH-SP2-1996-2", "sc15_KTH-SP2", "wait_easy"): (92.5765, 6836.872),
    ("KTH-SP2-1996-2", "sc15_KTH-SP2", "wait_easy_clairvoyant"): (71.7224, None),
    ("KTH-SP2-1996-2", "sc15_KTH-SP2", "wait_sjbf_clairvoyant"): (49.8477, None),
    ("KTH-SP2-1996-2", "sc15_KTH-SP2", "wait_easypp"): (63.5007, None),
    ("KTH-SP2-1996-2", "pyss_KTH", "wait_conservative"): (88.997275, 7310.5512),
    ("KTH-SP2-1996-2", "pyss_KTH", "wait_fcfs"): (6814.973310, 353776.4091),
    ("SDSC-SP2-1998-4.2-cln", "pyss_SDSC2", "wait_easy"): (87.825220, 20494.7366),
    ("SDSC-SP2-1998-4.2-cln", "pyss_SDSC2", "wait_easypp"): (79.323039, None),
    ("SDSC-SP2-1998-4.2-cln", "pyss_SDSC2", "wait_conservative"): (89.641473, 21887.6515),
    ("SDSC-SP2-1998-4.2-cln", "pyss_SDSC2", "wait_fcfs"): (13824.966972, None),
}


@pytest.mark.parametrize(("log", "name", "column"), PUBLISHED)
def test_published_schedules_have_their_published_measures(
    log: str, name: str, column: str
) -> None:
    work = clean(read_trace(log, shared_trace(f"{log}.swf.gz")), None, SC15)
    found = measure(
        Schedule(
            machine=work.machine,
            submit=work.submit,
            start=work.submit + reference(name)[column],
            run=work.run,
            procs=work.procs,
            user=work.user,
        )
    )
    avebsld, mean_wait = PUBLISHED[log, name, column]
    assert found.avebsld == pytest.approx(avebsld, abs=5e-5)
    assert mean_wait is None or found.mean_wait == pytest.approx(mean_wait, abs=5e-4)
