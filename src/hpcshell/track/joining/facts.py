"""What is known of a job, put together from what any number of witnesses tell of it.

merged(known, told)     all that both know

Witnesses are the events of our daemon, answers of a cluster, webhooks of its epilogs. They speak in
any order, repeat themselves and know different things; `merged` gives the same whatever the order:
it takes of every fact the greater by a fixed order, and never the one that came last. An attempt's
end is never taken back; only a later attempt is alive again.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

GONE: Final = "GONE"
"""Its scheduler has forgotten it, and of its end nobody knows."""
UNKNOWN: Final = "UNKNOWN"
LIVE: Final = ("PENDING", "RUNNING", "SUSPENDED", "COMPLETING")
ENDED: Final = (
    *("COMPLETED", "FAILED", "CANCELLED", "PREEMPTED"),
    *("NODE_FAIL", "TIMEOUT", "DEADLINE", "OUT_OF_MEMORY"),
)
"""From what says least to what says most: a witness that sees only an exit code calls each of the
later ones FAILED, or COMPLETED."""
OVER: Final = frozenset({*ENDED, GONE})

_RANKS: Final = {
    UNKNOWN: 0,
    "PENDING": 1,
    "RUNNING": 2,
    "SUSPENDED": 2,
    "COMPLETING": 3,
    GONE: 4,
    **{state: rank for rank, state in enumerate(ENDED, start=5)},
}
STATES: Final = frozenset(_RANKS)


class JobFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a witness tells of one job, or all that is known of it. None and "": not told.

    `attempt` None: the one that is known. `time`: when `state` was seen to be so; `seen`: when
    anything was last heard of it. `unknown_since`: when it was last known what it does, by a
    witness that no longer knows.
    """

    attempt: int | None = None
    state: str = UNKNOWN
    time: float = 0.0
    seen: float = 0.0
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    start_time: float | None = None
    end_time: float | None = None
    nodes: tuple[str, ...] = ()
    cpu_time: float | None = None
    max_rss: int | None = None
    unknown_since: float | None = None
    name: str = ""
    user: str = ""
    partition: str = ""
    account: str = ""
    submit_time: float | None = None
    cpus: int | None = None
    memory: int | None = None
    gpus: float | None = None
    time_limit: float | None = None

    @property
    def over(self) -> bool:
        """Whether this attempt has ended, or nobody will ever tell of it again."""
        return self.state in OVER


_GREATEST: Final = ("exit_code", "signal", "end_time", "cpu_time", "max_rss", "unknown_since")
_STANDING: Final = ("cpus", "memory", "gpus", "time_limit")
_TEXTS: Final = ("name", "user", "partition", "account")
_OF_ATTEMPT: Final = ("exit_code", "signal", "start_time", "end_time", "cpu_time", "max_rss")


def merged(known: JobFacts, told: JobFacts) -> JobFacts:
    """All that both know. Of two attempts the later one counts."""
    one, other = plain(known), plain(told)
    if one.attempt is None or other.attempt is None:
        attempt = one.attempt or other.attempt
        one, other = replace(one, attempt=attempt), replace(other, attempt=attempt)
    if one.attempt == other.attempt:
        return plain(replace(_same_attempt(one, other), **_lasting(one, other)))
    later = max(one, other, key=lambda facts: facts.attempt or 1)
    return replace(later, **_lasting(one, other))


def plain(facts: JobFacts) -> JobFacts:
    """Without what contradicts its state: the end of what lives, the start of what waits, doubts
    about what is known since."""
    changes: dict[str, Any] = {"seen": max(facts.seen, facts.time), "reason": facts.reason or None}
    if not facts.over:
        changes |= dict.fromkeys(("end_time", "exit_code", "signal"))
    if facts.state in ("PENDING", UNKNOWN):
        changes |= dict.fromkeys(_OF_ATTEMPT) | {"nodes": ()}
    if facts.unknown_since is not None and (facts.over or changes["seen"] > facts.unknown_since):
        changes["unknown_since"] = None
    changes = {name: value for name, value in changes.items() if getattr(facts, name) != value}
    return replace(facts, **changes) if changes else facts


def _same_attempt(one: JobFacts, other: JobFacts) -> JobFacts:
    chosen = max(one, other, key=_standing)
    values: dict[str, Any] = {name: _greatest(one, other, name) for name in _GREATEST}
    values["start_time"] = _least(one, other, "start_time")
    values["nodes"] = tuple(sorted({*one.nodes, *other.nodes}))
    values["seen"] = max(one.seen, other.seen)
    return replace(chosen, **values)


def _lasting(one: JobFacts, other: JobFacts) -> dict[str, Any]:
    """What is the same in all attempts: of two names the fuller, for some witnesses cut them."""
    values: dict[str, Any] = {name: _greatest(one, other, name) for name in _STANDING}
    for name in _TEXTS:
        values[name] = max(getattr(one, name), getattr(other, name), key=lambda t: (len(t), t))
    values["submit_time"] = _least(one, other, "submit_time")
    return values


def _standing(facts: JobFacts) -> tuple[int, float, str, str]:
    """The order of what is told of one attempt: later in life first, then later told."""
    return _RANKS[facts.state], facts.time, facts.state, facts.reason or ""


def _greatest(one: JobFacts, other: JobFacts, name: str) -> Any:
    several = [value for value in (getattr(one, name), getattr(other, name)) if value is not None]
    return max(several, default=None)


def _least(one: JobFacts, other: JobFacts, name: str) -> Any:
    several = [value for value in (getattr(one, name), getattr(other, name)) if value is not None]
    return min(several, default=None)
