"""The Standard Workload Format: what is written is read back, what is odd is survived and counted,
what is no log is refused with its line."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.trace.gunzip import gunzip
from hpcshell.trace.record import FIELDS, Trace
from hpcshell.trace.swf import BLOCK, HEADER, LONGEST, read_swf
from hpcshell.trace.write import write_swf
from tests.support.traces import shared_trace
from tests.trace.made import attempt, equal, jobs, traces

ROW = b"7 10 5 100 4 -1 -1 4 200 -1 1 3 1 -1 2 -1 -1 -1\n"


def written(trace: Trace) -> bytes:
    return b"".join(write_swf(trace))


@given(traces())
def test_what_is_written_is_read_back(trace: Trace) -> None:
    again = read_swf("made", written(trace))
    assert equal(again, trace)
    assert not again.oddities


@given(traces(), st.sampled_from([b"\r\n", b" \n", b"\n\n", b"\n\t"]))
def test_blanks_and_line_ends_do_not_matter(trace: Trace, end: bytes) -> None:
    text = written(trace)
    assert equal(read_swf("made", text.replace(b"\n", end)), trace)
    assert equal(read_swf("made", text.rstrip(b"\n")), trace)


@given(traces(), st.data())
def test_remarks_between_the_jobs_change_nothing(trace: Trace, data: st.DataObject) -> None:
    lines = written(trace).splitlines(keepends=True)
    at = data.draw(st.integers(len(lines) - len(trace), len(lines)))
    lines.insert(at, b"; \n")
    assert equal(read_swf("made", b"".join(lines)), trace)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_trace_or_wrong(content: bytes) -> None:
    trace = attempt(lambda: read_swf("noise", content))
    if isinstance(trace, Wrong):
        assert trace.message.startswith("noise")
        assert trace.hint
    else:
        assert len(trace) > 0


@given(st.lists(st.text("0123456789.-+eE; \tinfaNx_", max_size=12), max_size=40))
def test_any_words_are_numbers_or_counted(words: list[str]) -> None:
    text = ROW * 300 + " ".join(words).encode() + b"\n" + ROW
    trace = read_swf("noise", text)
    assert np.array_equal(trace.id[:300], np.full(300, 7))
    assert trace.id[-1] == 7
    assert len(trace) in (301, 302)
    for field in FIELDS:
        assert np.isfinite(getattr(trace, field)).all()


@pytest.mark.parametrize(
    "token", ["1.5", "-0.5", "0.25", "-12.75", "1234567890.125", "3.", "999999999999999", "-0"]
)
def test_plain_numbers_are_read_at_once_as_they_would_be_one_by_one(token: str) -> None:
    row = ROW.replace(b"100", token.encode(), 1)
    many = read_swf("many", row * 500)
    assert not many.oddities
    assert set(many.run.tolist()) == {float(token)}
    one = read_swf("one", row)
    assert all(getattr(many, field)[0] == getattr(one, field)[0] for field in FIELDS)


@pytest.mark.parametrize(
    "token", ["nan", "inf", "-inf", "1e400", "x", "--5", "1-2", "1.2.3", "-", "9" * 30]
)
def test_what_is_no_number_is_unknown_and_counted(token: str) -> None:
    row = ROW.replace(b" 200 ", f" {token} ".encode())
    trace = read_swf("log", ROW * 400 + row)
    assert trace.request[-1] == -1
    assert trace.oddities == {"not_a_number": 1}
    assert trace.examples == {"not_a_number": ("log:401",)}


@pytest.mark.parametrize("token", ["nan", "inf", "1e400", "x", "--5"])
def test_a_job_without_its_run_time_is_no_job(token: str) -> None:
    row = ROW.replace(b" 100 ", f" {token} ".encode())
    trace = read_swf("log", ROW + row + ROW)
    assert len(trace) == 2
    assert trace.oddities == {"unreadable": 1}
    assert trace.examples == {"unreadable": ("log:2",)}
    with pytest.raises(Wrong, match=r"^log:3: '7 10 5 .*' is no job of a trace"):
        read_swf("log", b"; MaxProcs: 1\n\n" + row)


def test_fields_that_are_missing_are_unknown_and_those_too_many_ignored() -> None:
    trace = read_swf("log", b"1 0 0 10 4\n" + ROW.replace(b"\n", b" 1 two\n") + b"1 2 3\n" + ROW)
    assert trace.procs.tolist() == [-1, 4, 4]
    assert trace.oddities == {"unreadable": 1, "short": 1, "long": 1}
    assert trace.examples["long"] == ("log:2",)


def test_a_last_line_that_breaks_off_is_left_out() -> None:
    trace = read_swf("log", ROW + ROW + b"9 10 5 100 1")
    assert len(trace) == 2
    assert trace.oddities == {"cut_off": 1}
    assert trace.examples == {"cut_off": ("log:3",)}


def test_a_fraction_of_a_processor_is_rounded_down_and_counted() -> None:
    trace = read_swf("log", ROW * 300 + ROW.replace(b" 4 ", b" 4.5 "))
    assert trace.used_procs[-1] == 4
    assert trace.oddities == {"fraction": 1}


def test_each_job_knows_its_line() -> None:
    text = b"; Version: 2\n\n" + ROW * 3 + b";\n\n" + ROW * 400 + b"\n" + ROW
    trace = read_swf("log", text)
    lines = text.split(b"\n")
    assert len(trace) == 404
    assert all(lines[line - 1] + b"\n" == ROW for line in trace.line.tolist())
    assert all(one < other for one, other in pairwise(trace.line.tolist()))
    assert trace.where(0) == "log:3"


def test_the_header_is_kept() -> None:
    trace = read_swf(
        "log",
        b"; a remark before\n; MaxJobs: 2\n;  MaxProcs:128\n; Information: http://a.b/\n"
        b";              http://c.d/\n; Queue: 1 short\n; Queue: 2 long\n;\n"
        b"; Acknowledge: J\xf6rg\n" + ROW,
    )
    assert trace.header == {
        "": "a remark before",
        "MaxJobs": "2",
        "MaxProcs": "128",
        "Information": "http://a.b/\nhttp://c.d/",
        "Queue": "1 short\n2 long",
        "Acknowledge": "Jörg",
    }
    assert trace.machine == 128


@pytest.mark.parametrize(
    ("header", "machine"),
    [
        (b"; MaxNodes: 12\n; MaxProcs: 96\n", 96),
        (b"; MaxNodes: 12 (thin)\n; MaxProcs: -1\n", 12),
        (b"; MaxProcs: many\n", 0),
        (b"; MaxProcs:\n", 0),
        (b"", 0),
    ],
)
def test_the_machine_is_as_large_as_the_header_says(header: bytes, machine: int) -> None:
    assert read_swf("log", header + ROW).machine == machine


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "log: is empty"),
        (b" \n\n", "log: is empty"),
        (b"; MaxProcs: 4\n", "log: has no job in it"),
        (b"; MaxProcs: 4\nid,submit,run\n1,2,3\n", "log:2: 'id,submit,run' is no job of a trace"),
        (b"To whom it may concern:\n", "log:1: 'To whom it may concern:' is no job of a trace"),
        (ROW + b"\x7fELF\0\0", "log:2: is binary, not text"),
        (b"\x1b[2J\xff\xfe\n", r"log:1: '\x1b[2Jÿþ' is no job of a trace"),
    ],
)
def test_what_is_no_log_is_wrong(text: bytes, said: str) -> None:
    with pytest.raises(Wrong) as refused:
        read_swf("log", text)
    assert refused.value.message == said
    assert refused.value.hint


def test_a_log_is_read_in_blocks() -> None:
    count = 2 * BLOCK // len(ROW) + 3
    assert len(read_swf("log", ROW * count)) == count


@given(st.lists(st.integers(0, 999), max_size=5, unique=True))
def test_odd_lines_among_many_are_found_wherever_they_are(places: list[int]) -> None:
    lines = [b"9 10 5 100 4 x\n" if at in places else ROW for at in range(1000)]
    trace = read_swf("log", b"".join(lines))
    assert np.flatnonzero(trace.id == 9).tolist() == sorted(places)
    assert trace.line.tolist() == list(range(1, 1001))
    assert trace.oddities == ({"short": len(places), "not_a_number": len(places)} if places else {})


def test_the_columns_are_read_only() -> None:
    trace = read_swf("log", ROW)
    with pytest.raises(ValueError, match="read-only"):
        trace.run[0] = 1


def test_the_logs_of_real_machines_are_read_number_by_number() -> None:
    for log in ("KTH-SP2-1996-2", "SDSC-SP2-1998-4.2-cln", "UniLu-Gaia-2014-1", "wagap-2013"):
        text = gunzip(log, shared_trace(f"{log}.swf.gz"))
        trace = read_swf(log, text)
        lines = [
            line.split()[:18] for line in text.split(b"\n") if line.strip() and line[:1] != b";"
        ]
        numbers = np.array(lines, np.float64)
        assert len(trace) == len(numbers)
        for at, field in enumerate(FIELDS):
            assert np.array_equal(getattr(trace, field), numbers[:, at])
        assert equal(read_swf(log, written(trace)), trace)


def test_sixty_thousand_lines_take_a_blink() -> None:
    text = jobs(*((second, 60 + second % 977, 1 + second % 8, 3600) for second in range(60_000)))
    taken = []
    for _ in range(5):
        since = time.process_time()
        read_swf("log", text)
        taken.append(time.process_time() - since)
    assert min(taken) < 0.15


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("start", [b";", b"1 "])
@pytest.mark.parametrize("ends", [False, True])
def test_a_line_without_an_end_is_refused_with_its_place(
    before: int, start: bytes, ends: bool
) -> None:
    text = b"; Version: 2\n" * before + start + b" " * (LONGEST + 1) + (b"\n" if ends else b"")
    with pytest.raises(Wrong, match=rf"^log:{before + 1}: is too long for a line of a trace"):
        read_swf("log", text)


def test_of_remarks_without_end_a_part_is_kept() -> None:
    text = b"; MaxProcs: 4\n; Note: a\n" + b"; more\n" * 100_000 + jobs((0, 9, 1, 9), header="")
    trace = read_swf("log", text)
    assert trace.header["MaxProcs"] == "4"
    assert len(trace.header["Note"]) < 2 * HEADER


@given(st.integers(1, 50), st.booleans())
def test_the_shortest_lines_are_all_read(lines: int, ends: bool) -> None:
    text = b"\n".join([b"1 1 1 1 1"] * lines) + (b"\n" if ends else b"")
    assert len(read_swf("log", text)) == lines
