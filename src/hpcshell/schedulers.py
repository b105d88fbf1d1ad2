"""One interface to every scheduler: submit scripts, watch them, whatever runs them.

    from hpcshell.schedulers import JobManager, ResourceRequirements

    manager = JobManager()
    train = manager.submit("train.sh", "train", ResourceRequirements(cpus_per_task=4, memory_gb=16))
    manager.wait(train)

`LocalScheduler` is the embedded scheduler of this machine: its jobs are durable, outlive the
program that submitted them, and are the jobs that `hpc queue` shows (`local_12` is job 12).
"""

from __future__ import annotations

import re
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from hpcshell.core.errors import NotFound, Wrong

if TYPE_CHECKING:
    from hpcshell.jobs import View


__all__ = [
    "JobInfo",
    "JobManager",
    "JobStatus",
    "LocalScheduler",
    "ResourceRequirements",
    "Scheduler",
]


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
"""The local scheduler's states in those words. A state that is not here is UNKNOWN."""


class _Unasked(int):
    """A default that can be told from the same number given by the user."""


@dataclass
class ResourceRequirements:
    """What a job needs. `memory_gb` is for a node, `time_hours` the limit of the wall time."""

    nodes: int = 1
    tasks_per_node: int = 1
    cpus_per_task: int = 1
    gpus_per_node: int = 0
    memory_gb: int = _Unasked(8)
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


_LOCAL_ID = re.compile(r"local_(\d+)(?:_(\d+))?\Z")
_STOP_PATIENCE: Final = 60.0


class LocalScheduler(Scheduler):
    """This machine's own scheduler.

    Ids are `local_12`, elements of arrays `local_12_3`. A dependency means "completed";
    submitting with dependencies returns when these have ended, unless `wait_for_dependencies` is
    false (the job is in the queue before that, in either case). Scripts without a `#!` line
    are run by bash. Keywords of `submit_job` are options of `hpc submit` (`retries=2`,
    `stdout="x.out"`).
    """

    def __init__(self, *, wait_for_dependencies: bool = True) -> None:
        super().__init__("Local")
        self.wait_for_dependencies = wait_for_dependencies

    def submit_job(
        self,
        script_path: str,
        job_name: str,
        resources: ResourceRequirements,
        dependencies: list[str] | None = None,
        **kwargs: Any,
    ) -> str:
        """Submit a script.

        Workflows for a cluster are tried out here: what is asked for beyond this machine is asked
        for as far as the machine goes, with a `UserWarning`. Raises an `HpcError` for what makes no
        sense anywhere. The default memory of 8 GB is not asked for; memory that is given is. A
        partition counts where it is configured. `nodes` and `constraint` are not looked at: there
        is one machine.
        """
        from hpcshell import jobs

        parents = [_number(each) for each in dependencies or ()]
        if parents:
            kwargs["dependency"] = "afterok:" + ":".join(parents)
        options = _options(job_name, resources, kwargs)
        job = jobs.submit_script(script_path, interpreter="bash", on="local", **options)
        job_id = f"local_{job.id}"
        self._remember(job_id, job_name, dependencies)
        if parents and self.wait_for_dependencies:
            jobs.wait(parents, on="local")
        self._refresh([job_id])
        return job_id

    def submit_job_array(
        self,
        script_path: str,
        job_name: str,
        resources: ResourceRequirements,
        array_size: int,
        **kwargs: Any,
    ) -> list[str]:
        """One array job; its elements are `local_12_0`, `local_12_1`, ..."""
        found = super().submit_job_array(script_path, job_name, resources, array_size, **kwargs)
        whole = self.jobs.pop(found[0].rpartition("_")[0])
        for each in found:
            self._remember(each, job_name, whole.dependencies)
        return found

    def get_job_status(self, job_id: str) -> JobStatus:
        """What the job is doing; UNKNOWN if there is no such job."""
        views = _views([job_id])
        self._learn(views)
        return _status(views[job_id]) if job_id in views else JobStatus.UNKNOWN

    def cancel_job(self, job_id: str) -> bool:
        """Cancel it and wait until nothing of it is left. False if it had ended already."""
        from hpcshell import jobs

        if job_id not in _views([job_id]):
            return False
        number = _number(job_id)
        if not jobs.call("cancel", on="local", ids=[number])["jobs"]:
            return False
        jobs.wait([number], timeout=_STOP_PATIENCE, on="local")
        return self.get_job_status(job_id) is JobStatus.CANCELLED

    def get_queue_info(self) -> list[JobInfo]:
        """The jobs this object submitted, ended ones too, brought up to date."""
        self._refresh(self.jobs)
        return list(self.jobs.values())

    def wait_for_job(
        self, job_id: str, poll_interval: float = 30.0, timeout: float | None = None
    ) -> JobStatus:
        """Wait until the job has ended. The scheduler tells at once: `poll_interval` is not needed.

        Raises `TimeoutError` after `timeout` seconds; the job goes on.
        """
        from hpcshell import jobs

        try:
            answer = jobs.wait([_number(job_id)], timeout=timeout, on="local")
        except NotFound:
            return JobStatus.UNKNOWN
        if answer["timed_out"]:
            raise TimeoutError(f"job {job_id} has not ended after {timeout:g} s")
        return self.get_job_status(job_id)

    def _remember(self, job_id: str, name: str, dependencies: list[str] | None) -> None:
        now = time.time()
        parents = list(dependencies or ())
        self.jobs[job_id] = JobInfo(job_id, name, JobStatus.PENDING, now, dependencies=parents)

    def _refresh(self, job_ids: Iterable[str]) -> None:
        self._learn(_views([each for each in job_ids if self.jobs[each].status not in FINISHED]))

    def _learn(self, views: dict[str, View]) -> None:
        for job_id, view in views.items():
            info = self.jobs.get(job_id)
            if info is None:
                continue
            info.name, info.status = view["name"], _status(view)
            info.submit_time = view["submit_time"]
            info.start_time, info.end_time = view["start_time"], view["end_time"]
            info.exit_code = -view["signal"] if view["signal"] else view["exit_code"]
            info.stdout_path, info.stderr_path = view["stdout"], view["stderr"]


