"""The keywords of `hpcshell.submit` for type checkers and editors: the rows of the option table.

What each means is said in `hpc submit --help` and in the reference of job options. A plain number
means what it means at the prompt: minutes for `time_limit`, MiB for `memory`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias, TypedDict

if TYPE_CHECKING:
    from hpcshell.jobs import Job

Text: TypeAlias = str | os.PathLike[str]
Duration: TypeAlias = str | float | timedelta
Instant: TypeAlias = str | datetime
Parents: TypeAlias = "str | int | Job | Iterable[str | int | Job]"
Several: TypeAlias = str | Iterable[str]
Variables: TypeAlias = Several | Mapping[str, str]
Counts: TypeAlias = Several | Mapping[str, int]
Factors: TypeAlias = Several | Mapping[str, float]
Caps: TypeAlias = Several | Mapping[str, str | float]


class Options(TypedDict, total=False):
    """All keywords, each of them optional."""

    # Resources
    cpus: int | str | None
    tasks: int | str | None
    memory: int | str | None
    memory_per_cpu: int | str | None
    memory_per_gpu: int | str | None
    gpus: float | str | None
    gpus_per_task: float | str | None
    gpu_mem: int | str | None
    gpu_type: str | None
    gpus_allowed: Several | None
    rewrite_cuda: bool | None
    cpus_per_gpu: int | str | None
    gres: Several | None
    resource: Counts | None
    exclusive: bool | str | None
    model: str | None
    mode: str | None
    dtype: str | None
    ctx: int | str | None
    batch: int | str | None

    # Time
    time_limit: Duration | None
    begin: Instant | None
    deadline: Instant | None
    signal: str | None
    checkpoint: str | None
    grace: Duration | None

    # Queue
    profile: str | None
    priority: int | str | None
    nice: int | None
    partition: str | None
    account: str | None
    qos: str | None
    reservation: str | None
    gang: str | None
    hold: bool | None
    unique: bool | None

    # Names, files and environment
    name: str | None
    tag: Several | None
    comment: str | None
    chdir: Text | None
    output: Text | None
    error: Text | None
    input: Text | None
    open_mode: str | None
    screen: str | None
    export: Several | None
    env: Variables | None
    umask: str | None

    # Arrays and dependencies
    array: str | Iterable[int] | None
    throttle: int | str | None
    dependency: Several | None
    after: Parents | None
    afterok: Parents | None
    afternotok: Parents | None
    afterany: Parents | None
    on_never: str | None

    # Retries
    requeue: bool | None
    retries: int | str | None
    retry_on: Several | None
    retry_delay: Duration | None
    retry_factor: float | None
    retry_max_delay: Duration | None
    retry_jitter: float | None
    retry_grow: Factors | None
    retry_cap: Caps | None

    # Notices
    mail_user: Several | None
    notify_on: Several | None
    webhook: str | None
    notify: str | None

    # Clusters
    nodes: int | str | None
    tasks_per_node: int | str | None
    gpus_per_node: int | str | None
    constraint: str | None
    module: Several | None
    conda: Text | None
    venv: Text | None
    setup: Several | None
    stage_in: Several | None
    stage_out: Several | None
    native: Several | None

    # the same by their long flags
    time: Duration | None
    mem: int | str | None
    job_name: str | None
