"""What the tracker answers: the documents of experiments, runs, metrics, files and jobs.

Instants are Unix seconds, durations seconds, sizes bytes; unknown is `None`. `hpc track --json` and
the REST API answer with the same documents.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

SCHEMA: Final = 1
"""The version of the documents: fields are added under the same number, never changed."""

Number = float | str
"""A value; JSON has no word for some, which are written as `"NaN"`, `"Infinity"`, `"-Infinity"`."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What all documents share: frozen, named fields, every field written."""


class Experiment(Document, frozen=True, kw_only=True):
    """A question that runs are to answer."""

    id: int
    name: str
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = {}
    runs: int = 0
    """How many it has that are not deleted."""
    created_at: float
    updated_at: float
    deleted_at: float | None = None


class Summary(Document, frozen=True, kw_only=True):
    """One metric of a run, over all its points. `last`: of the greatest step, the latest of those;
    `min` and `max` leave NaN out and are `None` where there is nothing else."""

    count: int
    last: Number
    last_step: int
    last_time: float
    min: Number | None = None
    min_step: int | None = None
    max: Number | None = None
    max_step: int | None = None


class JobRow(Document, frozen=True, kw_only=True):
    """The job of a run: where it ran, what it took, what it cost."""

    kind: str
    """`local`, `slurm`, `pbs`, `lsf` or `sge`."""
    cluster: str
    """Its name; the kind where it has none."""
    id: str
    element: int | None = None
    attempt: int = 1
    label: str
    name: str = ""
    user: str = ""
    state: str = "UNKNOWN"
    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None
    submit_time: float | None = None
    start_time: float | None = None
    end_time: float | None = None
    cpus: int | None = None
    memory: int | None = None
    gpus: float | None = None
    nodes: list[str] = []
    time_limit: float | None = None
    partition: str = ""
    account: str = ""
    cpu_time: float | None = None
    max_rss: int | None = None
    cpu_hours: float | None = None
    gpu_hours: float | None = None
    cpu_efficiency: float | None = None
    """Of the CPUs that it had, the part that it used."""
    memory_efficiency: float | None = None
    cost: float | None = None
    """By the prices of the configuration; `None`: there are none."""
    unknown_since: float | None = None
    """When it was last known what it does, where that is not known now."""
    updated_at: float | None = None


class Run(Document, frozen=True, kw_only=True):
    """One attempt at an experiment, and the job that it was."""

    run_id: str
    """32 hexadecimal digits."""
    experiment_id: int
    experiment: str
    """The name of its experiment."""
    name: str = ""
    status: str
    """See `track.words.STATUSES`."""
    reason: str | None = None
    source: str = "rest"
    """Who made it: `client`, `rest`, `mlflow`, or `job` (nobody did; a job ran)."""
    user: str = ""
    host: str = ""
    seed: int | None = None
    config: dict[str, Any] = {}
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    metrics: dict[str, Summary] = {}
    note: str = ""
    parent_run_id: str | None = None
    exit_code: int | None = None
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    heartbeat_at: float | None = None
    updated_at: float
    deleted_at: float | None = None
    job: JobRow | None = None


class File(Document, frozen=True, kw_only=True):
    """An artifact or checkpoint of a run: uploaded, or a path on shared storage."""

    run_id: str
    path: str
    """Its name within the run, with `/` between its parts."""
    kind: str = "artifact"
    """`artifact` or `checkpoint`."""
    uri: str | None = None
    """Where it lies on shared storage; `None`: it was uploaded."""
    size: int | None = None
    sha256: str | None = None
    step: int | None = None
    created_at: float


class Point(Document, frozen=True, kw_only=True):
    """One value of a metric."""

    step: int
    time: float
    value: Number


def number(value: float | None) -> Number:
    """A value as JSON can say it; `None` is what the store keeps for NaN."""
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
