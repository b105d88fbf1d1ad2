"""How jobs end, as a real Slurm tells it: in the queue, and in the accounting."""

from __future__ import annotations

from typing import Any

import pytest

from hpcshell.backends.contract import Sighting
from hpcshell.core.jobspec import Layout
from hpcshell.core.records import Request
from hpcshell.core.units import MIB
from tests.backends.slurm.live.conftest import Jobs


def outcome(job: Sighting) -> tuple[str, int | None, int | None]:
    return job.state, job.exit_code, job.signal


@pytest.mark.parametrize("code", [0, 1, 3, 137, 255])
def test_the_exit_code_is_the_programs(jobs: Jobs, code: int) -> None:
    number = jobs.submit(f"exit {code}")
    state = "FAILED" if code else "COMPLETED"
    assert outcome(jobs.ended(number)) == (state, code, None)
    accounted = code - 128 if code > 127 else code  # sacct tells these as 128 less
    assert outcome(jobs.accounted(number)) == (state, accounted, None)


def test_a_program_that_kills_itself_leaves_the_shells_code(jobs: Jobs) -> None:
    number = jobs.submit("kill -SEGV $$")
    assert outcome(jobs.ended(number)) == ("FAILED", 139, None)


def test_a_job_whose_shell_is_killed_ended_by_the_signal(jobs: Jobs) -> None:
    number = jobs.submit("kill -KILL $PPID; exec sleep 5")
    assert outcome(jobs.ended(number)) == ("FAILED", None, 9)
    assert outcome(jobs.accounted(number)) == ("FAILED", None, 9)


def test_a_cancelled_job_says_by_whom(jobs: Jobs) -> None:
    waits, runs = jobs.submit(hold=True), jobs.submit("sleep 60")
    jobs.running(runs)
    assert jobs.changed("cancel", waits, runs) == {}
    for number in (waits, runs):
        assert jobs.ended(number).state == "CANCELLED"
        assert jobs.accounted(number).word == "CANCELLED by 0"
    assert jobs.accounted(waits).start_time is None


def test_a_job_that_makes_room_was_preempted(jobs: Jobs) -> None:
    whole: dict[str, Any] = {"partition": "small", "of_spec": {"layout": Layout(exclusive="yes")}}
    low = jobs.submit("sleep 60", qos="low", requeue=False, **whole)
    jobs.running(low)
    high = jobs.submit(qos="high", **whole)
    assert jobs.ended(low).state == "PREEMPTED"
    assert jobs.accounted(low).state == "PREEMPTED"
    assert jobs.ended(high).state == "COMPLETED"
    assert "DUE TO PREEMPTION" in (jobs.home / f"job1-{low}.out").read_text()


def test_a_job_that_takes_too_much_memory_ran_out_of_it(jobs: Jobs) -> None:
    if not jobs.cluster.limits_memory:
        pytest.skip("this machine lets nobody limit memory")
    hungry = "python3 -c 'x = bytearray(400 * 1024 * 1024)'"
    number = jobs.submit(hungry, request=Request(memory=64 * MIB))
    assert outcome(jobs.ended(number)) == ("OUT_OF_MEMORY", None, None)
    past = jobs.accounted(number)
    assert past.state == "OUT_OF_MEMORY"
    assert past.memory == 64 * MIB
    assert "oom-kill" in (jobs.home / f"job1-{number}.out").read_text()
