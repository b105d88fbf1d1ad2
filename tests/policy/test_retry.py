"""What becomes of an element when a run of it is over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.lifecycle import Event, Kind, step
from hpcshell.core.records import Job, Outcome, Request, Resources, Retry, State, Task
from hpcshell.policy.retry import End, after_end, backoff, grow
from tests.policy.made import make_job

TOTAL = Resources(cpus=8, memory=16 << 30, gpus=2, others={"lic": 3})


def ended(job: Job, *, stopping: str = "", attempt: int = 1, lost: int = 0, **end: Any) -> Event:
    state = State.STOPPING if stopping else State.RUNNING
    task = Task(
        job=job.id,
        index=-1,
        state=state,
        stopping=stopping,
        attempt=attempt,
        lost=lost,
        cause="cancelled by ann" if stopping == "cancel" else "",
    )
    event = after_end(job, task, End(time=100.0, **end), total=TOTAL)
    after = step(task, event)  # the table allows it
    assert after.state is (State.ENDED if event.kind is Kind.END else State.PENDING)
    return event


TRIED = Retry(limit=2, delay=10.0, jitter=0.0)


@pytest.mark.parametrize(
    ("end", "outcome", "cause"),
    [
        ({"exit_code": 0}, Outcome.COMPLETED, ""),
        ({"exit_code": 3}, Outcome.FAILED, "exit code 3"),
        ({"signal": 9}, Outcome.FAILED, "killed by SIGKILL"),
        ({"signal": 63}, Outcome.FAILED, "killed by signal 63"),
        ({"signal": 9, "oom": True}, Outcome.OUT_OF_MEMORY, "out of memory"),
        ({"message": "no such file: x"}, Outcome.FAILED, "no such file: x"),
        (
            {"signal": 15, "stopped_by": "timeout"},
            Outcome.TIMEOUT,
            "stopped at its time limit of 1h",
        ),
    ],
)
def test_the_exit_decides(end: dict[str, Any], outcome: Outcome, cause: str) -> None:
    event = ended(make_job(1, time_limit=3600.0), **end)
    assert event.kind is Kind.END
    assert event.outcome is outcome
    assert event.cause.startswith(cause)


@pytest.mark.parametrize(
    ("stopping", "stopped_by", "kind", "outcome"),
    [
        ("cancel", "", Kind.END, Outcome.CANCELLED),
        ("cancel", "timeout", Kind.END, Outcome.CANCELLED),
        ("timeout", "cancel", Kind.END, Outcome.CANCELLED),
        ("requeue", "", Kind.REQUEUE, None),
        ("requeue", "timeout", Kind.REQUEUE, None),
        ("timeout", "", Kind.END, Outcome.TIMEOUT),
        ("deadline", "", Kind.END, Outcome.DEADLINE),
        ("preempt", "", Kind.REQUEUE, None),
        ("evict", "", Kind.END, Outcome.PREEMPTED),
        ("down", "", Kind.END, Outcome.NODE_FAIL),
    ],
)
def test_what_was_asked_decides_before_the_exit(
    stopping: str, stopped_by: str, kind: Kind, outcome: Outcome | None
) -> None:
    event = ended(make_job(1), stopping=stopping, stopped_by=stopped_by, exit_code=0)
    assert (event.kind, event.outcome) == (kind, outcome)
    assert event.not_before == 0.0


def test_a_cancelled_element_is_never_tried_again() -> None:
    event = ended(make_job(1, retry=TRIED), stopping="cancel", signal=15)
    assert event.outcome is Outcome.CANCELLED
    assert event.cause == "cancelled by ann"


def test_failures_are_tried_again_after_longer_and_longer_waits() -> None:
    job = make_job(1, retry=TRIED)
    first = ended(job, attempt=1, exit_code=3)
    assert (first.kind, first.not_before) == (Kind.REQUEUE, 110.0)
    assert first.cause == "exit code 3; retry 1 of 2 in 10s"
    second = ended(job, attempt=2, exit_code=3)
    assert (second.kind, second.not_before) == (Kind.REQUEUE, 120.0)
    third = ended(job, attempt=3, exit_code=3)
    assert third.kind is Kind.END
    assert third.cause == "exit code 3; tried again 2 times"


@pytest.mark.parametrize(
    ("on", "end", "kind"),
    [
        (("exit:3",), {"exit_code": 3}, Kind.REQUEUE),
        (("exit:3",), {"exit_code": 4}, Kind.END),
        (("timeout",), {"exit_code": 3}, Kind.END),
        (("timeout",), {"signal": 15, "stopped_by": "timeout"}, Kind.REQUEUE),
        (("oom",), {"signal": 9, "oom": True}, Kind.REQUEUE),
        (("fail",), {"signal": 9, "oom": True}, Kind.END),
        (("fail",), {"signal": 11}, Kind.REQUEUE),
    ],
)
def test_only_the_causes_that_were_named_are_tried_again(
    on: tuple[str, ...], end: dict[str, Any], kind: Kind
) -> None:
    assert ended(make_job(1, retry=Retry(limit=1, on=on)), **end).kind is kind


def test_what_takes_the_machine_down_is_not_started_for_ever() -> None:
    for lost in range(3):
        event = after_loss(make_job(1), lost)
        assert event.kind is Kind.REQUEUE
        assert event.lost
    event = after_loss(make_job(1), 3)
    assert event.outcome is Outcome.NODE_FAIL
    assert "3 is the limit" in event.cause


def after_loss(job: Job, lost: int) -> Event:
    task = Task(job=1, state=State.RUNNING, attempt=lost + 1, lost=lost)
    return after_end(job, task, End(time=100.0, lost=True), total=TOTAL)


def test_the_first_loss_is_made_good_at_once_and_the_next_ones_wait() -> None:
    job = make_job(1, retry=Retry(delay=10.0, jitter=0.0))
    waits = [after_loss(job, lost).not_before for lost in range(3)]
    assert waits == [0.0, 110.0, 120.0]


def test_a_job_that_is_not_to_be_requeued_ends_with_the_machine() -> None:
    event = after_loss(make_job(1, requeue=False), 0)
    assert event.outcome is Outcome.NODE_FAIL


def test_losses_do_not_use_up_retries() -> None:
    task = Task(job=1, state=State.RUNNING, attempt=4, lost=3)
    event = after_end(make_job(1, retry=TRIED), task, End(time=0.0, exit_code=1), total=TOTAL)
    assert event.cause.startswith("exit code 1; retry 1 of 2")


@given(st.integers(1, 10**9), st.integers(-1, 10**6), st.integers(1, 2000), st.floats(1.0, 1e6))
def test_the_wait_is_bounded_and_the_same_whenever_it_is_worked_out(
    job: int, index: int, attempt: int, factor: float
) -> None:
    retry = Retry(limit=5, delay=2.0, factor=factor, max_delay=600.0, jitter=0.1)
    wait = backoff(retry, job, index, attempt)
    assert wait == backoff(retry, job, index, attempt)
    assert 1.8 - 1e-9 <= wait <= 660.0 + 1e-9


def test_the_waits_of_many_elements_are_spread() -> None:
    retry = Retry(limit=1, delay=100.0, jitter=0.5)
    waits = [backoff(retry, 7, index, 1) for index in range(200)]
    assert len(set(waits)) == 200
    assert min(waits) < 60
    assert max(waits) > 140


def test_a_request_grows_to_its_cap_and_never_over_the_machine() -> None:
    asked = Request(cpus=2, memory=4 << 30, others={"lic": 2}, time_limit=60.0)
    retry = Retry(grow={"mem": 1.5, "cpus": 8.0, "lic": 2.0, "time": 3.0}, cap={"time": 100.0})
    grown = grow(asked, retry, TOTAL)
    assert grown == Request(cpus=8, memory=6 << 30, others={"lic": 3}, time_limit=100.0)
    assert grow(Request(cpus=8), Retry(grow={"cpus": 2.0}), TOTAL) is None
    assert grow(Request(), Retry(grow={"memory": 2.0}), TOTAL) is None  # nothing was asked


def test_a_grown_request_is_told_in_the_cause() -> None:
    job = make_job(1, cpus=2, retry=Retry(limit=1, delay=0.0, grow={"cpus": 2.0}))
    event = ended(job, exit_code=1)
    assert event.request == Request(cpus=4)
    assert event.cause == "exit code 1; retry 1 of 1 in 0s with 4 cpus"


def test_a_requeue_that_was_asked_for_uses_up_no_retry() -> None:
    job = make_job(1, retry=Retry(limit=1, delay=0.0))
    task = step(Task(job=1), Event(kind=Kind.START, time=0.0, run=1))
    task = step(task, Event(kind=Kind.STOP, time=1.0, stopping="requeue"))
    task = step(task, after_end(job, task, End(time=2.0, signal=15), total=TOTAL))
    task = step(task, Event(kind=Kind.START, time=3.0, run=2))
    assert after_end(job, task, End(time=4.0, exit_code=1), total=TOTAL).kind is Kind.REQUEUE


def test_a_share_grows_by_hundredths_and_whole_gpus_by_whole_ones() -> None:
    total = Resources(cpus=1, gpus=2)
    half = grow(Request(gpu_share=50), Retry(grow={"gpu": 1.5}), total)
    assert half == Request(gpu_share=75)
    assert grow(half, Retry(grow={"gpu": 1.5}), total) == Request(gpus=1, gpu_share=13)
    assert grow(half, Retry(grow={"gpu": 9.0}), total) == Request(gpus=2)
    assert grow(Request(gpus=1), Retry(grow={"gpu": 1.5}), total) == Request(gpus=2)
