"""The formats are told apart by what is in them, compressed or not."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.trace.gunzip import gunzip
from hpcshell.trace.read import read_trace
from tests.trace.made import attempt, jobs
from tests.trace.test_history import document, row
from tests.trace.test_sacct import table

LOG = jobs((0, 10, 2, 20), (1, 10, 2, 20))
CONTENTS = {
    "swf": LOG,
    "swf without a header": jobs((0, 10, 2, 20), header=""),
    "swf with bars in its remarks": b"; 1| 2| 3\n" + LOG,
    "sacct": table().encode(),
    "sacct after a blank": b"\n" + table().encode(),
    "history": document(row("7")),
    "history, indented": b"\n  " + document(row("7")),
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("compressed", [False, True])
def test_every_format_is_known_by_its_content(kind: str, compressed: bool) -> None:
    content = CONTENTS[kind]
    trace = read_trace("any.name", gzip.compress(content) if compressed else content)
    assert trace.run[0] > 0


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(0, 20))
def test_members_are_joined_and_padding_ignored(parts: list[bytes], padding: int) -> None:
    content = b"".join(map(gzip.compress, parts)) + bytes(padding if parts else 0)
    assert gunzip("log", content) == b"".join(parts)


@given(st.integers(3, len(gzip.compress(LOG)) - 1))
def test_a_truncated_file_is_wrong(length: int) -> None:
    with pytest.raises(Wrong, match=r"^log: the gzip file is truncated"):
        read_trace("log", gzip.compress(LOG)[:length])


def test_a_damaged_file_is_wrong() -> None:
    with pytest.raises(Wrong, match=r"^log: the gzip file is damaged: "):
        read_trace("log", gzip.compress(LOG)[:-6] + b"123456")


def test_a_file_that_grows_without_end_is_wrong() -> None:
    with pytest.raises(Wrong, match="more than 1,000 bytes of text"):
        gunzip("log", gzip.compress(bytes(1001)), most=1000)


@given(st.sampled_from([b"", b"\x1f\x8b", b"{", b"JobID|", b";", b"1 "]), st.binary(max_size=99))
def test_any_bytes_are_a_trace_or_wrong(start: bytes, rest: bytes) -> None:
    trace = attempt(lambda: read_trace("noise", start + rest))
    assert len(trace) > 0 if not isinstance(trace, Wrong) else trace.message.startswith("noise")


def test_what_is_inflated_is_in_memory_once() -> None:
    text = b"1 2 3\n" * (1 << 24)
    packed = gzip.compress(text, 1)
    tracemalloc.start()
    assert len(gunzip("log", packed)) == len(text)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.9 * len(text)
