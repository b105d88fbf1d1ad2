"""The configuration: every section and key with its meaning, and how layers of it become one.

    settings = settings_read.read_layers([Layer(source="hpcshell.toml", tables={...})]).settings
    settings.resources.cpus     settings.defaults.partition     settings.profiles["light"]["memory"]
    keys() -> every key with its kind, default and description: what the docs are made from

Inside: sizes are bytes, durations seconds. In a file or a variable they are written with units
(`8G`, `30m`); a bare number means what it means at the prompt (MiB, minutes). Unknown keys and
wrong values raise `Wrong` naming source, line, key, and the nearest right key.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from hpcshell.core.errors import Wrong

DEFAULT: Final = "default"
"""The origin of a value nobody set."""

SHIPPED_PROFILES: Final[dict[str, dict[str, str]]] = {
    "light": {"cpus": "1", "memory": "2G", "time": "24h"},
    "standard": {"cpus": "4", "memory": "8G", "time": "24h"},
    "compute": {"cpus": "16", "memory": "32G", "gpus": "1", "time": "24h"},
    "gpu_intensive": {"cpus": "32", "memory": "128G", "gpus": "4", "time": "48h"},
}


def _key(kind: str, doc: str, **more: Any) -> Meta:
    return Meta(description=doc, extra={"kind": kind, **more})


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What all sections share: frozen, named keys."""


class ResourceSettings(Section, frozen=True, kw_only=True):
    """[resources]: what the scheduler hands out. What is not said here is detected."""

    cpus: Annotated[int | None, _key("count", "CPUs of this machine")] = None
    memory: Annotated[int | None, _key("size", "memory of this machine")] = None
    gpus: Annotated[int | None, _key("count", "GPUs of this machine", least=0)] = None
    others: Annotated[
        dict[str, int],
        _key("counts", "countable resources of your own, such as licences: `matlab = 2`"),
    ] = {}


class SchedulerSettings(Section, frozen=True, kw_only=True):
    """[scheduler]: how waiting jobs are put in order and started."""

    promises: Annotated[
        int,
        _key(
            "count",
            "how many waiting jobs get a promised start that no later job may push back:"
            " 1 is EASY backfill, a large number conservative backfill, 0 keeps none",
            least=0,
        ),
    ] = 1
    depth: Annotated[int, _key("count", "how many waiting jobs one decision looks at")] = 1000


class DefaultSettings(Section, frozen=True, kw_only=True):
    """[defaults]: what a job gets that does not say otherwise."""

    cpus: Annotated[int, _key("count", "CPUs of an element")] = 1
    memory: Annotated[int, _key("size", "memory of an element; 0 counts none", zero=True)] = 0
    time: Annotated[float | None, _key("limit", "time limit, or `unlimited`")] = None
    partition: Annotated[str, _key("text", "partition (queue)")] = "main"
    profile: Annotated[str, _key("text", "named profile; empty for none")] = ""
    priority: Annotated[int, _key("count", "priority, 0 to 1000", least=0, most=1000)] = 500
    account: Annotated[str, _key("text", "account")] = ""
    qos: Annotated[str, _key("text", "quality of service")] = ""
    grace: Annotated[
        float, _key("duration", "time between the polite signal and the kill", zero=True)
    ] = 10.0
    retries: Annotated[int, _key("count", "how often a failed element is tried again", least=0)] = 0
    on_never: Annotated[
        str,
        _key(
            "choice",
            "what happens to a job whose dependency can never be met",
            choices=("end", "hold"),
        ),
    ] = "end"
    output: Annotated[str, _key("text", "pattern of the output file")] = ""
    error: Annotated[str, _key("text", "pattern of the error file; empty joins the output")] = ""
    export: Annotated[str, _key("text", "environment: ALL, NONE, or a list as in --export")] = "ALL"
    mail_user: Annotated[str, _key("text", "who gets mail about jobs")] = ""


class PartitionSettings(Section, frozen=True, kw_only=True):
    """[partitions.NAME]: a queue with limits of its own; every one shares the whole machine."""

    max_time: Annotated[float | None, _key("limit", "longest time limit of a job")] = None
    default_time: Annotated[float | None, _key("limit", "time limit of a job without one")] = None
    priority: Annotated[
        int, _key("count", "added to the priority of its jobs", least=-1000, most=1000)
    ] = 0
    max_cpus: Annotated[int | None, _key("count", "most CPUs of an element")] = None
    max_memory: Annotated[int | None, _key("size", "most memory of an element")] = None
    max_gpus: Annotated[int | None, _key("count", "most GPUs of an element", least=0)] = None


