"""What becomes of an element when a run of it is over: it ends, or it is tried again.

Asked to stop, it ends as what was asked: cancel before requeue before the time limit. Otherwise
the exit decides. A failure is tried again when its cause is in `Retry.on` and fewer than
`Retry.limit` retries were made: after min(delay * factor**(n-1), max_delay), spread by +-jitter
that is the same whenever it is worked out. A run that was lost with the machine is started again
without being asked, `lost_limit` times in all: what takes the machine down with it must not do so
for ever.
"""

from __future__ import annotations

import hashlib
import math
import signal
from typing import Final

from msgspec.structs import replace

from hpcshell.core.lifecycle import Event, Kind
from hpcshell.core.records import (
    WHOLE,
    Job,
    Outcome,
    Record,
    Request,
    Resources,
    Retry,
    Task,
    Usage,
)
from hpcshell.policy.reasons import amount, figures, span

LOST_LIMIT: Final = 3

MAKE_ROOM: Final = ("evict", "down", "preempt")
"""Words for why a run is being stopped that makes room: `preempt`, and it goes back into the queue
if its job may; `evict` for another, or `down` with the machine, and it does not."""
OVERUSE: Final = "gpu_memory"
"""Why a run is stopped that holds more memory of a card than is its own."""
_ASKED: Final = (
    *("cancel", "requeue", *MAKE_ROOM, OVERUSE),
    *("deadline", "timeout", "time_limit", "limit"),
)
"""Why a run was stopped, strongest first."""
_GROWS: Final = {"mem": "memory", "time": "time_limit", "cpu": "cpus", "gpu": "gpus"}


class End(Record, frozen=True, kw_only=True):
    """How a run was over. `stopped_by`: what the runner stopped it for; `message`: why it could
    not start, or how it was lost."""

    time: float
    exit_code: int | None = None
    signal: int | None = None
    stopped_by: str = ""
    oom: bool = False
    lost: bool = False
    message: str = ""
    usage: Usage | None = None


def after_end(
    job: Job, task: Task, end: End, *, total: Resources, lost_limit: int = LOST_LIMIT
) -> Event:
    """The event that the end of the element's current run is: END, or REQUEUE to try it again."""
    asked = _strongest(task.stopping, end.stopped_by)
    if asked == "requeue":
        return _again(task, end, "requeued as asked", wait=0.0, asked=True)
    if asked == "preempt" and job.requeue:
        return _again(task, end, task.cause or "preempted", wait=0.0, preempted=True)
    outcome = _outcome(end, asked)
    cause = _cause(job, task, end, outcome)
    if asked in ("cancel", *MAKE_ROOM, "deadline") or outcome is Outcome.COMPLETED:
        return _over(end, outcome, cause)
    if outcome is Outcome.NODE_FAIL:
        return _after_loss(job, task, end, cause, lost_limit)
    tried = max(0, task.attempt - 1 - task.lost - task.asked - task.preempted)
    if not _wanted(job.retry, outcome, end):
        return _over(end, outcome, cause)
    if not job.retry.limit:
        return _over(end, outcome, cause)
    if tried >= job.retry.limit:
        return _over(end, outcome, f"{cause.rstrip('.')}; tried again {tried} {_times(tried)}")
    wait = backoff(job.retry, job.id, task.index, tried + 1)
    grown = grow(task.request or job.request, job.retry, total)
    told = f"{cause}; retry {tried + 1} of {job.retry.limit} in {span(round(wait, 1))}"
    if grown is not None:
        told += f" with {_growth(task.request or job.request, grown)}"
    return _again(task, end, told, wait=wait, request=grown)


def backoff(retry: Retry, job: int, index: int, attempt: int) -> float:
    """Seconds to wait before retry number `attempt` (from 1), spread by a hash of what is
    retried."""
    steps = math.log(max(retry.factor, 1e-9)) * (attempt - 1)
    wait = retry.delay * math.exp(min(steps, 600.0)) if retry.delay > 0 else 0.0
    wait = min(wait, retry.max_delay)
    digest = hashlib.blake2b(f"{job}:{index}:{attempt}".encode(), digest_size=8).digest()
    spread = int.from_bytes(digest, "big") / 2**63 - 1.0
    return max(0.0, wait * (1.0 + retry.jitter * spread))


def grow(request: Request, retry: Retry, total: Resources) -> Request | None:
    """The request multiplied as `retry` says, within its caps and the machine; None if nothing
    grows."""
    fields: dict[str, int | float] = {}
    others = dict(request.others)
    for word, factor in retry.grow.items():
        name = _GROWS.get(word, word)
        cap = retry.cap.get(word, retry.cap.get(name, math.inf))
        if name == "time_limit":
            if request.time_limit is not None:
                fields[name] = max(request.time_limit, min(request.time_limit * factor, cap))
        elif name == "gpus" and request.gpu_share:
            count = _grown(request.gpu_hundredths, factor, cap * WHOLE, total.gpu_hundredths)
            fields["gpus"], fields["gpu_share"] = divmod(count, WHOLE)
        elif name in ("cpus", "memory", "gpus"):
            fields[name] = _grown(getattr(request, name), factor, cap, getattr(total, name))
        elif name in others:
            others[name] = _grown(others[name], factor, cap, total.others.get(name, 0))
    grown = replace(request, others=others, **fields)
    return None if grown == request else grown


