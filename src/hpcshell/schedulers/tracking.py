"""What the schedulers behind a door of `hpcshell.jobs` have in common."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from hpcshell import jobs
from hpcshell.core.errors import NotFound
from hpcshell.schedulers.contract import (
    FINISHED,
    STATUS,
    JobInfo,
    JobStatus,
    ResourceRequirements,
    Scheduler,
)

if TYPE_CHECKING:
    from hpcshell.jobs import View

PATIENCE: Final = 60.0
"""Seconds in which what was cancelled is expected to be over."""


class Tracking(Scheduler):
    """Submits through the door `on`, and keeps `jobs` up to date. `front` stands before the ids of
    that door in those of this object."""

    front = ""

    def __init__(self, name: str, on: str) -> None:
        super().__init__(name)
        self.on = on

    @abstractmethod
    def label_of(self, job_id: str) -> str:
        """What the door calls the job. Raises `NotFound` for what cannot be an id."""

    def get_job_status(self, job_id: str) -> JobStatus:
        """What the job is doing; UNKNOWN if there is no such job, or nobody can tell now."""
        views = self._views([job_id])
        self._learn(views)
        return _status(views[job_id]) if job_id in views else JobStatus.UNKNOWN

    def cancel_job(self, job_id: str) -> bool:
        """Cancel it and wait until nothing of it is left. False if it had ended already."""
        if job_id not in self._views([job_id]):
            return False
        label = self.label_of(job_id)
        if not jobs.call("cancel", on=self.on, ids=[label])["jobs"]:
            return False
        jobs.wait([label], timeout=PATIENCE, on=self.on)
        return self.get_job_status(job_id) is JobStatus.CANCELLED

    def get_queue_info(self) -> list[JobInfo]:
        """The jobs this object submitted, ended ones too, brought up to date."""
        self._refresh(self.jobs)
        return list(self.jobs.values())

    def wait_for_job(
        self, job_id: str, poll_interval: float = 30.0, timeout: float | None = None
    ) -> JobStatus:
        """Wait until the job has ended, and return how.

        This machine's scheduler tells at once, and a cluster is asked as often as is fair to it:
        `poll_interval` is not needed. UNKNOWN: there is no such job, or the site has forgotten how
        it ended. Raises `TimeoutError` after `timeout` seconds; the job goes on.
        """
        try:
            answer = jobs.wait([self.label_of(job_id)], timeout=timeout, on=self.on)
        except NotFound:
            return JobStatus.UNKNOWN
        if answer["timed_out"]:
            raise TimeoutError(f"job {job_id} has not ended after {timeout:g} s")
        return self.get_job_status(job_id)

    def submit_job_array(
        self,
        script_path: str,
        job_name: str,
        resources: ResourceRequirements,
        array_size: int,
        **kwargs: Any,
    ) -> list[str]:
        """One array job; its elements are `ID_0`, `ID_1`, ..."""
        found = super().submit_job_array(script_path, job_name, resources, array_size, **kwargs)
        whole = self.jobs.pop(found[0].rpartition("_")[0])
        for each in found:
            self._remember(each, job_name, whole.dependencies)
        return found

    def _remember(self, job_id: str, name: str, dependencies: list[str] | None) -> None:
        now = time.time()
        parents = list(dependencies or ())
        self.jobs[job_id] = JobInfo(job_id, name, JobStatus.PENDING, now, dependencies=parents)

    def _refresh(self, job_ids: Iterable[str]) -> None:
        left = [each for each in job_ids if self.jobs[each].status not in FINISHED]
        self._learn(self._views(left))

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

    def _views(self, job_ids: Iterable[str]) -> dict[str, View]:
        """The documents of those that are known, by id; one question for all of them."""
        labels = {}
        for each in job_ids:
            try:
                labels[self.label_of(each)] = each
            except NotFound:
                continue
        if not labels:
            return {}
        try:
            views = jobs.call("show", on=self.on, ids=list(labels))["jobs"]
        except NotFound:
            if len(labels) == 1:
                return {}
            return {job_id: view for each in labels.values() for job_id, view in self._one(each)}
        return {labels.get(view["label"], f"{self.front}{view['label']}"): view for view in views}

    def _one(self, job_id: str) -> Iterable[tuple[str, View]]:
        return self._views([job_id]).items()


def _status(view: View) -> JobStatus:
    return STATUS.get(view["state"], JobStatus.UNKNOWN)
