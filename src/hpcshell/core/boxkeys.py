"""The keys of a GPU box's configuration as JSON (see `boxfile`): a field for each.

What each means here, its bounds, the key of our configuration that it sets (`key`), how its value
is written there (`unit`), and what it has in the complete example.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, UnsetType

LONGEST: Final = 10 * 366 * 86400.0
"""Seconds that mean something: ten years."""


def _means(
    doc: str, example: Any, key: str = "", unit: str = "", least: Any = None, most: Any = None
) -> Meta:
    return Meta(
        description=doc,
        ge=least,
        le=most,
        extra_json_schema=None if example is None else {"examples": [example]},
        extra={"key": key, "unit": unit, "example": example},
    )


def _seconds(doc: str, example: float, key: str = "", least: float = 0.01) -> Meta:
    return _means(doc, example, key, "seconds", least, LONGEST)


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all objects of the file share."""


class SchedulerPart(Part, frozen=True, kw_only=True):
    """How many cards there are, and how long things may take."""

    num_gpus: (
        Annotated[int, _means("how many cards are used", 8, "gpus.count", "", 1, 64)] | UnsetType
    ) = UNSET
    max_workers: (
        Annotated[
            int,
            _means(
                "nothing: a job is a process of its own, and no worker's; `max_concurrent_jobs`"
                " says how many run",
                8,
                "",
                "",
                1,
                10_000,
            ),
        ]
        | UnsetType
    ) = UNSET
    worker_timeout_s: (
        Annotated[
            float, _seconds("nothing: there are no workers; `job_timeout_s` ends a job", 300.0)
        ]
        | UnsetType
    ) = UNSET
    job_timeout_s: (
        Annotated[float, _seconds("time limit of a job without one", 3600.0, "defaults.time")]
        | UnsetType
    ) = UNSET
    graceful_shutdown_timeout_s: (
        Annotated[
            float,
            _seconds("how long `hpc gpu start` takes to stop, at most", 30.0, "box.stop_within"),
        ]
        | UnsetType
    ) = UNSET


class GpuPart(Part, frozen=True, kw_only=True):
    """Who tells of the cards, when a card is avoided, and how often cards are asked."""

    provider: (
        Annotated[
            Literal["auto", "nvml", "amd", "fake", "none"],
            _means(
                "who tells of the cards; `fake` makes some up to try things on",
                None,
                "gpus.provider",
            ),
        ]
        | UnsetType
    ) = UNSET

    memory_threshold: (
        Annotated[
            float,
            _means(
                "a card is avoided while strangers hold more than this part of its memory",
                0.8,
                "gpus.memory_threshold",
                "",
                0,
                1,
            ),
        ]
        | UnsetType
    ) = UNSET
    load_threshold: (
        Annotated[
            float,
            _means(
                "a card is avoided while strangers keep it busier than this part of one",
                0.8,
                "gpus.load_threshold",
                "",
                0,
                1,
            ),
        ]
        | UnsetType
    ) = UNSET
    allocation_precision: (
        Annotated[
            float,
            _means(
                "parts of a card are rounded up to a multiple of this, itself one of 0.01; whole"
                " cards stay whole",
                0.01,
                "box.precision",
                "hundredths",
                0.01,
                1,
            ),
        ]
        | UnsetType
    ) = UNSET
    monitor_interval_s: (
        Annotated[float, _seconds("how often the cards are asked", 5.0, "gpus.interval", 0.1)]
        | UnsetType
    ) = UNSET
    utilization_window_s: (
        Annotated[
            float,
            _seconds("over how long average and peak loads are worked out", 60.0, "gpus.window", 1),
        ]
        | UnsetType
    ) = UNSET


class JobsPart(Part, frozen=True, kw_only=True):
    """How often jobs are tried, and how many there may be."""

    max_assignment_attempts: (
        Annotated[int, _means("how often a job is tried, at most", 5, "box.attempts", "", 1, 1000)]
        | UnsetType
    ) = UNSET
    assignment_retry_wait_s: (
        Annotated[
            float,
            _seconds(
                "time before the second try; before each further one twice as long",
                5.0,
                "box.retry_wait",
            ),
        ]
        | UnsetType
    ) = UNSET
    queue_size_limit: (
        Annotated[
            int,
            _means(
                "how many of these jobs may wait; one more is refused",
                1000,
                "box.queue_limit",
                "",
                1,
                1_000_000,
            ),
        ]
        | UnsetType
    ) = UNSET
    max_concurrent_jobs: (
        Annotated[
            int,
            _means("how many jobs of a user run at once", 100, "limits.max_jobs", "", 1, 1_000_000),
        ]
        | UnsetType
    ) = UNSET


