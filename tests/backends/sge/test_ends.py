"""Every way in which a job can end on a real Grid Engine, and what is said of it.

All of these jobs are submitted at once, and looked at when they are through.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hpcshell.backends.contract import Order, Sighting
from hpcshell.backends.jobscript import Recorded, read_records
from hpcshell.core.jobspec import Layout
from tests.backends.sge.conftest import Orders, said_by
from tests.support.clusters.sge import SgeCluster

pytestmark = pytest.mark.timeout(600)

MB = 1024**2
HOG = "exec python3 -c 'print(len(bytearray(900 * 1024**2)))'"
Ends = Mapping[str, tuple[Order, Sighting]]


def recorded(order: Order) -> Recorded | None:
    files = {file.name: file.read_text() for file in Path(order.directory, "record").iterdir()}
    return read_records(files).get(None)


@pytest.fixture(scope="module")
def ends(sge: SgeCluster, order: Orders) -> Ends:
    orders = {
        "completed": order("true"),
        "failed": order("sh", "-c", "exit 3"),
        "exit 137": order("sh", "-c", "exit 137"),
        "crashed": order(script="kill -SEGV $$"),
        "limit": order("sleep", "300", limit=2),
        "again": order(script="[ -e seen ] && exit 0; touch seen; exit 99"),
        "hog": order(script=HOG, layout=Layout(memory=300 * MB)),
        "killed": order("sleep", "300"),
        "no directory": order("true", cwd="/nonexistent/here"),
    }
    natives = {name: sge.submit(one) for name, one in orders.items()}
    sge.until(natives["killed"], "RUNNING")
    sge.say_all(sge.backend.cancel([natives["killed"]]))
    return {name: (orders[name], sge.ended(native)[-1]) for name, native in natives.items()}


def test_a_job_that_does_well_completed_and_its_record_agrees(ends: Ends) -> None:
    order, end = ends["completed"]
    record = recorded(order)
    assert (end.state, end.exit_code, end.signal) == ("COMPLETED", 0, None)
    assert record is not None
    assert record.code == 0
    assert record.native == end.native
    assert record.begun is not None
    assert end.start_time is not None
    assert end.end_time is not None
    assert abs(record.begun - end.start_time) < 5
    assert end.end_time - end.start_time < 30


@pytest.mark.parametrize(("job", "code"), [("failed", 3), ("exit 137", 137), ("crashed", 139)])
def test_a_job_that_fails_keeps_its_exit_code(ends: Ends, job: str, code: int) -> None:
    order, end = ends[job]
    record = recorded(order)
    assert (end.state, end.exit_code) == ("FAILED", code)
    assert record is not None
    assert record.code == code


def test_a_job_over_its_time_limit_is_timed_out_and_leaves_no_end(ends: Ends) -> None:
    order, end = ends["limit"]
    record = recorded(order)
    assert (end.state, end.signal, end.time_limit) == ("TIMEOUT", 9, 2)
    assert record is not None
    assert record.code is None


def test_exit_99_puts_a_job_back_and_only_the_last_attempt_counts(ends: Ends) -> None:
    _, end = ends["again"]
    assert (end.state, end.exit_code, end.restarts) == ("COMPLETED", 0, 1)


def test_a_job_over_its_memory_is_refused_the_memory(ends: Ends) -> None:
    order, end = ends["hog"]
    assert (end.state, end.exit_code) == ("FAILED", 1)
    assert "MemoryError" in said_by(order)


def test_a_job_that_was_deleted_as_it_ran_was_killed(ends: Ends) -> None:
    _, end = ends["killed"]
    assert (end.state, end.signal) == ("FAILED", 9)


def test_a_job_without_its_directory_fails_and_says_so(ends: Ends) -> None:
    order, end = ends["no directory"]
    assert (end.state, end.exit_code) == ("FAILED", 1)
    assert "/nonexistent/here" in said_by(order, "scheduler.out")


def test_exit_100_is_held_in_the_error_state_with_the_reason_until_it_is_released(
    sge: SgeCluster, order: Orders
) -> None:
    native = sge.submit(order(script="[ -e seen ] && exit 0; touch seen; exit 100"))
    seen = sge.until(native, "PENDING")
    while seen.word != "Eqw":
        seen = sge.until(native, "PENDING")
    assert (seen.held, seen.reason_code) == (True, "ErrorState")
    assert seen.reason == "exit_status of job start = 100"
    answers = sge.say_all(sge.backend.release([native]))
    assert sge.backend.read_change([native], answers).troubles == {}
    assert [(one.state, one.restarts) for one in sge.ended(native)] == [("COMPLETED", 1)]


def test_a_job_deleted_while_it_waited_is_nowhere_and_not_ended(
    sge: SgeCluster, order: Orders
) -> None:
    native = sge.submit(order("true", hold=True))
    assert sge.until(native, "PENDING").held
    answers = sge.say_all(sge.backend.cancel([native]))
    assert sge.backend.read_change([native], answers).troubles == {}
    sge.until_gone(native)
    seen = sge.history(native)
    assert seen.whole
    assert seen.absent == (native,)
    assert not seen.sightings
