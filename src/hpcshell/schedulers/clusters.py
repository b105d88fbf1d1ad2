"""The schedulers of clusters, behind the interface of all schedulers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from hpcshell import jobs
from hpcshell.core.errors import NotFound, Unreachable, Wrong
from hpcshell.schedulers.contract import ResourceRequirements, memory_of, positive
from hpcshell.schedulers.tracking import Tracking

if TYPE_CHECKING:
    from hpcshell.clusters.desk import Desk

_ID: Final = re.compile(r"(?a)(?:[0-9]|w[0-9])[^\s,]*\Z")


class ClusterScheduler(Tracking):
    """The scheduler of a cluster, of whatever kind: one that is configured, over ssh as well.

    Ids are the site's own, elements of arrays `12_3`; `w7` is a job that waits here until the site
    takes it. A dependency means "completed". Scripts without a `#!` line are run by bash. Keywords
    of `submit_job` are options of `hpc submit` (`array="0-9%2"`, `stdout="x.out"`). Raises an
    `HpcError` where there is no such scheduler.
    """

    kind = ""
    """The back end of a class for one kind."""
    title = ""

    def __init__(self, cluster: str | None = None) -> None:
        on = cluster or self.kind
        if not on:
            raise Wrong("no cluster was named", 'ClusterScheduler("mycluster")')
        desk = _desk(on)
        found = desk.cluster.backend
        if self.kind and found.name != self.kind:
            raise Wrong(f"{on} is a {found.title} cluster", f"ClusterScheduler({on!r}) takes any")
        _check_alive(desk)
        super().__init__(self.title or found.title, on)
        self.here = desk.cluster.here

    def submit_job(
        self,
        script_path: str,
        job_name: str,
        resources: ResourceRequirements,
        dependencies: list[str] | None = None,
        **kwargs: Any,
    ) -> str:
        """Submit a script.

        The default memory of 8 GB is not asked for, memory that is given is: the site has a default
        of its own. Raises an `HpcError` for what the site does not take.
        """
        if parents := [self.label_of(each) for each in dependencies or ()]:
            kwargs["dependency"] = "afterok:" + ":".join(parents)
        options = options_of(job_name, resources) | kwargs
        for ours, theirs in (("output", "stdout"), ("error", "stderr")):
            options[ours] = options.pop(theirs, options[ours])
        job = jobs.submit_script(script_path, interpreter="bash", on=self.on, **options)
        self._remember(job.label, job_name, dependencies)
        return job.label

    def label_of(self, job_id: str) -> str:
        if not isinstance(job_id, str) or _ID.match(job_id) is None:
            raise NotFound(f"there is no job {job_id!r}", "ids are those that submit_job returned")
        return job_id


class SLURMScheduler(ClusterScheduler):
    """Slurm: this machine's, or the configured `cluster`."""

    kind, title = "slurm", "SLURM"


class PBSScheduler(ClusterScheduler):
    """OpenPBS, PBS Pro or Torque: this machine's, or the configured `cluster`."""

    kind, title = "pbs", "PBS"


class LSFScheduler(ClusterScheduler):
    """LSF: this machine's, or the configured `cluster`."""

    kind, title = "lsf", "LSF"


class SGEScheduler(ClusterScheduler):
    """Grid Engine: this machine's, or the configured `cluster`."""

    kind, title = "sge", "SGE"


def on_cluster(name: str) -> ClusterScheduler | None:
    """The scheduler of a cluster; without a name, or for `auto`, of the one that is found here.
    None: there is none here."""
    from hpcshell.clusters.desks import AUTO, find_here
    from hpcshell.jobs.surroundings import here

    found = find_here(here()) if name in ("", AUTO) else name
    if found is None:
        return None
    classes = {each.kind: each for each in ClusterScheduler.__subclasses__()}
    kind = _desk(found).cluster.backend.name
    return classes.get(kind, ClusterScheduler)(found)


def _desk(name: str) -> Desk:
    from hpcshell.clusters.desk import Desk
    from hpcshell.jobs.opened import door

    desk = door(name)
    if not isinstance(desk, Desk):
        raise Wrong(f"{name} is no cluster", "use LocalScheduler for this machine")
    return desk


def _check_alive(desk: Desk) -> None:
    from hpcshell.clusters.detecting import look_for

    found = look_for(desk.cluster.link, desk.cluster.backend.name)
    if not found.alive:
        where = "on this machine" if desk.cluster.here else f"on {desk.cluster.name}"
        hint = 'JobManager() uses what there is; a cluster elsewhere is named: cluster="mycluster"'
        raise Unreachable(f"there is no {found.title} {where}: {found.why}", hint)


def options_of(job_name: str, resources: ResourceRequirements) -> dict[str, Any]:
    """The keywords of `hpcshell.submit` for these requirements."""
    nodes, tasks = resources.nodes, resources.tasks_per_node
    memory = memory_of(resources)
    many = positive(nodes, "nodes") > 1 or positive(tasks, "tasks_per_node") > 1
    gpus = resources.gpus_per_node and positive(resources.gpus_per_node, "gpus_per_node")
    wanted: dict[str, Any] = {
        "name": job_name,
        "nodes": nodes if many else None,
        "tasks_per_node": tasks if many else None,
        "cpus": positive(resources.cpus_per_task, "cpus_per_task"),
        "gpus_per_node": gpus or None,
        "memory": f"{memory >> 10}K" if memory else None,
        "time_limit": f"{positive(resources.time_hours, 'time_hours') * 3600:.3f}s",
        "partition": resources.partition,
        "qos": resources.qos,
        "account": resources.account,
        "constraint": resources.constraint,
        "output": "%x_%j.out",
        "error": "%x_%j.err",
    }
    return {name: value for name, value in wanted.items() if value is not None}
