"""Ends that take a minute and more to come: begun before all other tests, looked at after them."""

from __future__ import annotations

import pytest

from tests.backends.slurm.live.conftest import Jobs, LongAgo
from tests.support.runners import eventually

MINUTES = 150.0


@pytest.mark.timeout(240)
def test_a_job_past_its_limit_timed_out(jobs: Jobs, long_ago: LongAgo) -> None:
    eventually(lambda: jobs.one(long_ago.limited).state == "TIMEOUT", MINUTES)
    assert jobs.one(long_ago.limited).exit_code is None
    assert jobs.accounted(long_ago.limited).state == "TIMEOUT"
    text = (long_ago.home / f"limited-{long_ago.limited}.out").read_text()
    assert "DUE TO TIME LIMIT" in text


@pytest.mark.timeout(240)
def test_a_job_that_can_no_longer_end_in_time_is_given_up(jobs: Jobs, long_ago: LongAgo) -> None:
    eventually(lambda: jobs.one(long_ago.late).state == "DEADLINE", MINUTES)
    assert jobs.accounted(long_ago.late).state == "DEADLINE"


@pytest.mark.timeout(240)
def test_a_job_goes_with_its_node(jobs: Jobs) -> None:
    lost = jobs.submit("sleep 120", partition="frail", requeue=False)
    again = jobs.submit("sleep 120", partition="frail")
    for number in (lost, again):
        jobs.running(number)
    with jobs.cluster.without("slurmd-node4"):
        eventually(lambda: jobs.one(lost).state == "NODE_FAIL", MINUTES)
        assert jobs.accounted(lost).state == "NODE_FAIL"
        job = jobs.when(again, lambda job: job.state == "PENDING")
        assert job.restarts == 1
        jobs.end()
