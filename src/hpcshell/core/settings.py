"""The configuration: every section and key with its meaning, and how layers of it become one.

    settings = settings_read.read_layers([Layer(source="hpcshell.toml", tables={...})]).settings
    settings.resources.cpus     settings.defaults.partition     settings.profiles["light"]["memory"]
    keys() -> every key with its kind, default and description: what the docs are made from

Inside: sizes are bytes, durations seconds. In a file or a variable they are written with units
(`8G`, `30m`); a bare number means what it means at the prompt (MiB, minutes). Unknown keys and
wrong values raise `Wrong` naming source, line, key, and the nearest right key.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Final

import msgspec

from hpcshell.core.errors import Wrong
from hpcshell.core.settings_box import BoxSettings
from hpcshell.core.settings_gpus import GpuSettings, SecuritySettings
from hpcshell.core.settings_section import Section as Section
from hpcshell.core.settings_section import key as _key
from hpcshell.core.settings_web import TrackSettings, WebSettings
from hpcshell.core.units import WEEK

DEFAULT: Final = "default"
"""The origin of a value nobody set."""

SHIPPED_PROFILES: Final[dict[str, dict[str, str]]] = {
    "light": {"cpus": "1", "memory": "2G", "time": "24h"},
    "standard": {"cpus": "4", "memory": "8G", "time": "24h"},
    "compute": {"cpus": "16", "memory": "32G", "gpus": "1", "time": "24h"},
    "gpu_intensive": {"cpus": "32", "memory": "128G", "gpus": "4", "time": "48h"},
}


ORDER_NAMES: Final = (
    *("priority", "levels", "multifactor", "fairshare", "quota"),
    *("fifo", "sjf", "ljf", "saf", "laf", "f1", "f2", "f3", "f4"),
    *("wfp3", "unicef", "lexp", "sexp", "expansion"),
)
PREEMPT_MODES: Final = ("suspend", "requeue", "cancel", "off")


class ResourceSettings(Section, frozen=True, kw_only=True):
    """[resources]: what the scheduler hands out. What is not said here is detected."""

    cpus: Annotated[int | None, _key("count", "CPUs of this machine")] = None
    memory: Annotated[int | None, _key("size", "memory of this machine")] = None
    gpus: Annotated[int | None, _key("count", "GPUs of this machine", least=0)] = None
    others: Annotated[
        dict[str, int],
        _key("counts", "countable resources of your own, such as licences: `matlab = 2`"),
    ] = msgspec.field(default_factory=dict)


class SchedulerSettings(Section, frozen=True, kw_only=True):
    """[scheduler]: how waiting jobs are put in order and started."""

    order: Annotated[
        str,
        _key("choice", "who goes first; see the page on policies", choices=ORDER_NAMES),
    ] = "priority"
    backfill: Annotated[
        str,
        _key(
            "choice",
            "who may pass the first in line: nobody, whoever does not delay it (easy) or the first"
            " `promises` (hybrid) or anybody (conservative), or whoever fits (greedy)",
            choices=("none", "easy", "hybrid", "conservative", "greedy"),
        ),
    ] = "hybrid"
    promises: Annotated[
        int,
        _key(
            "count",
            "with hybrid backfill, how many waiting jobs get a promised start that no later job may"
            " push back: 1 is easy, a large number conservative, 0 keeps none",
            least=0,
        ),
    ] = 1
    backfill_order: Annotated[
        str,
        _key(
            "choice",
            "the order in which jobs may pass the first in line",
            choices=("same", "sjf", "saf", "ljf", "laf"),
        ),
    ] = "same"
    predict: Annotated[
        str,
        _key(
            "choice",
            "how long runs are expected to take: as long as they may, or what came before tells;"
            " the time limit stays the limit",
            choices=("request", "last2", "ratio", "median", "shrunk"),
        ),
    ] = "request"
    max_backfill_jobs: Annotated[
        int | None,
        _key("count", "how many jobs behind the first in line one decision tries", least=0),
    ] = None
    window: Annotated[
        float | None, _key("limit", "a start that is further away than this is not promised")
    ] = None
    resolution: Annotated[
        float, _key("duration", "expected ends are rounded up to multiples of this", zero=True)
    ] = 0.0
    depth: Annotated[int, _key("count", "how many waiting jobs one decision looks at")] = 1000
    priority_boost: Annotated[
        float,
        _key("number", "with order levels, how many levels a waiting job climbs in an hour"),
    ] = 1.0
    rerank: Annotated[
        float,
        _key(
            "duration",
            "how old an order may be that changes with time; 0 asks again before each decision."
            " Never more than a fiftieth of the time is spent on it",
            zero=True,
        ),
    ] = 30.0
    placement: Annotated[
        str,
        _key(
            "choice",
            "which cpus and gpus a job gets: those near each other (topology), or by how full"
            " sockets and cards are",
            choices=("topology", "best_fit", "pack", "spread"),
        ),
    ] = "topology"
    pin: Annotated[
        bool, _key("switch", "whether jobs run on the very cpus that they are given")
    ] = False
    preempt_mode: Annotated[
        str,
        _key("choice", "how runs make room that are preempted", choices=PREEMPT_MODES),
    ] = "requeue"
    preempt_exempt_time: Annotated[
        float, _key("duration", "for so long a run cannot be preempted", zero=True)
    ] = 0.0
    time_slice: Annotated[
        float,
        _key(
            "duration",
            "how long jobs run before others have their turn, in partitions that are `time_sliced`",
        ),
    ] = 30.0
    preempt_gap: Annotated[
        int | None,
        _key("count", "with order priority, a job preempts those whose priority is so much lower"),
    ] = None


class PrioritySettings(Section, frozen=True, kw_only=True):
    """[priority]: with order multifactor, the most points that each factor can give."""

    age: Annotated[float, _key("number", "for having waited `max_age`")] = 1000.0
    fairshare: Annotated[float, _key("number", "for having used nothing of late")] = 10000.0
    size: Annotated[float, _key("number", "for asking for all CPUs (or, `favor_small`, none)")] = (
        0.0
    )
    partition: Annotated[
        float, _key("number", "for being in the partition of the highest priority")
    ] = 1000.0
    qos: Annotated[float, _key("number", "for having the QOS of the highest priority")] = 1000.0
    tres: Annotated[
        dict[str, float],
        _key("numbers", "for asking for all there is of a resource: `gpus = 500`"),
    ] = msgspec.field(default_factory=dict)
    max_age: Annotated[float, _key("duration", "waiting longer than this gives no more")] = WEEK
    favor_small: Annotated[bool, _key("switch", "whether small jobs get the points for size")] = (
        False
    )


class FairShareSettings(Section, frozen=True, kw_only=True):
    """[fairshare]: how usage is held against users; shares are those of [accounts.NAME]."""

    half_life: Annotated[
        float | None,
        _key("limit", "after so long, what was used counts half; `unlimited`: for ever in full"),
    ] = WEEK
    algorithm: Annotated[
        str, _key("choice", "how usage and shares become a factor", choices=("classic", "tree"))
    ] = "classic"
    cpu_weight: Annotated[float, _key("number", "with order quota, how much CPUs count")] = 0.7
    memory_weight: Annotated[float, _key("number", "with order quota, how much memory counts")] = (
        0.3
    )
    cpu_quota: Annotated[
        float, _key("number", "with order quota, CPUs a user may hold; 0: not counted")
    ] = 100.0
    memory_quota: Annotated[
        int, _key("size", "with order quota, memory a user may hold; 0: not counted", zero=True)
    ] = 1000 << 30


class UserSettings(Section, frozen=True, kw_only=True):
    """[users.NAME]: limits of one user, in place of those in [limits]."""

    max_cpus: Annotated[int | None, _key("count", "most CPUs held at once", least=0)] = None
    max_memory: Annotated[int | None, _key("size", "most memory held at once", zero=True)] = None
    max_gpus: Annotated[int | None, _key("count", "most GPUs held at once", least=0)] = None
    max_jobs: Annotated[int | None, _key("count", "most jobs running at once", least=0)] = None
    max_submit_jobs: Annotated[
        int | None, _key("count", "most jobs waiting and running", least=0)
    ] = None
    max_cpus_per_job: Annotated[int | None, _key("count", "most CPUs of a job")] = None
    max_memory_per_job: Annotated[int | None, _key("size", "most memory of a job")] = None
    max_gpus_per_job: Annotated[int | None, _key("count", "most GPUs of a job", least=0)] = None
    max_time: Annotated[float | None, _key("limit", "longest time limit of a job")] = None


class LimitSettings(UserSettings, frozen=True, kw_only=True):
    """[limits]: limits of every user who has none of their own; an element of an array counts as a
    job."""


class GroupSettings(Section, frozen=True, kw_only=True):
    """Limits of all jobs of a kind together, and of those of each user among them."""

    grp_cpus: Annotated[int | None, _key("count", "most CPUs its jobs hold", least=0)] = None
    grp_memory: Annotated[int | None, _key("size", "most memory its jobs hold", zero=True)] = None
    grp_gpus: Annotated[int | None, _key("count", "most GPUs its jobs hold", least=0)] = None
    grp_jobs: Annotated[int | None, _key("count", "most of its jobs running", least=0)] = None
    grp_submit_jobs: Annotated[
        int | None, _key("count", "most of its jobs waiting and running", least=0)
    ] = None
    max_cpus_per_user: Annotated[
        int | None, _key("count", "most CPUs its jobs of one user hold", least=0)
    ] = None
    max_memory_per_user: Annotated[
        int | None, _key("size", "most memory its jobs of one user hold", zero=True)
    ] = None
    max_gpus_per_user: Annotated[
        int | None, _key("count", "most GPUs its jobs of one user hold", least=0)
    ] = None
    max_jobs_per_user: Annotated[
        int | None, _key("count", "most of its jobs of one user running", least=0)
    ] = None
    max_submit_jobs_per_user: Annotated[
        int | None, _key("count", "most of its jobs of one user waiting and running", least=0)
    ] = None


class GroupJobSettings(GroupSettings, frozen=True, kw_only=True):
    """And of each job."""

    max_cpus_per_job: Annotated[int | None, _key("count", "most CPUs of a job")] = None
    max_memory_per_job: Annotated[int | None, _key("size", "most memory of a job")] = None
    max_gpus_per_job: Annotated[int | None, _key("count", "most GPUs of a job", least=0)] = None
    max_time: Annotated[float | None, _key("limit", "longest time limit of a job")] = None


class AccountSettings(GroupJobSettings, frozen=True, kw_only=True):
    """[accounts.NAME]: an account, its place in the tree, its shares and limits."""

    parent: Annotated[str, _key("text", "the account above it")] = "root"
    shares: Annotated[float, _key("number", "its shares, beside those of its siblings")] = 1.0
    users: Annotated[
        dict[str, float],
        _key(
            "numbers",
            "its users and their shares: `ann = 2`; the first account"
            " that names a user is what their jobs get that name none",
        ),
    ] = msgspec.field(default_factory=dict)


class QosSettings(GroupJobSettings, frozen=True, kw_only=True):
    """[qos.NAME]: a quality of service; once there is one, jobs can ask for no other."""

    priority: Annotated[
        int, _key("count", "added to the priority of its jobs", least=-1000, most=1000)
    ] = 0
    preempts: Annotated[
        tuple[str, ...],
        _key("names", "QOS whose runs make room for its jobs, which go before theirs"),
    ] = ()
    preempt_mode: Annotated[
        str, _key("choice", "how its own runs make room", choices=("cluster", *PREEMPT_MODES))
    ] = "cluster"
    preempt_exempt_time: Annotated[
        float | None, _key("limit", "for so long a run of its own cannot be preempted")
    ] = None
    max_cpus_per_account: Annotated[
        int | None, _key("count", "most CPUs its jobs of one account hold", least=0)
    ] = None
    max_memory_per_account: Annotated[
        int | None, _key("size", "most memory its jobs of one account hold", zero=True)
    ] = None
    max_gpus_per_account: Annotated[
        int | None, _key("count", "most GPUs its jobs of one account hold", least=0)
    ] = None
    max_jobs_per_account: Annotated[
        int | None, _key("count", "most of its jobs of one account running", least=0)
    ] = None
    max_submit_jobs_per_account: Annotated[
        int | None, _key("count", "most of its jobs of one account waiting and running", least=0)
    ] = None


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
    on: Annotated[
        str,
        _key(
            "text",
            "where jobs go, and whose jobs are listed: `local` (this machine), a cluster by name,"
            " `auto` (the scheduler found here) or `any` (whichever starts it first)",
        ),
    ] = "local"


class PartitionSettings(GroupSettings, frozen=True, kw_only=True):
    """[partitions.NAME]: a queue with limits of its own; every one shares the whole machine."""

    max_time: Annotated[float | None, _key("limit", "longest time limit of a job")] = None
    default_time: Annotated[float | None, _key("limit", "time limit of a job without one")] = None
    priority: Annotated[
        int, _key("count", "added to the priority of its jobs", least=-1000, most=1000)
    ] = 0
    max_cpus: Annotated[int | None, _key("count", "most CPUs of an element")] = None
    max_memory: Annotated[int | None, _key("size", "most memory of an element")] = None
    max_gpus: Annotated[int | None, _key("count", "most GPUs of an element", least=0)] = None
    tier: Annotated[
        int,
        _key("count", "its jobs go before those of a lower tier and preempt their runs", least=0),
    ] = 0
    time_sliced: Annotated[
        bool, _key("switch", "whether its jobs take turns: suspended, and on again, slice by slice")
    ] = False
    preempt_mode: Annotated[
        str, _key("choice", "how its own runs make room", choices=("cluster", *PREEMPT_MODES))
    ] = "cluster"


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


class ClusterSettings(Section, frozen=True, kw_only=True):
    """[clusters.NAME]: a cluster that jobs go to with `--on NAME`. Never taken from a project's
    file."""

    backend: Annotated[
        str, _key("text", "its scheduler: slurm, pbs, lsf, sge; empty: found out")
    ] = ""
    ssh: Annotated[
        str, _key("text", "its login node, as ssh is told; empty: its commands are here")
    ] = ""
    jump: Annotated[str, _key("text", "hosts on the way to it, as for `ssh -J`")] = ""
    ssh_options: Annotated[tuple[str, ...], _key("words", "further options of ssh")] = ()
    directory: Annotated[
        str,
        _key("text", "directory on the cluster in which every job gets one of its own"),
    ] = "~/.hpcshell/jobs"
    workdir: Annotated[
        str, _key("text", "directory on the cluster in which jobs run that were sent through ssh")
    ] = "~"
    options: Annotated[
        tuple[str, ...],
        _key("words", "options that every job there gets: `--account=p1 --partition=short`"),
    ] = ()
    poll: Annotated[
        float, _key("duration", "how long an answer about the jobs is good; it may be longer")
    ] = 5.0
    max_jobs: Annotated[
        int | None,
        _key("count", "most jobs of yours there at a time; the others wait here"),
    ] = None
    any: Annotated[bool, _key("switch", "whether `--on any` may choose it")] = True


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration, every value settled."""

    resources: ResourceSettings = ResourceSettings()
    gpus: GpuSettings = GpuSettings()
    box: BoxSettings = BoxSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    priority: PrioritySettings = PrioritySettings()
    fairshare: FairShareSettings = FairShareSettings()
    limits: LimitSettings = LimitSettings()
    defaults: DefaultSettings = DefaultSettings()
    profiles: dict[str, dict[str, str]] = msgspec.field(default_factory=SHIPPED_PROFILES.copy)
    partitions: dict[str, PartitionSettings] = msgspec.field(
        default_factory=lambda: {"main": PartitionSettings()}
    )
    accounts: dict[str, AccountSettings] = {}
    qos: dict[str, QosSettings] = {}
    users: dict[str, UserSettings] = {}
    daemon: DaemonSettings = DaemonSettings()
    retry: RetrySettings = RetrySettings()
    notify: NotifySettings = NotifySettings()
    security: SecuritySettings = SecuritySettings()
    track: TrackSettings = TrackSettings()
    web: WebSettings = WebSettings()
    clusters: dict[str, ClusterSettings] = {}


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key: dotted `name` (`resources.cpus`, `partitions.NAME.max_time`) and its meaning."""

    name: str
    kind: str
    default: Any
    doc: str
    least: int = 1
    most: int = 1_000_000_000
    zero: bool = False
    bounds: tuple[float, float] = (0.0, 1e12)
    """Of a number; by default wider than any weight or share that means something."""
    hundredths: bool = False
    """Whether a number must be a multiple of 0.01."""
    choices: tuple[str, ...] = ()


SECTIONS: Final[dict[str, type[Section]]] = {
    "resources": ResourceSettings,
    "gpus": GpuSettings,
    "box": BoxSettings,
    "scheduler": SchedulerSettings,
    "priority": PrioritySettings,
    "fairshare": FairShareSettings,
    "limits": LimitSettings,
    "defaults": DefaultSettings,
    "daemon": DaemonSettings,
    "retry": RetrySettings,
    "notify": NotifySettings,
    "security": SecuritySettings,
    "track": TrackSettings,
    "web": WebSettings,
}
RECORDS: Final[dict[str, type[Section]]] = {
    "partitions": PartitionSettings,
    "accounts": AccountSettings,
    "qos": QosSettings,
    "users": UserSettings,
    "clusters": ClusterSettings,
}
NAMED: Final = ("profiles", *RECORDS)
"""Sections whose next level is a name."""
TABLES: Final = frozenset({"counts", "numbers"})
"""Kinds of keys whose value is a table."""


@cache
def _fields(section: type[Section]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Worked out once: there may be thousands of accounts."""
    return msgspec.structs.fields(section)


def keys_of(section: type[Section], prefix: str) -> dict[str, Key]:
    """The keys of one section, by their last part."""
    found = {}
    for field in _fields(section):
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
    for name, section in RECORDS.items():
        found += keys_of(section, f"{name}.NAME").values()
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
