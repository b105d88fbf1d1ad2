"""What the daemon and the runner say to each other: JSON lines over `runner.sock`.

Instants are Unix seconds, durations seconds, sizes bytes. A run is known by its id alone, which is
used once and never again. Several orders may travel in one write; they are carried out in their
order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

PROTOCOL: Final = 4
"""2: runs that follow others (`Start.after`, `Recall`). 3: `Suspend`, `Resume`, `Stop.ahead`. 4:
`Start.session`, `Start.guarded`."""
LONGEST_LINE: Final = 64 * 1024 * 1024


Target = Literal["leader", "all", "rest"]
"""Whom a signal reaches: the first process, every process, or every process but the first (which
gets
it if it is alone, having become the program itself by `exec`)."""


class Warn(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A signal `before` seconds ahead of the time limit, or of what a stop begins with: to the
    leader, or to every process of the run.
    """

    signal: int | str
    before: float
    to: Target = "leader"


class Session(msgspec.Struct, frozen=True, gc=False):
    """A session that shows a run: of which program (`screen`, `tmux`), under which name."""

    program: str
    name: str


class Order(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="order"):
    """What the daemon says."""


class Start(Order, frozen=True, omit_defaults=True, kw_only=True, tag="start"):
    """Start a run. A run id the runner knows is not started again: the answer is how that run
    stands.

    `stdin`, `stdout` and `stderr` are paths, relative to `cwd` or absolute; `stdin` None is
    /dev/null, `stderr` None goes where `stdout` goes, `stdout` None is /dev/null. `env` is the
    whole environment; HPC_RUN_ID and HPC_RUNNER_ID are added to it. `tag` comes back in reports,
    unread.

    `cores` are the numbers of the cpus it may run on; none: it may on any. Unless what is at the
    path `guarded` lies in one of the directories `roots`, nothing is started.

    With a `session` it runs on a terminal of its own, and its input and errors, where no file is
    named for them, are that terminal, too; the leader is the host of `machine.session`, which ends
    as the command does.

    With `after` it is kept until that run, which is alive or kept itself, is over, and started in
    its place at once: the report of that end names it as `successor`. If it comes too late for
    that, or is to follow only `if_ok` and the exit code is not 0, it is not started but `recalled`.
    """

    run: int
    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    append: bool = False
    umask: int = 0o022
    cores: tuple[int, ...] = ()
    session: Session | None = None
    guarded: str = ""
    roots: list[str] = []
    time_limit: float | None = None
    grace: float = 30.0
    warn: Warn | None = None
    tag: str = ""
    after: int = 0
    if_ok: bool = False


class Recall(Order, frozen=True, omit_defaults=True, kw_only=True, tag="recall"):
    """Give back the runs that are kept to follow others: `recalled` answers with the `number`.

    A new connection recalls them, too, without a word.
    """

    number: int


class Stop(Order, frozen=True, omit_defaults=True, kw_only=True, tag="stop"):
    """End a run: `signal` (TERM unless given) to all its processes, KILL to what is left after
    `grace`. What is suspended goes on, so that it can act on the signal.

    With `ahead` that signal is sent first, and the stop begins `before` seconds later; it changes
    nothing about a run that is being stopped already. `cause` comes back as `stopped_by`. The first
    cause stays; a later, shorter grace still shortens.
    """

    run: int
    cause: str
    grace: float | None = None
    signal: int | str = "TERM"
    ahead: Warn | None = None


class Suspend(Order, frozen=True, omit_defaults=True, kw_only=True, tag="suspend"):
    """Stop all processes of a run, and the clock of its time limit. It is ended (`stopped_by`
    "deadline") when it has not gone on `within` so many seconds. May be said again; says nothing to
    a run that is being ended."""

    run: int
    within: float | None = None


class Resume(Order, frozen=True, omit_defaults=True, kw_only=True, tag="resume"):
    """Let a suspended run go on. May be said again, and to one that is not suspended."""

    run: int


class Signal(Order, frozen=True, omit_defaults=True, kw_only=True, tag="signal"):
    """Send a signal to the leader of a run or to all its processes. Nothing is remembered of it."""

    run: int
    signal: int | str
    to: Target = "leader"


class Limit(Order, frozen=True, omit_defaults=True, kw_only=True, tag="limit"):
    """Change the time limit (seconds since the run's start, but for those it was suspended; None
    lifts it) of a live run."""

    run: int
    time_limit: float | None = None


class Ack(Order, frozen=True, omit_defaults=True, kw_only=True, tag="ack"):
    """The ends of these runs are recorded: forget them."""

    runs: list[int]


class Inventory(Order, frozen=True, omit_defaults=True, kw_only=True, tag="inventory"):
    """Say how every run stands."""


