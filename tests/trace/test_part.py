"""Parts of a workload."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.trace.clean import Workload, clean
from hpcshell.trace.part import between, numbered
from hpcshell.trace.swf import read_swf
from tests.trace.made import jobs


def made(submits: list[int]) -> Workload:
    return clean(read_swf("log", jobs(*((submit, 5, 1, 9) for submit in sorted(submits)))))


SUBMITS = st.lists(st.integers(0, 100), min_size=1, max_size=20)


@given(SUBMITS, st.integers(0, 100), st.integers(1, 50))
def test_a_span_of_time_has_what_was_submitted_in_it(
    submits: list[int], since: int, span: int
) -> None:
    expected = [submit for submit in sorted(submits) if since <= submit < since + span]
    if expected:
        found = between(made(submits), since, since + span)
        assert found.submit.tolist() == expected
        assert found.machine == 8
    else:
        with pytest.raises(Wrong, match="no job was submitted from"):
            between(made(submits), since, since + span)


@given(SUBMITS, st.integers(1, 25), st.integers(0, 25))
def test_jobs_are_counted_from_one(submits: list[int], first: int, more: int) -> None:
    if first <= len(submits):
        found = numbered(made(submits), first, first + more)
        assert found.submit.tolist() == sorted(submits)[first - 1 : first + more]
        assert not found.submit.flags.writeable
    else:
        with pytest.raises(Wrong, match="has no jobs"):
            numbered(made(submits), first, first + more)