def _grown(count: int, factor: float, cap: float, total: int) -> int:
    """At least what it was, at most the cap and the machine."""
    return max(count, int(min(math.ceil(round(count * factor, 6)), cap, total)))


def _growth(before: Request, after: Request) -> str:
    known = figures(before)
    told = [amount(name, n) for name, n in figures(after).items() if known.get(name, 0) != n]
    if after.time_limit is not None and after.time_limit != before.time_limit:
        told.append(f"a time limit of {span(round(after.time_limit, 1))}")
    return ", ".join(told)


def _times(count: int) -> str:
    return "time" if count == 1 else "times"


def _strongest(*asked: str) -> str:
    known = [word for word in asked if word in _ASKED]
    strongest = min(known, key=_ASKED.index, default="")
    return "timeout" if strongest in ("time_limit", "limit") else strongest


def _outcome(end: End, asked: str) -> Outcome:
    stopped = {
        "cancel": Outcome.CANCELLED,
        "preempt": Outcome.PREEMPTED,
        "evict": Outcome.PREEMPTED,
        "down": Outcome.NODE_FAIL,
        "deadline": Outcome.DEADLINE,
        "timeout": Outcome.TIMEOUT,
        OVERUSE: Outcome.OUT_OF_MEMORY,
    }
    if asked in stopped:
        return stopped[asked]
    if end.lost:
        return Outcome.NODE_FAIL
    if end.oom:
        return Outcome.OUT_OF_MEMORY
    good = end.exit_code == 0 and not end.signal and not end.message
    return Outcome.COMPLETED if good else Outcome.FAILED


def _wanted(retry: Retry, outcome: Outcome, end: End) -> bool:
    """Whether this cause is one that is tried again."""
    words = {Outcome.TIMEOUT: "timeout", Outcome.OUT_OF_MEMORY: "oom", Outcome.NODE_FAIL: "lost"}
    word = words.get(outcome, "fail")
    return word in retry.on or (word == "fail" and f"exit:{end.exit_code}" in retry.on)


def _after_loss(job: Job, task: Task, end: End, cause: str, lost_limit: int) -> Event:
    lost = task.lost + 1
    if not job.requeue and not (job.retry.limit and "lost" in job.retry.on):
        return _over(end, Outcome.NODE_FAIL, f"{cause}; it is not to be requeued")
    if lost > lost_limit:
        told = f"{cause}; it was lost {lost} times, and {lost_limit} is the limit"
        return _over(end, Outcome.NODE_FAIL, told)
    wait = backoff(job.retry, job.id, task.index, lost - 1) if lost > 1 else 0.0
    told = f"{cause}; started again ({lost} of {lost_limit} times)"
    return _again(task, end, told, wait=wait, lost=True)


def _cause(job: Job, task: Task, end: End, outcome: Outcome) -> str:
    if outcome is Outcome.CANCELLED:
        return task.cause or "cancelled"
    if outcome is Outcome.TIMEOUT:
        limit = (task.request or job.request).time_limit
        return "stopped at its time limit" + (f" of {span(limit)}" if limit is not None else "")
    if outcome is Outcome.DEADLINE:
        return "stopped at its deadline"
    if outcome is Outcome.PREEMPTED:
        return task.cause or "preempted"
    if outcome is Outcome.NODE_FAIL:
        return end.message or task.cause or "lost with the machine"
    if end.message:
        return end.message
    if outcome is Outcome.OUT_OF_MEMORY and task.stopping == OVERUSE:
        return task.cause
    if outcome is Outcome.OUT_OF_MEMORY:
        asked = (task.request or job.request).memory
        return "out of memory" + (f": it may use {amount('memory', asked)}" if asked else "")
    if end.signal:
        return f"killed by {signal_name(end.signal)}"
    return "" if end.exit_code == 0 else f"exit code {end.exit_code}"


def signal_name(number: int) -> str:
    """`SIGTERM` for 15; `signal 63` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _over(end: End, outcome: Outcome, cause: str) -> Event:
    return Event(
        kind=Kind.END,
        time=end.time,
        cause=cause,
        outcome=outcome,
        exit_code=end.exit_code,
        signal=end.signal,
        usage=end.usage,
    )


def _again(
    task: Task,
    end: End,
    cause: str,
    *,
    wait: float,
    lost: bool = False,
    asked: bool = False,
    preempted: bool = False,
    request: Request | None = None,
) -> Event:
    return Event(
        kind=Kind.REQUEUE,
        time=end.time,
        cause=cause,
        exit_code=end.exit_code,
        signal=end.signal,
        usage=end.usage,
        not_before=end.time + wait if wait else 0.0,
        lost=lost,
        asked=asked,
        preempted=preempted,
        request=request,
    )
