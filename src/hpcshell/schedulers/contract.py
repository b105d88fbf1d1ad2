"""What every scheduler can do, and the words for it that all of them share."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from hpcshell.core.errors import Wrong


class JobStatus(Enum):
    """What a job is doing, in the words all schedulers share."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


FINISHED: Final = frozenset(
    {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.TIMEOUT}
)
"""States a job does not leave again."""

STATUS: Final[dict[str, JobStatus]] = {
    "PENDING": JobStatus.PENDING,
    "RUNNING": JobStatus.RUNNING,
    "SUSPENDED": JobStatus.RUNNING,
    "COMPLETING": JobStatus.RUNNING,
    "COMPLETED": JobStatus.COMPLETED,
    "CANCELLED": JobStatus.CANCELLED,
    "PREEMPTED": JobStatus.CANCELLED,
    "TIMEOUT": JobStatus.TIMEOUT,
    "DEADLINE": JobStatus.TIMEOUT,
    "FAILED": JobStatus.FAILED,
    "OUT_OF_MEMORY": JobStatus.FAILED,
    "NODE_FAIL": JobStatus.FAILED,
}
"""The states of jobs in those words. A state that is not here is UNKNOWN."""


class Unasked(int):
    """A default that can be told from the same number given by the user."""


@dataclass
class ResourceRequirements:
    """What a job needs. `memory_gb` is for a node, `time_hours` the limit of the wall time."""

    nodes: int = 1
    tasks_per_node: int = 1
    cpus_per_task: int = 1
    gpus_per_node: int = 0
    memory_gb: int = Unasked(8)
    time_hours: float = 1.0
    partition: str | None = None
    qos: str | None = None
    account: str | None = None
    constraint: str | None = None


@dataclass
class JobInfo:
    """What is known about a submitted job. Times are Unix seconds."""

    job_id: str
    name: str
    status: JobStatus
    submit_time: float
    start_time: float | None = None
    end_time: float | None = None
    exit_code: int | None = None
    stdout_path: str | None = None
    stderr_path: str | None = None
    dependencies: list[str] = field(default_factory=list)


class Scheduler(ABC):
    """What every scheduler can do. `jobs` maps the ids this object submitted to what is known."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.jobs: dict[str, JobInfo] = {}

    @abstractmethod
    def submit_job(
        self,
        script_path: str,
        job_name: str,
        resources: ResourceRequirements,
        dependencies: list[str] | None = None,
        **kwargs: Any,
    ) -> str:
        """Submit a script and return its id. `dependencies` are ids that must complete first."""

    @abstractmethod
    def get_job_status(self, job_id: str) -> JobStatus:
        """What the job is doing; UNKNOWN if nobody knows the id."""

    @abstractmethod
    def cancel_job(self, job_id: str) -> bool:
        """Cancel it. False if there was nothing (any more) to cancel."""

    @abstractmethod
    def get_queue_info(self) -> list[JobInfo]:
        """The jobs this object submitted, brought up to date."""

    def wait_for_job(
        self, job_id: str, poll_interval: float = 30.0, timeout: float | None = None
    ) -> JobStatus:
        """Wait until the job has ended, looking every `poll_interval` seconds.

        Raises `TimeoutError` after `timeout` seconds; the job goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.get_job_status(job_id)) not in FINISHED:
            left = poll_interval
            if deadline is not None:
                left = min(left, deadline - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"job {job_id} has not ended after {timeout:g} s")
            time.sleep(left)
        return status

    def submit_job_array(
        self,
        script_path: str,
        job_name: str,
        resources: ResourceRequirements,
        array_size: int,
        **kwargs: Any,
    ) -> list[str]:
        """Submit `array_size` runs of a script that tell themselves apart by their index."""
        if not isinstance(array_size, int) or array_size < 1:
            raise Wrong(f"array_size: {array_size!r} is no possible number", "the least is 1")
        kwargs["array"] = f"0-{array_size - 1}"
        first = self.submit_job(script_path, job_name, resources, **kwargs)
        return [f"{first}_{index}" for index in range(array_size)]


def positive(number: float, name: str) -> float:
    """The number. Raises `Wrong` for what is none above 0."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < 1e9:
        raise Wrong(f"{name}: {number!r} is no possible number", "give a number above 0")
    return number


def memory_of(resources: ResourceRequirements) -> int:
    """The bytes that were asked for of each node; 0 for the default, which nobody asked for."""
    if isinstance(resources.memory_gb, Unasked):
        return 0
    return int(positive(resources.memory_gb, "memory_gb") * 2**30)
