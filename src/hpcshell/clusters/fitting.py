"""Whether a job could run at a site, by what the site told of its partitions.

What a site does not tell is not held against it: then it says so itself when the job is submitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hpcshell.backends.contract import Partition, Site
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.units import format_duration, format_size


def misfit(site: Site, spec: JobSpec) -> str:
    """Why no partition that it may use can take it, in a sentence; "": one may."""
    named = [name for name in spec.submission.partition.split(",") if name]
    there = [one for one in site.partitions if not named or one.name in named]
    if not site.partitions:
        return ""
    if not there:
        names = ", ".join(one.name for one in site.partitions)
        return f"it has no partition {' or '.join(named)}, but {names}"
    reasons = [next(_reasons(one, spec), "") for one in there]
    return "" if "" in reasons else _shortest(reasons)


def _shortest(reasons: Sequence[str]) -> str:
    return min(dict.fromkeys(reasons), key=len)


def _reasons(partition: Partition, spec: JobSpec) -> Iterator[str]:
    layout, asked = spec.layout, spec.submission.request
    where = f"partition {partition.name}"
    kinds = partition.gpu_types
    if layout.every_gpu and partition.gpus_per_node == 0:
        yield f"{where} has no GPUs"
    if layout.every_gpu and layout.gpu_type and kinds and layout.gpu_type not in kinds:
        yield f"{where} has GPUs of type {', '.join(kinds)}, not {layout.gpu_type}"
    yield from _too_many(where, "nodes", layout.nodes or 1, partition.nodes)
    each = (layout.cpus_per_task or 1) * (layout.tasks_per_node or 1)
    yield from _too_many(where, "CPUs on a node", each, partition.cpus_per_node)
    if partition.memory_per_node and layout.memory > partition.memory_per_node:
        most, more = format_size(partition.memory_per_node), format_size(layout.memory)
        yield f"a node of {where} has {most} of memory, not {more}"
    if partition.max_time and asked.time_limit and asked.time_limit > partition.max_time:
        yield f"{where} runs jobs for {format_duration(partition.max_time)} at the most"


def _too_many(where: str, what: str, asked: int, most: int | None) -> Iterator[str]:
    if most is not None and asked > most:
        yield f"{where} has {most} {what}, not {asked}"
