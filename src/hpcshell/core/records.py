"""The records everything passes around. Frozen: a change is a new record.

Units inside: seconds (float; instants are Unix time), bytes (int). Defaults are left out of stored
JSON.

A `Job` is one submission of at least one element. An element that has never begun is only a member
of the job's waiting set; one that has begun, or was touched on its own, has a `Task` record with
its own lifecycle; every attempt at it is a `Run`. A plain job is an array of one element,
`NO_INDEX`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

import msgspec

NO_INDEX: Final = -1
"""The index of the only element of a plain job."""
WHOLE: Final = 100
"""One GPU, in hundredths: no finer share of one can be had."""


class State(Enum):
    """Where an element is in its life. How it ended stands apart, in `Outcome`."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    STOPPING = "STOPPING"
    ENDED = "ENDED"


class Outcome(Enum):
    """How an element ended, in the field's words."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NODE_FAIL = "NODE_FAIL"
    PREEMPTED = "PREEMPTED"
    DEADLINE = "DEADLINE"


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all records share: frozen, named fields, defaults not written."""


class Resources(Record, frozen=True, kw_only=True):
    """Countable things: of the machine, free, or asked for. `others` are the site's own
    (licences). `gpu_share`: hundredths of one more gpu."""

    cpus: int = 0
    memory: int = 0
    gpus: int = 0
    gpu_share: int = 0
    others: dict[str, int] = {}

    @property
    def gpu_hundredths(self) -> int:
        """All gpus, in hundredths of one."""
        return self.gpus * WHOLE + self.gpu_share


class Request(Record, frozen=True, kw_only=True):
    """What one element asks for. `memory` 0 and `time_limit` None mean: not asked, not counted.

    `cpus`, `memory` and `gpus` are of each of `nodes`; with `nodes` 0 they are sums, spread over as
    many as it takes. `gpu_share`: hundredths of one more gpu, which others may have the rest of;
    who asks for one is placed on one node where `nodes` is 0. `constraint`: the features that the
    nodes must have (see `policy.place.constraint`).

    `gpu_type`: the model of the gpus; `gpus_allowed`: the only cards that may be given, by number
    ((): any); `gpu_mem`: bytes of each of them that it uses, so that its share of a card is at
    least that much of the card's memory.
    """

    cpus: int = 1
    memory: int = 0
    gpus: int = 0
    gpu_share: int = 0
    others: dict[str, int] = {}
    exclusive: bool = False
    time_limit: float | None = None
    nodes: int = 1
    constraint: str = ""
    gpu_type: str = ""
    gpus_allowed: tuple[int, ...] = ()
    gpu_mem: int = 0

    @property
    def gpu_hundredths(self) -> int:
        """All gpus, in hundredths of one."""
        return self.gpus * WHOLE + self.gpu_share

    @property
    def picks_cards(self) -> bool:
        """Whether it matters which cards it gets, or what is left of each."""
        return bool(self.gpu_share or self.gpu_type or self.gpus_allowed or self.gpu_mem)


class WarnSignal(Record, frozen=True, kw_only=True):
    """A signal to be sent `before` seconds ahead of the time limit (or, as a checkpoint signal, of
    the end that a preemption brings), to the leader or to all processes."""

    number: int
    before: float = 60.0
    to: str = "leader"


class Retry(Record, frozen=True, kw_only=True):
    """When and how a failed element is tried again.

    `on` holds causes: `fail`, `timeout`, `oom`, `lost`, `exit:N`. Wait before attempt n+1:
    min(delay * factor**(n-1), max_delay), spread by +-jitter. `grow` multiplies the named
    resources at each retry, at most up to `cap`.
    """

    limit: int = 0
    on: tuple[str, ...] = ("fail", "timeout", "oom", "lost")
    delay: float = 10.0
    factor: float = 2.0
    max_delay: float = 3600.0
    jitter: float = 0.1
    grow: dict[str, float] = {}
    cap: dict[str, float] = {}


