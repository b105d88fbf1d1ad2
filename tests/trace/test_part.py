"""Parts of a log."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.trace.clean import Workload, clean
from hpcshell.trace.part import between, noted, numbered, parted
from hpcshell.trace.record import Trace
from hpcshell.trace.swf import read_swf
from tests.trace.made import attempt, jobs, traces


def made(submits: list[int]) -> tuple[Trace, Workload]:
    """Jobs as long as they ask for, submitted then, and all that can be simulated of them."""
    trace = read_swf("log", jobs(*((submit, 5, 1, 9) for submit in sorted(submits))))
    return trace, clean(trace)


def counted(trace: Trace, machine: int) -> Counter[str]:
    """What is odd of single jobs."""
    found = attempt(lambda: clean(trace, machine))
    assert isinstance(found, Workload)
    odd = Counter(found.oddities)
    for of_neighbours in ("unsorted", "same_id"):
        del odd[of_neighbours]
    return odd


SUBMITS = st.lists(st.integers(0, 100), min_size=1, max_size=20)


@given(SUBMITS, st.integers(0, 100), st.integers(1, 50))
def test_a_span_of_time_has_what_was_submitted_in_it(
    submits: list[int], since: int, span: int
) -> None:
    expected = [submit for submit in sorted(submits) if since <= submit < since + span]
    if expected:
        found = clean(between(*made(submits), since, since + span))
        assert found.submit.tolist() == expected
        assert found.machine == 8
    else:
        with pytest.raises(Wrong, match="no job was submitted from"):
            between(*made(submits), since, since + span)


@given(SUBMITS, st.integers(1, 25), st.integers(0, 25))
def test_jobs_are_counted_from_one(submits: list[int], first: int, more: int) -> None:
    if first <= len(submits):
        found = clean(numbered(*made(submits), first, first + more))
        assert found.submit.tolist() == sorted(submits)[first - 1 : first + more]
        assert not found.submit.flags.writeable
    else:
        with pytest.raises(Wrong, match="has no jobs"):
            numbered(*made(submits), first, first + more)


@given(traces(), st.integers(1, 300), st.integers(1, 300))
def test_the_parts_of_a_log_have_its_jobs_and_its_oddities_and_no_others(
    trace: Trace, one: int, other: int
) -> None:
    trace = replace(trace, submit=np.abs(trace.submit), run=np.abs(trace.run))
    whole = attempt(lambda: clean(trace))
    if not isinstance(whole, Workload) or len(whole) < 3:
        return
    cuts = sorted({1 + at % (len(whole) - 1) for at in (one, other)})
    bounds = zip([1, *(cut + 1 for cut in cuts)], [*cuts, len(whole)], strict=True)
    parts = [numbered(trace, whole, first, last) for first, last in bounds]
    assert sum(map(len, parts)) == len(trace)
    ids = [number for part in parts for number in clean(part, whole.machine).id.tolist()]
    assert ids == whole.id.tolist()
    found = reduce(add, (counted(part, whole.machine) for part in parts))
    assert found == counted(trace, whole.machine)


def test_what_is_left_out_is_counted_in_its_span_of_time_only() -> None:
    trace = read_swf("log", jobs((0, 0, 1, 9), (5, 5, 1, 9), (10, 0, 1, 9), (20, 5, 1, 9)))
    found = [clean(between(trace, clean(trace), *span)) for span in ((0, 10), (10, 99))]
    assert [work.oddities for work in found] == [{"zero_run": 1}] * 2
    assert [work.examples["zero_run"] for work in found] == [("log:2",), ("log:4",)]


def test_a_part_keeps_the_ids_of_its_log() -> None:
    trace, _ = made([0, 1, 2, 3])
    trace = replace(trace, labels=("7", "8_1", "8_2", "9+0"))
    found = clean(numbered(trace, clean(trace), 2, 3))
    assert found.called(slice(None)) == ["8_1", "8_2"]
    assert noted(found, np.array([False, True]), "over_nodes").examples == {
        "over_nodes": ("job 8_2",)
    }


def test_a_gang_that_is_not_whole_is_counted() -> None:
    trace, _ = made([0, 1, 2, 3])
    trace = replace(trace, gang=np.array([0, 0, 1, -1]), names={"gang": ("a", "b")})
    whole = clean(trace)
    assert parted(whole, trace).oddities == {}
    half = parted(clean(numbered(trace, whole, 2, 4)), trace)
    assert half.oddities == {"gang_parted": 1}
    assert half.examples == {"gang_parted": ("job 2",)}