class FilesPart(Part, frozen=True, kw_only=True):
    """Which files are read and written. Relative paths count from the directory of this file."""

    jobs_file: (
        Annotated[
            str,
            _means(
                "the file of jobs that `hpc gpu start` follows", "jobs.txt", "box.jobs_file", "path"
            ),
        ]
        | UnsetType
    ) = UNSET
    llm_config_file: (
        Annotated[
            str,
            _means(
                "the table of models and the GPUs they need",
                "llm_config.json",
                "box.llm_config",
                "path",
            ),
        ]
        | UnsetType
    ) = UNSET
    state_file: (
        Annotated[
            str,
            _means(
                "where it is kept which lines of the file of jobs were submitted; the queue itself"
                " is in the database",
                "gpu_scheduler_state.json",
                "box.state_file",
                "path",
            ),
        ]
        | UnsetType
    ) = UNSET
    log_file: (
        Annotated[
            str,
            _means(
                "the log of what becomes of the jobs", "gpu_scheduler.log", "box.log_file", "path"
            ),
        ]
        | UnsetType
    ) = UNSET
    monitor_interval_s: (
        Annotated[
            float, _seconds("how often the file of jobs is looked at", 30.0, "box.jobs_interval")
        ]
        | UnsetType
    ) = UNSET


class LoggingPart(Part, frozen=True, kw_only=True):
    """What is logged."""

    level: (
        Annotated[
            Literal["DEBUG", "INFO", "WARNING", "ERROR"],
            _means("least level that is logged", "INFO", "daemon.log_level", "lower"),
        ]
        | UnsetType
    ) = UNSET
    structured: (
        Annotated[
            bool,
            _means(
                "whether the log of the jobs is lines of JSON, or lines for people",
                True,
                "box.structured",
            ),
        ]
        | UnsetType
    ) = UNSET
    max_log_size_mb: (
        Annotated[
            float,
            _means(
                "size (MiB) at which logs are rotated", 100.0, "daemon.log_size", "MiB", 0.01, 1e6
            ),
        ]
        | UnsetType
    ) = UNSET
    backup_count: (
        Annotated[int, _means("how many rotated logs are kept", 5, "daemon.log_files", "", 0, 1000)]
        | UnsetType
    ) = UNSET
    metrics_enabled: (
        Annotated[bool, _means("whether `hpc gpu metrics` answers", True, "box.metrics")]
        | UnsetType
    ) = UNSET


class SecurityPart(Part, frozen=True, kw_only=True):
    """What may be run."""

    allowed_script_paths: (
        Annotated[
            tuple[str, ...],
            _means(
                "directories that scripts must lie in, links followed, from the directory of this"
                " file; none: anywhere",
                ["/data3/", "/home/user/", "/tmp/test/"],
                "security.allowed_script_paths",
                "directories",
            ),
        ]
        | UnsetType
    ) = UNSET
    max_memory_per_job_gb: (
        Annotated[
            float,
            _means(
                "most memory (GiB) that a job may ask for",
                32.0,
                "limits.max_memory_per_job",
                "GiB",
                0.001,
                1e6,
            ),
        ]
        | UnsetType
    ) = UNSET
    enable_resource_limits: (
        Annotated[bool, _means("whether `max_memory_per_job_gb` counts", True)] | UnsetType
    ) = UNSET


class BoxFile(Part, frozen=True, kw_only=True):
    """The whole file; each object of it, and each key in these, may be left out."""

    scheduler: SchedulerPart = SchedulerPart()
    gpu: GpuPart = GpuPart()
    jobs: JobsPart = JobsPart()
    files: FilesPart = FilesPart()
    logging: LoggingPart = LoggingPart()
    security: SecurityPart = SecurityPart()


PARTS: Final[dict[str, type[Part]]] = {
    "scheduler": SchedulerPart,
    "gpu": GpuPart,
    "jobs": JobsPart,
    "files": FilesPart,
    "logging": LoggingPart,
    "security": SecurityPart,
}


class BoxKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one key of the file: `sets` is our own ("": it has none)."""

    part: str
    name: str
    type: Any
    doc: str
    example: Any
    sets: str
    unit: str
    least: float | None
    most: float | None

    @property
    def expected(self) -> str:
        """What a value of it is, in words."""
        if get_origin(self.type) is Literal:
            return "one of " + ", ".join(f'"{word}"' for word in get_args(self.type))
        if self.type in (int, float):
            kind = "a whole number" if self.type is int else "a number"
            return f"{kind} from {self.least:.10g} to {self.most:.10g}"
        return _KINDS[self.type]


_KINDS: Final[dict[Any, str]] = {
    bool: "true or false",
    str: "text in quotes",
    tuple[str, ...]: 'a list such as ["/data/"]',
}


def keys() -> Iterator[BoxKey]:
    """Every key there is, in the order of the complete example."""
    for part, record in PARTS.items():
        for field in msgspec.structs.fields(record):
            annotated = next(each for each in get_args(field.type) if each is not UnsetType)
            kind, meta = get_args(annotated)[0], annotated.__metadata__[0]
            yield BoxKey(
                part=part,
                name=field.name,
                type=kind,
                doc=meta.description,
                example=meta.extra["example"],
                sets=meta.extra["key"],
                unit=meta.extra["unit"],
                least=meta.ge,
                most=meta.le,
            )


def sample() -> str:
    """The complete example, as it is written into a file."""
    tables: dict[str, dict[str, Any]] = {}
    for key in keys():
        if key.example is not None:
            tables.setdefault(key.part, {})[key.name] = key.example
    return json.dumps(tables, indent=4) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    told = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "GPU box"}
    return told | msgspec.json.schema(BoxFile)