class DaemonSettings(Section, frozen=True, kw_only=True):
    """[daemon]: the scheduler's own process."""

    log_level: Annotated[
        str,
        _key("choice", "least level that is logged", choices=("debug", "info", "warning", "error")),
    ] = "info"
    log_size: Annotated[int, _key("size", "size at which the log is rotated")] = 10 << 20
    log_files: Annotated[int, _key("count", "how many rotated logs are kept", least=0)] = 5
    linger: Annotated[
        float | None,
        _key("limit", "how long an idle daemon stays before it exits; `unlimited` for ever"),
    ] = None
    history_days: Annotated[
        int, _key("count", "days that ended jobs are kept; 0 keeps them for ever", least=0)
    ] = 365
    recent: Annotated[
        float, _key("duration", "how long ended jobs stay in `hpc queue --all`", zero=True)
    ] = 300.0


class RetrySettings(Section, frozen=True, kw_only=True):
    """[retry]: what protects the queue from jobs that take the machine down."""

    lost_limit: Annotated[
        int, _key("count", "runs of one element that may be lost with the machine")
    ] = 3


class NotifySettings(Section, frozen=True, kw_only=True):
    """[notify]: how people are told. Never taken from a project's file."""

    mail_command: Annotated[
        tuple[str, ...], _key("words", "command that takes a whole mail on its standard input")
    ] = ("/usr/sbin/sendmail", "-t", "-i")
    mail_from: Annotated[str, _key("text", "sender of mails; empty leaves it to the system")] = ""
    desktop_command: Annotated[
        tuple[str, ...], _key("words", "command that is given a title and a text")
    ] = ("notify-send",)
    webhook_timeout: Annotated[float, _key("duration", "how long a webhook may take")] = 10.0
    webhook_private: Annotated[
        bool, _key("switch", "whether webhooks may go to private and loopback addresses")
    ] = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration, every value settled."""

    resources: ResourceSettings = ResourceSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    defaults: DefaultSettings = DefaultSettings()
    profiles: dict[str, dict[str, str]] = msgspec.field(default_factory=SHIPPED_PROFILES.copy)
    partitions: dict[str, PartitionSettings] = msgspec.field(
        default_factory=lambda: {"main": PartitionSettings()}
    )
    daemon: DaemonSettings = DaemonSettings()
    retry: RetrySettings = RetrySettings()
    notify: NotifySettings = NotifySettings()


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key: dotted `name` (`resources.cpus`, `partitions.NAME.max_time`) and its meaning."""

    name: str
    kind: str
    default: Any
    doc: str
    least: int = 1
    most: int = 1_000_000_000
    zero: bool = False
    choices: tuple[str, ...] = ()


SECTIONS: Final[dict[str, type[Section]]] = {
    "resources": ResourceSettings,
    "scheduler": SchedulerSettings,
    "defaults": DefaultSettings,
    "daemon": DaemonSettings,
    "retry": RetrySettings,
    "notify": NotifySettings,
}
NAMED: Final = ("profiles", "partitions")
"""Sections whose next level is a name."""


def keys_of(section: type[Section], prefix: str) -> dict[str, Key]:
    """The keys of one section, by their last part."""
    found = {}
    for field in msgspec.structs.fields(section):
        meta = field.type.__metadata__[0]
        extra = dict(meta.extra)
        found[field.name] = Key(
            name=f"{prefix}.{field.name}",
            default=field.default_factory()
            if field.default is msgspec.NODEFAULT
            else field.default,
            doc=meta.description,
            **extra,
        )
    return found


def keys() -> list[Key]:
    """Every key there is, in the order of the sections; profiles take any option of a job."""
    found = [key for name, section in SECTIONS.items() for key in keys_of(section, name).values()]
    found += keys_of(PartitionSettings, "partitions.NAME").values()
    profile = 'any option of `hpc submit`, by its long flag: `memory = "4G"`, `time = "2h"`'
    found.append(Key(name="profiles.NAME.OPTION", kind="option", default="", doc=profile))
    return found


def find_profile(settings: Settings, name: str, option: str = "--profile") -> dict[str, str]:
    """The options of a named profile. Raises `Wrong` with the names there are."""
    if name in settings.profiles:
        return settings.profiles[name]
    raise Wrong(
        f"{option}: there is no profile {name[:60]!r}",
        "there are " + ", ".join(sorted(settings.profiles)),
    )
