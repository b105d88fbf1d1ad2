"""Our own history is read back as a trace."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.trace.clean import clean
from hpcshell.trace.history import COMMAND, read_history


def row(label: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": int(label.split("_")[0]),
        "label": label,
        "name": "job",
        "user": "ann",
        "state": "COMPLETED",
        "submit_time": 1000.0,
        "start_time": 1010.5,
        "end_time": 1110.5,
        "cpus": 2,
        "memory": 4096 * 1024,
        "time_limit": 600.0,
        "partition": "main",
        "account": "",
        "elements": None,
        "usage": {"cpu_time": 180.0, "max_rss": 2048 * 1024},
    } | fields


def document(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"schema": 1, "rows": rows, "total": len(rows)}).encode()


def test_columns_say_what_the_documents_said() -> None:
    trace = read_history("past", document(row("8", submit_time=1003.0, user="bob"), row("7")))
    assert trace.id.tolist() == [7, 8]
    assert trace.submit.tolist() == [0, 3]
    assert trace.wait.tolist() == [10.5, 7.5]
    assert trace.run.tolist() == [100, 100]
    assert trace.procs.tolist() == [2, 2]
    assert trace.request.tolist() == [600, 600]
    assert trace.memory.tolist() == [2048, 2048]
    assert trace.used_memory.tolist() == [1024, 1024]
    assert trace.used_cpu.tolist() == [90, 90]
    assert trace.names == {"user": ("ann", "bob"), "queue": ("main",)}
    assert trace.group.tolist() == [-1, -1]
    assert trace.header == {"UnixStartTime": "1000"}
    assert not trace.oddities
    assert clean(trace).memory.tolist() == [4096 * 1024] * 2


def test_what_never_ran_or_still_runs_has_no_run_time() -> None:
    trace = read_history(
        "past",
        document(
            row("7", state="CANCELLED", start_time=None),
            row("8", state="RUNNING", end_time=None, usage=None, time_limit=None),
        ),
    )
    assert trace.run.tolist() == [-1, -1]
    assert trace.wait.tolist() == [-1, 10.5]
    assert trace.request.tolist() == [600, math.inf]
    assert trace.oddities == {"not_ended": 1}
    assert trace.examples == {"not_ended": ("past: job 8",)}


def test_elements_are_jobs_and_whole_arrays_are_not() -> None:
    rows = [row("7_1"), row("7_2"), row("9", elements={"total": 5, "running": []})]
    trace = read_history("past", document(*rows))
    assert trace.id.tolist() == [1, 2]
    assert trace.labels == ("7_1", "7_2")
    assert trace.oddities == {"whole_array": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (document(), "past: has no job in it"),
        (document(row("9", elements={"total": 5})), "past: has arrays without their elements"),
        (b'{"rows": [', "past: is no history: Input data was truncated"),
        (b'{"jobs": 3}', "past: is no history: Object missing required field `rows`"),
        (
            document(row("7", cpus="two")),
            "past: is no history: Expected `int`, got `str` - at `$.rows[0].cpus`",
        ),
    ],
)
def test_what_is_no_history_is_wrong(content: bytes, said: str) -> None:
    with pytest.raises(Wrong) as refused:
        read_history("past", content)
    assert refused.value.message == said
    assert COMMAND in (refused.value.hint or "")


def test_what_a_document_says_nothing_about_is_none() -> None:
    """A real document has null where nothing was said."""
    trace = read_history("past", document(row("7", account=None, user=None, partition=None)))
    assert trace.group.tolist() == [-1]
    assert trace.run.tolist() == [100]
