"""What is taken from a trace can be simulated, and what is not taken is counted."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.trace.clean import DIRLAB, FILTERS, SC15, Filter, Workload, clean
from hpcshell.trace.measures import bounded_slowdown
from hpcshell.trace.oddities import ODDITIES, sentences
from hpcshell.trace.read import read_trace
from hpcshell.trace.record import Trace
from hpcshell.trace.swf import read_swf
from tests.support.traces import reference, shared_trace
from tests.trace.made import attempt, jobs, traces

LEFT_OUT = {word for word, meaning in ODDITIES.items() if meaning.endswith(": left out")}

filters = st.builds(
    Filter,
    size=st.sampled_from(["requested", "larger"]),
    over_machine=st.sampled_from(["drop", "clip"]),
    no_request=st.sampled_from(["run", "drop"]),
    overrun=st.sampled_from(["cut", "keep"]),
    unknown_run=st.sampled_from([0.0, 10.0]),
)


@given(traces(), st.none() | st.integers(1, 10**12), filters)
def test_what_is_left_can_be_run_and_every_other_job_is_counted(
    trace: Trace, machine: int | None, chosen: Filter
) -> None:
    work = attempt(lambda: clean(trace, machine, chosen))
    if isinstance(work, Wrong):
        assert work.message.endswith(f"none of its {len(trace):,} jobs can be simulated")
        assert work.hint
        return
    assert (work.run > 0).all()
    assert (work.request > 0).all()
    assert ((work.procs > 0) & (work.procs <= work.machine)).all()
    assert (work.submit >= 0).all()
    assert (work.memory >= 0).all()
    assert (np.diff(work.submit) >= 0).all()
    assert chosen.overrun == "keep" or (work.run <= work.request).all()
    dropped = sum(count for word, count in work.oddities.items() if word in LEFT_OUT)
    assert len(work) + dropped == len(trace)
    assert np.array_equal(work.id, trace.id[work.row])


@given(traces(), filters)
def test_cleaning_leaves_the_trace_as_it_was(trace: Trace, chosen: Filter) -> None:
    before = {
        field: getattr(trace, field).copy() for field in ("run", "request", "procs", "submit")
    }
    attempt(lambda: clean(trace, None, chosen))
    assert all(np.array_equal(getattr(trace, field), column) for field, column in before.items())


def cleaned(*rows: tuple[float, ...], chosen: Filter = FILTERS["default"]) -> Workload:
    return clean(read_swf("log", jobs((0, 1, 1, 1), *rows)), None, chosen)


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ((-5, 10, 1, 20), "negative_submit"),
        ((5, -7, 1, 20), "negative_run"),
        ((5, -1, 1, 20), "unknown_run"),
        ((5, 0, 1, 20), "zero_run"),
        ((5, 10, 0, 20), "no_procs"),
        ((5, 10, -1, 20), "no_procs"),
        ((5, 10, 9, 20), "over_machine"),
    ],
)
def test_a_job_that_cannot_be_run_is_left_out(row: tuple[float, ...], word: str) -> None:
    work = cleaned(row)
    assert len(work) == 1
    assert work.oddities == {word: 1}
    assert sentences(work.oddities, work.examples) == [f"1 x {ODDITIES[word]} (log:3)"]


def test_a_job_that_asked_for_no_time_asked_for_what_it_ran() -> None:
    work = cleaned((5, 10, 1, -1), (6, 10, 1, 0))
    assert work.request.tolist() == [1, 10, 10]
    assert work.oddities == {"request_is_run": 2}
    assert cleaned((5, 10, 1, -1), chosen=SC15).oddities == {"no_request": 1}


def test_a_job_that_ran_too_long_is_cut() -> None:
    assert cleaned((5, 30, 1, 20)).run.tolist() == [1, 20]
    assert cleaned((5, 30, 1, 20)).oddities == {"run_over_request": 1}
    assert cleaned((5, 30, 1, 20), chosen=DIRLAB).run.tolist() == [1, 30]


def test_a_job_of_unknown_run_time_runs_as_long_as_the_filter_says() -> None:
    work = cleaned((5, -1, 1, -1), (5, -7, 1, 1), chosen=DIRLAB)
    assert work.run.tolist() == work.request.tolist() == [1, 10]
    assert work.oddities == {"run_assumed": 1, "negative_run": 1, "request_is_run": 1}


def test_a_job_that_is_too_large_is_made_smaller_where_that_is_wished() -> None:
    work = cleaned((5, 10, 9, 20), chosen=Filter(over_machine="clip"))
    assert work.procs.tolist() == [1, 8]
    assert work.oddities == {"clipped": 1}


def test_jobs_out_of_order_are_sorted_ties_as_they_stood() -> None:
    work = cleaned((9, 1, 1, 1), (5, 1, 2, 1), (9, 1, 3, 1), (5, 1, 4, 1))
    assert work.procs.tolist() == [1, 2, 4, 1, 3]
    assert work.oddities == {"unsorted": 2}
    assert work.examples == {"unsorted": ("log:4", "log:6")}


def test_processors_asked_for_go_before_those_had() -> None:
    text = b"1 0 0 9 4 -1 -1 6 9\n2 0 0 9 4 -1 -1 -1 9\n3 0 0 9 6 -1 -1 4 9\n"
    work = clean(read_swf("log", text), 8)
    assert work.procs.tolist() == [6, 4, 4]
    assert work.oddities == {"short": 3, "allocated": 1}
    assert clean(read_swf("log", text), 8, DIRLAB).procs.tolist() == [6, 4, 6]


def test_a_machine_that_is_not_named_is_as_large_as_the_largest_job() -> None:
    trace = read_swf("log", jobs((0, 1, 3, 1), (0, 0, 50, 1), header=""))
    work = clean(trace)
    assert work.machine == 3
    assert work.oddities["machine_unknown"] == 1
    assert clean(trace, 99).machine == 99


def test_an_id_that_comes_again_is_counted() -> None:
    work = clean(read_swf("log", jobs((0, 1, 1, 1)) + jobs((0, 1, 1, 1), header="")))
    assert work.oddities == {"same_id": 1}


def test_memory_is_that_of_the_whole_job() -> None:
    text = b"1 0 0 9 4 -1 -1 4 9 1024\n2 0 0 9 4 -1 -1 4 9 -1\n"
    assert clean(read_swf("log", text), 8).memory.tolist() == [4 * 2**20, 0]


def test_no_machine_is_wrong() -> None:
    with pytest.raises(Wrong, match="a machine of 0 processors runs nothing"):
        clean(read_swf("log", jobs((0, 1, 1, 1))), 0)


def test_when_no_job_is_left_it_is_said_why() -> None:
    with pytest.raises(Wrong) as refused:
        clean(read_swf("log", jobs((0, 0, 1, 1), (0, -1, 1, 1))))
    assert refused.value.message == "log: none of its 2 jobs can be simulated"
    assert refused.value.hint == f"1 x {ODDITIES['unknown_run']}; 1 x {ODDITIES['zero_run']}"


@pytest.mark.parametrize(
    ("log", "schedule"),
    [
        ("KTH-SP2-1996-2", "sc15_KTH-SP2"),
        ("KTH-SP2-1996-2", "pyss_KTH"),
        ("SDSC-SP2-1998-4.2-cln", "pyss_SDSC2"),
    ],
)
def test_the_filter_of_sc15_gives_the_published_rows(log: str, schedule: str) -> None:
    work = clean(read_trace(log, shared_trace(f"{log}.swf.gz")), None, SC15)
    rows = reference(schedule)
    for column, named in (("id", "job"), ("request", "req")):
        assert np.array_equal(getattr(work, column), rows[named])
    for column in ("submit", "run", "procs", "user"):
        assert np.array_equal(getattr(work, column), rows[column])


STARTS = (1981, 2756, 4299, 8850, 3316, 2714, 5228, 7762, 4022, 7085)


def slowdown_first_come_first_served(work: Workload, first: int) -> float:
    """Average bounded slowdown of 1,024 jobs on an empty machine, none overtaking another."""
    some = slice(first, first + 1024)
    now, free, ends = 0.0, work.machine, list[tuple[float, int]]()
    waits = []
    rows = zip(work.submit[some], work.run[some], work.procs[some].tolist(), strict=True)
    for submit, run, procs in rows:
        now = max(now, submit)
        while ends and (ends[0][0] <= now or free < procs):
            end, given_back = heappop(ends)
            now, free = max(now, end), free + given_back
        waits.append(now - submit)
        free -= procs
        heappush(ends, (now + run, procs))
    return float(bounded_slowdown(np.array(waits), work.run[some]).mean())


@pytest.mark.parametrize(
    ("log", "published"),
    [("lublin_256", 7273.77), ("SDSC-SP2-1998-4.2-cln", 1727.54), ("lublin_256_new2", 7842.47)],
)
def test_the_filter_of_dirlab_gives_the_published_slowdowns(log: str, published: float) -> None:
    work = clean(read_trace(log, shared_trace(f"{log}.swf.gz")), None, DIRLAB)
    found = [slowdown_first_come_first_served(work, first) for first in STARTS]
    assert np.mean(found) == pytest.approx(published, abs=0.005)
