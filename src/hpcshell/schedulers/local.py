"""The embedded scheduler of this machine, behind the interface of all schedulers."""

from __future__ import annotations

import re
import warnings
from typing import Any, Final

from hpcshell import jobs
from hpcshell.core.errors import NotFound
from hpcshell.jobs.doors import LOCAL
from hpcshell.schedulers.contract import ResourceRequirements, memory_of, positive
from hpcshell.schedulers.tracking import Tracking

_ID: Final = re.compile(r"local_(\d+)(?:_(\d+))?\Z")


class LocalScheduler(Tracking):
    """This machine's own scheduler.

    Ids are `local_12`, elements of arrays `local_12_3`. A dependency means "completed";
    submitting with dependencies returns when these have ended, unless `wait_for_dependencies` is
    false (the job is in the queue before that, in either case). Scripts without a `#!` line
    are run by bash. Keywords of `submit_job` are options of `hpc submit` (`retries=2`,
    `stdout="x.out"`).
    """

    front = "local_"

    def __init__(self, *, wait_for_dependencies: bool = True) -> None:
        super().__init__("Local", LOCAL)
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
        parents = [self.label_of(each) for each in dependencies or ()]
        if parents:
            kwargs["dependency"] = "afterok:" + ":".join(parents)
        options = _options(job_name, resources, kwargs)
        job = jobs.submit_script(script_path, interpreter="bash", on=LOCAL, **options)
        job_id = f"{self.front}{job.id}"
        self._remember(job_id, job_name, dependencies)
        if parents and self.wait_for_dependencies:
            jobs.wait(parents, on=LOCAL)
        self._refresh([job_id])
        return job_id

    def label_of(self, job_id: str) -> str:
        """`12` or `12_3` of `local_12` or `local_12_3`."""
        if not isinstance(job_id, str) or _ID.match(job_id) is None:
            hint = "ids of this scheduler look like local_12"
            raise NotFound(f"there is no job {job_id!r}", hint)
        return job_id.removeprefix(self.front)


def _options(
    job_name: str, resources: ResourceRequirements, given: dict[str, Any]
) -> dict[str, Any]:
    """The keywords of `hpcshell.submit` for these requirements; those given in addition win."""
    positive(resources.nodes, "nodes")
    cpus = positive(resources.tasks_per_node, "tasks_per_node") * positive(
        resources.cpus_per_task, "cpus_per_task"
    )
    total = jobs.call("resources", on="local")["total"]
    options: dict[str, Any] = {
        "name": job_name,
        "cpus": _within(total["cpus"], cpus, "cpus"),
        "time_limit": f"{positive(resources.time_hours, 'time_hours') * 3600:.3f}s",
        "output": given.pop("stdout", "%x_local_%j.out"),
        "error": given.pop("stderr", "%x_local_%j.err"),
        "qos": resources.qos,
        "account": resources.account,
    }
    if resources.gpus_per_node:
        gpus = positive(resources.gpus_per_node, "gpus_per_node")
        options["gpus"] = _within(total["gpus"], gpus, "gpus")
    if memory := memory_of(resources):
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