def _options(
    job_name: str, resources: ResourceRequirements, given: dict[str, Any]
) -> dict[str, Any]:
    """The keywords of `hpcshell.submit` for these requirements; those given in addition win."""
    from hpcshell import jobs

    _positive(resources.nodes, "nodes")
    cpus = _positive(resources.tasks_per_node, "tasks_per_node") * _positive(
        resources.cpus_per_task, "cpus_per_task"
    )
    total = jobs.call("resources", on="local")["total"]
    options: dict[str, Any] = {
        "name": job_name,
        "cpus": _within(total["cpus"], cpus, "cpus"),
        "time_limit": f"{_positive(resources.time_hours, 'time_hours') * 3600:.3f}s",
        "output": given.pop("stdout", "%x_local_%j.out"),
        "error": given.pop("stderr", "%x_local_%j.err"),
        "qos": resources.qos,
        "account": resources.account,
    }
    if resources.gpus_per_node:
        gpus = _positive(resources.gpus_per_node, "gpus_per_node")
        options["gpus"] = _within(total["gpus"], gpus, "gpus")
    if not isinstance(resources.memory_gb, _Unasked):
        memory = int(_positive(resources.memory_gb, "memory_gb") * 2**30)
        options["memory"] = f"{_within(total['memory'], memory, 'bytes of memory') >> 10}K"
    if resources.partition in jobs.partitions():
        options["partition"] = resources.partition
    return {name: value for name, value in (options | given).items() if value is not None}