class Dependency(Record, frozen=True, kw_only=True):
    """One term. `job` is the parent's id (0 for singleton), `index` one of its elements, or all
    (None)."""

    kind: str
    job: int = 0
    index: int | None = None
    delay: float = 0.0


class Dependencies(Record, frozen=True, kw_only=True):
    """All of the terms must hold, or any one of them (`any`). `on_never`: `end` or `hold`."""

    terms: tuple[Dependency, ...]
    any: bool = False
    on_never: str = "end"


class Notify(Record, frozen=True, kw_only=True):
    """Who is told of which events (`begin`, `end`, `fail`, `requeue`, `time_limit`)."""

    on: tuple[str, ...] = ()
    mail: str = ""
    webhook: str = ""
    desktop: bool = False


class Launch(Record, frozen=True, kw_only=True):
    """How an element is started. `script` and `env` are keys of stored blobs, shared by equal jobs.

    With a script, `argv[0]` is the name it was submitted under; the stored copy is what runs.
    Output paths are patterns (`%j`, `%a`, ...), relative ones to `cwd`; `stderr` "" joins stdout.
    `session`: the program that shows it on a terminal, `screen` or `tmux`.
    `guarded` is the path of what the command runs that must lie in `security.allowed_script_paths`
    when it starts; "" for none. `rewrite_cuda`: what follows `--cuda` in the command becomes the
    numbers that its cards have for it.
    """

    argv: tuple[str, ...]
    cwd: str
    env: str = ""
    script: str = ""
    umask: int = 0o022
    stdin: str = "/dev/null"
    stdout: str = ""
    stderr: str = ""
    append: bool = False
    session: str = ""
    guarded: str = ""
    rewrite_cuda: bool = False


class Array(Record, frozen=True, kw_only=True):
    """The indices as text (see `IndexSet`) and how many may run at once (0: no limit)."""

    indices: str
    throttle: int = 0


class Gang(Record, frozen=True, kw_only=True):
    """Plain jobs of one user that start together, all `size` of them, or not at all."""

    name: str
    size: int


class ModelAsk(Record, frozen=True, kw_only=True):
    """The model that a job says it runs, and how: `infer`, `lora` (adapters are trained) or `full`
    (all of it is), with weights of a type, so many tokens of context and texts at once.

    "" and 0: not said, and not worked out. Once it is sized, all of it is filled in: `family` is
    what earlier runs are looked for by, `predicted` the bytes by the formula, over all `cards`.
    `seen`: nobody named it to the scheduler, it stands in the command line (`--llm NAME`).
    """

    name: str
    mode: str = "infer"
    dtype: str = ""
    ctx: int = 0
    batch: int = 0
    seen: bool = False
    family: str = ""
    predicted: int = 0
    cards: int = 0


class Job(Record, frozen=True, kw_only=True):
    """One submission. Only `lifecycle.amend` changes it. Larger `priority` goes first.

    `dropped`, once set, is how every element ended that had not begun by then: a million waiting
    elements are cancelled by one field.
    """

    id: int
    name: str
    user: str
    uid: int
    submit_time: float
    request: Request
    launch: Launch
    array: Array | None = None
    priority: int = 500
    nice: int = 0
    partition: str = "main"
    account: str = ""
    qos: str = ""
    reservation: str = ""
    gang: Gang | None = None
    profile: str = ""
    tags: tuple[str, ...] = ()
    comment: str = ""
    held: str = ""
    begin: float = 0.0
    deadline: float | None = None
    grace: float = 10.0
    warn: WarnSignal | None = None
    checkpoint: WarnSignal | None = None
    requeue: bool = True
    retry: Retry = Retry()
    dependencies: Dependencies | None = None
    notify: Notify | None = None
    model: ModelAsk | None = None
    unique: str = ""
    dropped: Outcome | None = None


class NodeNote(Record, frozen=True, kw_only=True):
    """Whether a machine takes new work: `up`, `drain` (what runs runs on) or `down` (nothing is to
    run). Why, who said so and when."""

    state: Literal["up", "drain", "down"] = "up"
    reason: str = ""
    user: str = ""
    since: float = 0.0


