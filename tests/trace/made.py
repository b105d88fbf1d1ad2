"""Traces for tests: as Hypothesis makes them, and as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.trace.record import FIELDS, REAL, Trace, trace_of, unknown_columns

WHOLE = st.integers(-(10**12), 10**12)
NUMBERS = st.one_of(
    st.just(-1.0),
    st.integers(-1, 10**9).map(float),
    st.integers(-(10**4), 10**6).map(lambda cents: cents / 100),
    st.floats(-1e15, 1e15),
)
WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n", min_codepoint=32), max_size=9
)
VALUES = WORDS.map(str.strip).filter(lambda word: "\x85" not in word and not word.startswith(";"))
KEYS = st.from_regex(r"\A[A-Z][A-Za-z]{1,8}\Z")
HEADERS = st.dictionaries(KEYS, st.lists(VALUES, min_size=1, max_size=3).map("\n".join), max_size=4)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Any numbers in any column: what a log may say, sensible or not."""
    rows = draw(st.integers(1, 5)) * draw(st.sampled_from([1, 1, 40]))
    columns = unknown_columns(rows)
    for field in FIELDS:
        some = draw(st.lists(NUMBERS if field in REAL else WHOLE, min_size=1, max_size=5))
        columns[field][:] = np.resize(np.array(some), rows)
    return trace_of("made", columns, header=draw(HEADERS))


def jobs(*rows: tuple[float, ...], header: str = "; MaxProcs: 8\n") -> bytes:
    """A log of jobs that are each (submit, run, processors, requested time, ...)."""
    lines = [
        f"{number} {submit} -1 {run} {procs} -1 -1 {procs} {request} -1 1 1 1 -1 1 -1 -1 -1\n"
        for number, (submit, run, procs, request) in enumerate(rows, 1)
    ]
    return (header + "".join(lines)).encode()


T = TypeVar("T")


def attempt(call: Callable[[], T]) -> T | Wrong:
    """What the call gives, or the error it raises."""
    try:
        return call()
    except Wrong as error:
        return error


def equal(one: Trace, other: Trace) -> bool:
    """Whether both tell of the same jobs, in the same order, with the same header."""
    return one.header == other.header and all(
        np.array_equal(getattr(one, field), getattr(other, field)) for field in FIELDS
    )