def _within(most: int, asked: float, what: str) -> int:
    """As much as this machine has."""
    if asked > most:
        warnings.warn(
            f"asks for {asked:,} {what}; this machine has {most:,}, which is what it gets",
            stacklevel=4,
        )
    return int(min(asked, most))


def _positive(number: float, name: str) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < 1e9:
        raise Wrong(f"{name}: {number!r} is no possible number", "give a number above 0")
    return number


def _number(job_id: str) -> str:
    """`12` or `12_3` of `local_12` or `local_12_3`. Raises `NotFound` for any other text."""
    if not isinstance(job_id, str) or _LOCAL_ID.match(job_id) is None:
        raise NotFound(f"there is no job {job_id!r}", "ids of this scheduler look like local_12")
    return job_id.removeprefix("local_")


def _views(job_ids: Iterable[str]) -> dict[str, View]:
    """The documents of those that are known, by id; one question for all of them."""
    from hpcshell import jobs

    names = [each for each in job_ids if isinstance(each, str) and _LOCAL_ID.match(each)]
    if not names:
        return {}
    try:
        views = jobs.call("show", on="local", ids=[_number(each) for each in names])["jobs"]
    except NotFound:
        if len(names) == 1:
            return {}
        return {job_id: view for each in names for job_id, view in _views([each]).items()}
    return {f"local_{view['label']}": view for view in views}


def _status(view: View) -> JobStatus:
    return STATUS.get(view["state"], JobStatus.UNKNOWN)


class JobManager:
    """Submit, watch and cancel jobs on the scheduler there is.

    `scheduler` is the one to use; without it the embedded one of this machine is.
    """

    def __init__(self, scheduler: Scheduler | None = None, auto_detect: bool = True) -> None:
        self.scheduler = scheduler or (self._detect() if auto_detect else LocalScheduler())

    @staticmethod
    def _detect() -> Scheduler:
        return LocalScheduler()

    def submit(
        self,
        script_path: str,
        job_name: str,
        resources: ResourceRequirements | None = None,
        dependencies: list[str] | None = None,
        **kwargs: Any,
    ) -> str:
        """Submit a script and return its id."""
        wanted = resources or ResourceRequirements()
        return self.scheduler.submit_job(script_path, job_name, wanted, dependencies, **kwargs)

    def submit_array(
        self,
        script_path: str,
        job_name: str,
        array_size: int,
        resources: ResourceRequirements | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Submit `array_size` runs of a script and return the ids of all."""
        wanted = resources or ResourceRequirements()
        return self.scheduler.submit_job_array(script_path, job_name, wanted, array_size, **kwargs)

    def status(self, job_id: str) -> JobStatus:
        """What the job is doing."""
        return self.scheduler.get_job_status(job_id)

    def wait(
        self, job_id: str, poll_interval: float = 30.0, timeout: float | None = None
    ) -> JobStatus:
        """Wait until the job has ended. Raises `TimeoutError` after `timeout` seconds."""
        return self.scheduler.wait_for_job(job_id, poll_interval, timeout)

    def wait_all(
        self, job_ids: list[str], poll_interval: float = 30.0, timeout: float | None = None
    ) -> dict[str, JobStatus]:
        """Wait until all have ended, `timeout` seconds for all together."""
        deadline = None if timeout is None else time.monotonic() + timeout
        statuses = {}
        for job_id in job_ids:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            statuses[job_id] = self.wait(job_id, poll_interval, left)
        return statuses

    def cancel(self, job_id: str) -> bool:
        """Cancel the job. False if there was nothing to cancel."""
        return self.scheduler.cancel_job(job_id)

    def queue(self) -> list[JobInfo]:
        """The jobs submitted here, brought up to date."""
        return self.scheduler.get_queue_info()

    def get_info(self, job_id: str) -> JobInfo | None:
        """What is known about a job submitted here; None for any other."""
        if job_id in self.scheduler.jobs:
            self.scheduler.get_job_status(job_id)
        return self.scheduler.jobs.get(job_id)
