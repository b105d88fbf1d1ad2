"""What sacct prints is read whatever its fields are; what is no job is counted."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.trace.clean import clean
from hpcshell.trace.record import FIELDS, Trace
from hpcshell.trace.sacct import COMMAND, read_sacct
from tests.trace.made import attempt, equal

RECORDED = Path(__file__).parent / "recorded"

HEADER = "JobID|Submit|Start|End|Elapsed|ReqCPUS|AllocCPUS|Timelimit|User|Account|Partition|State"
LINES = (
    "12|2026-01-02T10:00:00|2026-01-02T10:00:30|2026-01-02T11:00:30|01:00:00|4|8|02:00:00"
    "|ann|lab|cpu|COMPLETED",
    "13|2026-01-02T10:00:05|2026-01-02T11:00:30|2026-01-02T11:00:40|00:00:10|2|2|UNLIMITED"
    "|bob|lab|gpu|CANCELLED by 7",
    "14|2026-01-02T10:01:00|Unknown|Unknown|00:00:00|2|0|Partition_Limit|ann|lab|cpu|PENDING",
)


def recorded(name: str) -> Trace:
    return read_sacct(name, (RECORDED / name).read_text())


def test_a_recording_of_jobs_is_read() -> None:
    trace = recorded("sacct-jobs.txt")
    assert len(trace) == 12
    assert trace.submit.tolist() == [0, 3, 4, 4, 4, 5, 28, 28, 31, 69, 69, 69]
    assert trace.wait.tolist() == [0, 0, 0, 0, 0, 0, 1, 5, 2, 2, 2, 2]
    assert trace.run.tolist() == [3, 0, 0, 0, 0, 12, 4, 1, 1, 8, 8, 8]
    assert trace.used_procs.tolist() == [1, 8, 2, 1, 9, 1, 1, 1, 1, 2, 1, 1]
    assert trace.status.tolist() == [0, 1, 0, 5, 0, 1, 1, 1, 1, 5, 5, 5]
    assert trace.labels[-2:] == ("244_0", "244_1")
    assert trace.names == {"user": ("alice",), "group": ("science",), "queue": ("cpu",)}
    assert trace.memory[0] == 128 * 1024
    assert trace.memory[4] == 128 * 1024
    work = clean(trace)
    assert work.machine == 2
    assert len(work) == 8
    assert work.memory[-3] == 300 * 2**20


def test_a_recording_of_all_fields_is_read_and_steps_are_left_out() -> None:
    trace = recorded("sacct-all-fields.txt")
    assert trace.id.tolist() == [19]
    assert (trace.wait[0], trace.run[0]) == (5, 0)
    assert trace.request.tolist() == [3600]
    assert trace.oddities == {"step": 1}
    assert trace.examples == {"step": ("sacct-all-fields.txt:3",)}


def table(lines: tuple[str, ...] | list[str] = LINES, header: str = HEADER) -> str:
    return "\n".join([header, *lines]) + "\n"


def test_columns_say_what_the_fields_said() -> None:
    trace = read_sacct("jobs", table())
    assert trace.id.tolist() == [12, 13, 14]
    assert trace.submit.tolist() == [0, 5, 60]
    assert trace.wait.tolist() == [30, 3625, -1]
    assert trace.run.tolist() == [3600, 10, -1]
    assert trace.procs.tolist() == [4, 2, 2]
    assert trace.used_procs.tolist() == [8, 2, 0]
    assert trace.request.tolist() == [7200, math.inf, -1]
    assert trace.status.tolist() == [1, 5, -1]
    assert trace.user.tolist() == [0, 1, 0]
    assert trace.names["user"] == ("ann", "bob")
    assert trace.header == {"UnixStartTime": "1767348000"}
    assert trace.oddities == {"not_ended": 1}
    assert trace.where(1) == "jobs:3"


@given(st.permutations(range(HEADER.count("|") + 1)), st.sampled_from(["", "|"]))
def test_the_order_of_the_fields_does_not_matter(order: list[int], end: str) -> None:
    lines = [line.split("|") for line in (HEADER, *LINES)]
    header, *rest = ["|".join(line[at] for at in order) + end for line in lines]
    assert equal(read_sacct("jobs", table(rest, header)), read_sacct("jobs", table()))


@pytest.mark.parametrize(
    "fields",
    [
        "JobID Submit Elapsed ReqCPUS",
        "JobID Submit Start End AllocCPUS",
        "JobID Submit Start End Elapsed AllocCPUS State",
    ],
)
def test_what_is_needed_is_enough(fields: str) -> None:
    at = [HEADER.split("|").index(field) for field in fields.split()]
    header, *rest = ["|".join(line.split("|")[place] for place in at) for line in (HEADER, *LINES)]
    trace = read_sacct("jobs", table(rest[:2], header))
    assert trace.run.tolist() == [3600, 10]
    assert len(clean(trace)) == 2


def test_raw_fields_go_before_words() -> None:
    text = "JobIDRaw|JobID|Submit|Elapsed|ElapsedRaw|NCPUS|TimelimitRaw\n7|5_1|1700000000|x|9|1|2\n"
    trace = read_sacct("jobs", text)
    assert (trace.id[0], trace.run[0], trace.request[0]) == (7, 9, 120)
    assert trace.labels == ()


def test_days_are_understood() -> None:
    line = "1|2026-01-02T10:00:00|1-02:03:04|1|2-00:00:00"
    trace = read_sacct("jobs", table([line], "JobID|Submit|Elapsed|ReqCPUS|Timelimit"))
    assert (trace.run[0], trace.request[0]) == (93784, 172800)


@pytest.mark.parametrize(("said", "kib"), [("4G", 1 << 20), ("4Gc", 4 << 20), ("4Gn", 2 << 20)])
def test_memory_is_that_of_a_processor(said: str, kib: int) -> None:
    line = f"1|2026-01-02T10:00:00|00:00:09|4|2|{said}"
    trace = read_sacct("jobs", table([line], "JobID|Submit|Elapsed|ReqCPUS|NNodes|ReqMem"))
    assert trace.memory[0] == kib


def test_lines_that_are_no_jobs_are_counted() -> None:
    lines = [*LINES, "", "14.batch" + LINES[0][2:], "15_[3-9%2]" + LINES[0][2:], "a|b|c"]
    lines += [LINES[0].replace("2026-01-02T10:00:00", "Unknown")]
    trace = read_sacct("jobs", table(lines))
    assert len(trace) == 3
    assert trace.oddities == {
        "step": 1,
        "never_began": 1,
        "misfit": 1,
        "no_submit": 1,
        "not_ended": 1,
    }
    assert (trace.examples["misfit"], trace.examples["no_submit"]) == (("jobs:8",), ("jobs:9",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "jobs: is empty"),
        (
            "JobID|User\n1|a\n",
            "jobs:1: sacct's field is missing: Submit; "
            "ElapsedRaw or Elapsed or Start and End; ReqCPUS or AllocCPUS or NCPUS",
        ),
        (table([]), "jobs: has no job in it"),
        ("\n".join(LINES), "jobs:1: the first line does not name sacct's fields, JobID among them"),
        (
            "JobID           JobName\n------\n",
            "jobs:1: is sacct's table for people, with cut words",
        ),
    ],
)
def test_what_cannot_be_read_is_wrong_and_the_right_command_is_named(text: str, said: str) -> None:
    with pytest.raises(Wrong) as refused:
        read_sacct("jobs", text)
    assert refused.value.message == said
    assert COMMAND in (refused.value.hint or "")


@given(st.lists(st.text("|09:-T UNK\n.[_", max_size=40), max_size=5))
def test_any_lines_are_a_trace_or_wrong(lines: list[str]) -> None:
    trace = attempt(lambda: read_sacct("jobs", table(lines)))
    assert isinstance(trace, Wrong) or all(len(getattr(trace, field)) for field in FIELDS)


def test_what_runs_still_is_counted_once() -> None:
    running = "15|2026-01-02T10:02:00|2026-01-02T10:03:00|Unknown|00:10:00|1|1|02:00:00|ann|lab|cpu"
    work = clean(read_sacct("jobs", table([*LINES[:2], f"{running}|RUNNING"])))
    assert work.oddities == {"not_ended": 1, "machine_unknown": 1, "unlimited": 1}
    assert work.id.tolist() == [12, 13]


def test_no_limit_is_more_than_any_limit() -> None:
    raw = HEADER.replace("Timelimit", "TimelimitRaw")
    for head in (HEADER, raw):
        work = clean(read_sacct("jobs", table(LINES[1:2], head)))
        assert work.request.tolist() == [1e11]
        assert work.oddities == {"machine_unknown": 1, "unlimited": 1}


def test_qos_and_the_parts_of_heterogeneous_jobs_are_read() -> None:
    head = "JobID|JobIDRaw|Submit|Start|End|ElapsedRaw|ReqCPUS|Partition|QOS|State"
    time = "2026-01-02T10:00:00|2026-01-02T10:00:30|2026-01-02T11:00:30|3600"
    trace = read_sacct(
        "jobs",
        table(
            [
                f"12+0|12|{time}|4|cpu|high|COMPLETED",
                f"12+1|13|{time}|2|gpu|high|COMPLETED",
                f"12+1.batch|13.batch|{time}|2|||COMPLETED",
                f"14|14|{time}|2|cpu||COMPLETED",
            ],
            head,
        ),
    )
    assert trace.id.tolist() == [12, 13, 14]
    assert (trace.gang.tolist(), trace.qos.tolist()) == ([0, 0, -1], [0, 0, -1])
    work = clean(trace)
    assert work.words("gang") == ["12", "12", ""]
    assert work.words("qos") == ["high", "high", ""]
    assert work.words("queue") == ["cpu", "gpu", "cpu"]
    assert work.words("user") == ["", "", ""]


def test_a_job_that_ended_before_it_began_is_counted_and_left_out_where_nothing_else_tells() -> (
    None
):
    times = ("2026-01-02T10:00:00", "2026-01-02T12:00:00", "2026-01-02T11:00:00")
    header = "JobID|Submit|Start|End|ElapsedRaw|ReqCPUS"
    lines = [f"1|{'|'.join(times)}|60|1", f"2|{'|'.join(sorted(times))}|60|1"]
    trace = read_sacct("jobs", table(lines, header))
    assert trace.oddities == {"turned_back": 1}
    assert trace.examples == {"turned_back": ("jobs:2",)}
    assert trace.run.tolist() == [60, 60]
    bare = [line.replace("|60|", "|") for line in lines]
    trace = read_sacct("jobs", table(bare, header.replace("|ElapsedRaw", "")))
    assert trace.oddities == {}
    work = clean(trace)
    assert (len(work), work.oddities["negative_run"]) == (1, 1)