class Usage(Record, frozen=True, kw_only=True):
    """What a run used: CPU seconds and the largest resident set of one process, bytes; with
    `max_rss_at_most` it may have been less. `gpu_memory`: the most memory of all its
    cards that it was seen to hold, bytes.
    """

    cpu_user: float = 0.0
    cpu_system: float = 0.0
    max_rss: int = 0
    max_rss_at_most: bool = False
    gpu_memory: int = 0


class Task(Record, frozen=True, kw_only=True):
    """The life of one element so far; `run` and the figures are those of its latest attempt.

    `cause` is the sentence that explains the latest change; `stopping` why it is being stopped.
    `request` replaces the job's where a retry grew it. `lost`, `asked` and `preempted` count the
    attempts that were lost with the machine, put back because somebody asked, and put back to make
    room: none of them is a retry. `suspended` is for how many seconds the latest attempt has been
    suspended, not counting since `suspended_since`; `waking`: it is to go on as soon as it may.
    """

    job: int
    index: int = NO_INDEX
    state: State = State.PENDING
    outcome: Outcome | None = None
    exit_code: int | None = None
    signal: int | None = None
    cause: str = ""
    stopping: str = ""
    held: bool = False
    attempt: int = 0
    lost: int = 0
    asked: int = 0
    preempted: int = 0
    run: int = 0
    start_time: float | None = None
    end_time: float | None = None
    not_before: float = 0.0
    suspended: float = 0.0
    suspended_since: float | None = None
    waking: bool = False
    request: Request | None = None
    usage: Usage | None = None


class Share(Record, frozen=True, kw_only=True):
    """What a run holds of one of several nodes; `gpus` and `shared` are as in `Claim`, by the
    numbers of that node's cards."""

    node: str
    cpus: int
    memory: int = 0
    gpus: tuple[int, ...] = ()
    shared: tuple[tuple[int, int], ...] = ()


class Claim(Record, frozen=True, kw_only=True):
    """What a run holds, and until when at the latest (`end`, None without a limit).

    `exclusive`: nothing else may run beside it, whatever is left of the machine. `suspended`: since
    when it stands still, holding no cpus and not in anybody's way (None: it runs); `end` counts as
    if it went on at that instant. `paused` is for how many seconds it stood still before. `cores`
    are the numbers of its cpus, where the machine numbers them. `gpus` are the cards that are all
    its own; `shared` those it holds a part of: (number, hundredths). `nodes`: what of which node,
    where there are several; cards are then numbered through all nodes.
    """

    run: int
    job: int
    index: int
    cpus: int
    memory: int = 0
    gpus: tuple[int, ...] = ()
    others: dict[str, int] = {}
    exclusive: bool = False
    start: float
    end: float | None = None
    suspended: float | None = None
    paused: float = 0.0
    reservation: str = ""
    cores: tuple[int, ...] = ()
    nodes: tuple[Share, ...] = ()
    shared: tuple[tuple[int, int], ...] = ()


class Run(Record, frozen=True, kw_only=True):
    """One attempt, as stored: it is started once and never again. `boot` is the boot it belongs
    to."""

    id: int
    job: int
    index: int
    attempt: int
    claim: Claim
    start_time: float
    boot: str = ""
    stdout: str = ""
    stderr: str = ""
    pid: int = 0
    end_time: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    stopped_by: str = ""
    usage: Usage | None = None


class Reason(Record, frozen=True, kw_only=True):
    """Why something waits: a word of the documented list, and the sentence with its figures."""

    code: str
    sentence: str


class Summary(Record, frozen=True, kw_only=True):
    """How a whole job ended: the worst outcome, the highest exit code, elements by outcome, CPU
    added up."""

    outcome: Outcome
    end_time: float
    start_time: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    cause: str = ""
    counts: dict[str, int] = {}
    usage: Usage | None = None