class Shutdown(Order, frozen=True, omit_defaults=True, kw_only=True, tag="shutdown"):
    """Leave when no run is alive; with `cancel`, stop all of them first (`stopped_by` "shutdown").

    Unacknowledged ends stay in the journal for the next runner. A new connection takes this order
    back.
    """

    cancel: bool = False
    grace: float | None = None


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="event"):
    """What the runner says."""


class Started(Event, frozen=True, omit_defaults=True, kw_only=True, tag="started"):
    """A run is alive. `start_ticks` with the boot id makes the pid an identity."""

    run: int
    pid: int
    start_ticks: int
    time: float
    stopping: str | None = None
    suspended: bool = False
    tag: str = ""


class FailedToStart(Event, frozen=True, omit_defaults=True, kw_only=True, tag="failed_to_start"):
    """No process of this run ever was. `exit_code`: 127 not found, 126 found but not to be run.

    `transient` (exit code 75): the machine's fault (disk full, too many processes, runner leaving),
    already forgotten by the runner, so the same run id may be ordered again. Otherwise it waits for
    its `ack`.
    """

    run: int
    exit_code: int
    message: str
    time: float = 0.0
    transient: bool = False
    tag: str = ""


class Ended(Event, frozen=True, omit_defaults=True, kw_only=True, tag="ended"):
    """The leader ended and nothing of the run is alive. Exactly one of `exit_code` and `signal` is
    given.

    CPU seconds are those of the leader and of all it waited for; `max_rss` is the largest of them.
    `max_rss_at_most`: it is what the runner itself held, for the kernel counts from before exec,
    and the run may have had less.
    """

    run: int
    exit_code: int | None = None
    signal: int | None = None
    core: bool = False
    time: float = 0.0
    cpu_user: float = 0.0
    cpu_system: float = 0.0
    max_rss: int = 0
    max_rss_at_most: bool = False
    stopped_by: str | None = None
    tag: str = ""
    successor: int = 0


class Recalled(Event, frozen=True, omit_defaults=True, kw_only=True, tag="recalled"):
    """These runs, ordered to follow others, are kept no longer and were never started: they came
    too late, or what they were to follow ended badly or could not be started. With `answers`, the
    number of a `recall`, no run ordered before that is kept, named here or not."""

    runs: list[int]
    answers: int = 0


class Lost(Event, frozen=True, omit_defaults=True, kw_only=True, tag="lost"):
    """The run is not alive and how it ended cannot be known; `reason` is a sentence. Waits for its
    `ack`.
    """

    run: int
    reason: str
    time: float = 0.0
    stopped_by: str | None = None
    tag: str = ""
    successor: int = 0


class Unknown(Event, frozen=True, omit_defaults=True, kw_only=True, tag="unknown"):
    """Answer to an order about a run that was never started here, or whose end was acknowledged."""

    run: int


class Complaint(Event, frozen=True, omit_defaults=True, kw_only=True, tag="complaint"):
    """An order that could not be read or carried out, or a trouble of the runner's own."""

    message: str


Report = Started | FailedToStart | Ended | Lost
"""How one run stands."""


class Standing(Event, frozen=True, omit_defaults=True, kw_only=True, tag="standing"):
    """How everything stands: sent first on every connection, on `inventory`, and when the worker
    changes.

    `runs` holds one report for each run that is alive or not acknowledged. A run that is not in it
    was never started here, or has been acknowledged. None is kept to follow another by then.
    """

    protocol: int
    runner_pid: int
    keeper_pid: int
    boot_id: str
    runs: list[Report]


AnyOrder = Start | Recall | Stop | Suspend | Resume | Signal | Limit | Ack | Inventory | Shutdown
AnyEvent = Started | FailedToStart | Ended | Lost | Unknown | Recalled | Complaint | Standing

_encode = msgspec.json.Encoder()
_order = msgspec.json.Decoder(AnyOrder)
_event = msgspec.json.Decoder(AnyEvent)


def to_lines(messages: Iterable[Order] | Iterable[Event]) -> bytes:
    """The bytes to write."""
    return _encode.encode_lines(messages)


def read_orders(lines: bytes) -> tuple[list[AnyOrder], list[Complaint]]:
    """Orders from whole lines; one bad line spoils only itself."""
    try:
        return list(_order.decode_lines(lines)), []
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _read_one_by_one(lines)


def _read_one_by_one(lines: bytes) -> tuple[list[AnyOrder], list[Complaint]]:
    orders: list[AnyOrder] = []
    complaints: list[Complaint] = []
    for line in lines.splitlines():
        try:
            orders.append(_order.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            complaints.append(Complaint(message=f"An order could not be read: {error}"))
    return orders, complaints


def read_events(lines: bytes) -> list[AnyEvent]:
    """Events from whole lines; those of a newer runner that we do not know are left out."""
    events: list[AnyEvent] = []
    for line in lines.splitlines():
        try:
            events.append(_event.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return events
