"""What can never run is refused, with the largest that could."""

from __future__ import annotations

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Request, Resources
from hpcshell.core.settings import PartitionSettings, Settings
from hpcshell.policy.admit import admit, admit_times

TOTAL = Resources(cpus=2, memory=4 << 30, gpus=1, others={"matlab": 3})
SETTINGS = Settings(
    partitions={
        "main": PartitionSettings(),
        "short": PartitionSettings(max_time=600.0, max_cpus=1, max_memory=1 << 30, max_gpus=0),
    }
)


def test_what_fits_passes() -> None:
    admit(Request(), TOTAL, SETTINGS, "main")
    everything = Request(cpus=2, memory=4 << 30, gpus=1, others={"matlab": 3}, exclusive=True)
    admit(everything, TOTAL, SETTINGS, "main")
    admit(Request(time_limit=600.0), TOTAL, SETTINGS, "short")


@pytest.mark.parametrize(
    ("request_", "partition", "message", "hint"),
    [
        (Request(cpus=64), "main", "asks for 64 cpus; this machine has 2", "would fit is 2"),
        (Request(memory=8 << 30), "main", "asks for 8G of memory; this machine has 4G", "4G"),
        (Request(gpus=2), "main", "asks for 2 gpus; this machine has 1", "would fit is 1"),
        (Request(others={"matlab": 4}), "main", "asks for 4 matlab; this machine has 3", "is 3"),
        (Request(others={"matlap": 1}), "main", "'matlap'", "did you mean matlab?"),
        (Request(others={"xyz": 1}), "main", "'xyz'", "there are cpus, memory, gpus, matlab"),
        (Request(cpus=0), "main", "asks for 0 cpus", "at least 1"),
        (Request(memory=-1), "main", "asks for -1 memory", "0 or more"),
        (Request(time_limit=0.0), "main", "time limit of 0 seconds", "--time"),
        (Request(time_limit=float("nan")), "main", "time limit of nan seconds", "--time"),
        (Request(time_limit=float("inf")), "main", "time limit of inf seconds", "--time"),
        (Request(), "mian", "no partition 'mian'", "did you mean main?"),
        (Request(), "short", "has no time limit; partition short allows 10m", "--time=10m"),
        (Request(time_limit=601.0), "short", "partition short allows 10m", "--time=10m"),
        (Request(cpus=2, time_limit=1.0), "short", "partition short allows 1", "at most 1"),
        (Request(memory=2 << 30, time_limit=1.0), "short", "short allows 1G", "at most 1G"),
        (Request(gpus=1, time_limit=1.0), "short", "partition short allows 0", "at most 0"),
    ],
)
def test_what_can_never_start_is_refused(
    request_: Request, partition: str, message: str, hint: str
) -> None:
    with pytest.raises(Wrong) as caught:
        admit(request_, TOTAL, SETTINGS, partition)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_machine_without_gpus_says_where_they_are_configured() -> None:
    with pytest.raises(Wrong, match="this machine has none") as caught:
        admit(Request(gpus=1), Resources(cpus=1), SETTINGS, "main")
    assert "[resources]" in (caught.value.hint or "")


def test_a_deadline_must_leave_the_time_that_is_asked_for() -> None:
    admit_times(0.0, None, None, now=100.0)
    admit_times(0.0, 160.0, 60.0, now=100.0)
    admit_times(200.0, 260.0, 60.0, now=100.0)
    for begin, deadline, limit, message in (
        (0.0, 90.0, None, "the deadline is 10s before now"),
        (200.0, 150.0, None, "the deadline is 50s before its begin time"),
        (0.0, 130.0, 60.0, "it may run for 1m, and the deadline leaves it 30s"),
    ):
        with pytest.raises(Wrong) as caught:
            admit_times(begin, deadline, limit, now=100.0)
        assert caught.value.message == message
