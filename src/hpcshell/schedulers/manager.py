"""`JobManager`: one object to submit with, whichever scheduler there is."""

from __future__ import annotations

import time
from typing import Any

from hpcshell.schedulers.contract import JobInfo, JobStatus, ResourceRequirements, Scheduler
from hpcshell.schedulers.local import LocalScheduler


def detect() -> Scheduler:
    """The scheduler that is configured, or that is found here, or this machine's own."""
    from hpcshell.jobs.doors import LOCAL, said

    named = said()
    if named == LOCAL:
        return LocalScheduler()
    from hpcshell.schedulers.clusters import on_cluster

    return on_cluster(named) or LocalScheduler()


class JobManager:
    """Submit, watch and cancel jobs on the scheduler there is.

    `scheduler` is the one to use. Without it, if `auto_detect` is true: what the configuration says
    (`defaults.on`), else the cluster scheduler that is found here, else this machine's own, which
    is used with `auto_detect=False` in any case.
    """

    def __init__(self, scheduler: Scheduler | None = None, auto_detect: bool = True) -> None:
        self.scheduler = scheduler or (detect() if auto_detect else LocalScheduler())

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
