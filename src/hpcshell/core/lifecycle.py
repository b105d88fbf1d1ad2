"""The life of an element: one transition table, and `step`, the only way along it.

"Please cancel" is an event, never a state. A pair that is not in the table is refused. Ended is
final: a retry goes from running back to pending without passing through it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from msgspec.structs import replace

from hpcshell.core.errors import Refused
from hpcshell.core.records import Job, Outcome, Record, Request, State, Task, Usage


class Kind(Enum):
    """What can happen to an element."""

    START = "start"
    HOLD = "hold"
    RELEASE = "release"
    ADJUST = "adjust"
    CANCEL = "cancel"
    STOP = "stop"
    SUSPEND = "suspend"
    WAKE = "wake"
    RESUME = "resume"
    END = "end"
    REQUEUE = "requeue"


class Event(Record, frozen=True, kw_only=True):
    """Something that happened to an element, with its cause in one sentence.

    START uses `run`; STOP and CANCEL `stopping`; END `outcome`, `exit_code`, `signal`, `usage`;
    REQUEUE `not_before`, `lost`, `asked`, `preempted`, `request` besides what END uses; ADJUST
    `request` (None: that of the job). WAKE: what is suspended is to go on as soon as it may;
    SUSPEND takes that back.
    """

    kind: Kind
    time: float
    cause: str = ""
    run: int = 0
    stopping: str = ""
    outcome: Outcome | None = None
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage | None = None
    not_before: float = 0.0
    lost: bool = False
    asked: bool = False
    preempted: bool = False
    request: Request | None = None


Change = Callable[[Task, Event], Task]


def _start(task: Task, event: Event) -> Task:
    return replace(
        task,
        state=State.RUNNING,
        run=event.run,
        attempt=task.attempt + 1,
        start_time=event.time,
        end_time=None,
        exit_code=None,
        signal=None,
        usage=None,
        suspended=0.0,
        cause=event.cause,
    )


def _hold(task: Task, event: Event) -> Task:
    return replace(task, held=True, cause=event.cause)


def _release(task: Task, event: Event) -> Task:
    return replace(task, held=False, not_before=0.0, cause=event.cause)


def _adjust(task: Task, event: Event) -> Task:
    """What runs keeps what it holds: the request is that of the next attempt."""
    return replace(task, request=event.request, cause=event.cause)


def _cancel_waiting(task: Task, event: Event) -> Task:
    return replace(
        task,
        state=State.ENDED,
        outcome=event.outcome or Outcome.CANCELLED,
        end_time=event.time,
        cause=event.cause,
    )


def _stop(task: Task, event: Event) -> Task:
    task = _going_on(task, event)
    return replace(task, state=State.STOPPING, stopping=event.stopping, cause=event.cause)


def _suspend(task: Task, event: Event) -> Task:
    since = event.time if task.suspended_since is None else task.suspended_since
    return replace(
        task, state=State.SUSPENDED, suspended_since=since, waking=False, cause=event.cause
    )


def _wake(task: Task, event: Event) -> Task:
    return replace(task, waking=True, cause=event.cause)


def _resume(task: Task, event: Event) -> Task:
    return replace(_going_on(task, event), state=State.RUNNING, cause=event.cause)


def _going_on(task: Task, event: Event) -> Task:
    """It is suspended no longer, if it was."""
    suspended = suspended_for(task, event.time)
    return replace(task, suspended=suspended, suspended_since=None, waking=False)


def suspended_for(task: Task, now: float) -> float:
    """Seconds for which the latest attempt has been suspended, in all and up to `now`."""
    since = task.suspended_since
    return task.suspended + (0.0 if since is None else max(0.0, now - since))


def _end(task: Task, event: Event) -> Task:
    return replace(
        _going_on(task, event),
        state=State.ENDED,
        outcome=event.outcome,
        exit_code=event.exit_code,
        signal=event.signal,
        usage=event.usage,
        end_time=event.time,
        stopping="",
        cause=event.cause,
    )


def _requeue(task: Task, event: Event) -> Task:
    return replace(
        _going_on(task, event),
        state=State.PENDING,
        exit_code=event.exit_code,
        signal=event.signal,
        usage=event.usage,
        end_time=event.time,
        not_before=event.not_before,
        lost=task.lost + event.lost,
        asked=task.asked + event.asked,
        preempted=task.preempted + event.preempted,
        request=event.request or task.request,
        stopping="",
        cause=event.cause,
    )


TRANSITIONS: Final[dict[tuple[State, Kind], tuple[tuple[State, ...], Change]]] = {
    (State.PENDING, Kind.START): ((State.RUNNING,), _start),
    (State.PENDING, Kind.HOLD): ((State.PENDING,), _hold),
    (State.PENDING, Kind.RELEASE): ((State.PENDING,), _release),
    (State.PENDING, Kind.ADJUST): ((State.PENDING,), _adjust),
    (State.PENDING, Kind.CANCEL): ((State.ENDED,), _cancel_waiting),
    (State.RUNNING, Kind.ADJUST): ((State.RUNNING,), _adjust),
    (State.RUNNING, Kind.STOP): ((State.STOPPING,), _stop),
    (State.RUNNING, Kind.CANCEL): ((State.STOPPING,), _stop),
    (State.RUNNING, Kind.SUSPEND): ((State.SUSPENDED,), _suspend),
    (State.RUNNING, Kind.END): ((State.ENDED,), _end),
    (State.RUNNING, Kind.REQUEUE): ((State.PENDING,), _requeue),
    (State.SUSPENDED, Kind.SUSPEND): ((State.SUSPENDED,), _suspend),
    (State.SUSPENDED, Kind.WAKE): ((State.SUSPENDED,), _wake),
    (State.SUSPENDED, Kind.RESUME): ((State.RUNNING,), _resume),
    (State.SUSPENDED, Kind.ADJUST): ((State.SUSPENDED,), _adjust),
    (State.SUSPENDED, Kind.STOP): ((State.STOPPING,), _stop),
    (State.SUSPENDED, Kind.CANCEL): ((State.STOPPING,), _stop),
    (State.SUSPENDED, Kind.END): ((State.ENDED,), _end),
    (State.SUSPENDED, Kind.REQUEUE): ((State.PENDING,), _requeue),
    (State.STOPPING, Kind.ADJUST): ((State.STOPPING,), _adjust),
    (State.STOPPING, Kind.STOP): ((State.STOPPING,), _stop),
    (State.STOPPING, Kind.CANCEL): ((State.STOPPING,), _stop),
    (State.STOPPING, Kind.END): ((State.ENDED,), _end),
    (State.STOPPING, Kind.REQUEUE): ((State.PENDING,), _requeue),
}
"""(state, event) -> (states it may lead to, what changes). Docs and diagrams are drawn from it."""

IMPOSSIBLE: Final = frozenset(
    (state, kind) for state in State for kind in Kind if (state, kind) not in TRANSITIONS
)


_DONE: Final[dict[Kind, str]] = {
    Kind.START: "started",
    Kind.HOLD: "held",
    Kind.RELEASE: "released",
    Kind.ADJUST: "adjusted",
    Kind.CANCEL: "cancelled",
    Kind.STOP: "stopped",
    Kind.SUSPEND: "suspended",
    Kind.WAKE: "resumed",
    Kind.RESUME: "resumed",
    Kind.END: "ended",
    Kind.REQUEUE: "requeued",
}


def step(task: Task, event: Event) -> Task:
    """The element after the event. Raises `Refused` when its state does not allow it."""
    entry = TRANSITIONS.get((task.state, event.kind))
    if entry is None:
        raise Refused(
            f"job {label(task)} is {word(task)}: it cannot be {_DONE[event.kind]}",
            "see what happened to it with: hpc show --story " + label(task),
        )
    return entry[1](task, event)


def amend(job: Job, **fields: Any) -> Job:
    """The job with fields of the submission changed (hold, priority, limits); its elements are
    not."""
    return replace(job, **fields)


def label(task: Task) -> str:
    """`12` or `12_3`, as people and other schedulers write an element."""
    return str(task.job) if task.index < 0 else f"{task.job}_{task.index}"


def word(task: Task) -> str:
    """The state in the field's words: the outcome once ended, COMPLETING while stopping."""
    if task.state is State.ENDED and task.outcome is not None:
        return str(task.outcome.value)
    if task.state is State.STOPPING:
        return "COMPLETING"
    return str(task.state.value)
