"""Why jobs wait, when they are to start, and what would start them sooner: the decider's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from hpcshell.core.errors import HpcError
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import NO_INDEX, Job, State
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.finding import Found, find
from hpcshell.daemon.verbs.look import document_of
from hpcshell.daemon.verbs.snapshot import first_in_line
from hpcshell.daemon.verbs.standing import factors_of
from hpcshell.machine import clock
from hpcshell.policy.admit import admit
from hpcshell.policy.explain import bind, explain_suspended, next_of
from hpcshell.policy.explain import explain as explain_why
from hpcshell.policy.explanation import Bound, Explanation
from hpcshell.policy.snapshot import Snapshot
from hpcshell.policy.sooner import Variant
from hpcshell.sim.ahead import Ahead

if TYPE_CHECKING:
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer

IN_LINE: Final = 500
"""So many of the first in line are played forward, where there are more."""
BUDGET: Final = 0.5
"""Seconds for that, however many are asked about."""
THOROUGH: Final = 10
"""Of so many it is worked out what would start them sooner; everybody else waits meanwhile."""


def explain(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Why jobs wait, and when they will start."""
    engine, now = daemon.engine, clock.now()
    told: list[dict[str, Any]] = []
    ahead = _ahead(engine)
    for found in find(engine, ask.args, peer.uid):
        for index in found.elements or IndexSet((range(NO_INDEX, NO_INDEX + 1),)):
            few = ahead if len(told) < THOROUGH else None
            told.append(_explained(engine, found, index, now, few))
    return {"jobs": told}


def _ahead(engine: Engine) -> Ahead:
    """The first in line played forward, for a short while: everybody else waits meanwhile."""
    since: list[float] = []

    def take() -> Snapshot:
        since.append(clock.monotonic())
        return first_in_line(engine, IN_LINE)

    return Ahead(take, lambda: clock.monotonic() > since[0] + BUDGET)


def _explained(
    engine: Engine, found: Found, index: int, now: float, ahead: Ahead | None
) -> dict[str, Any]:
    """With an `ahead`, also between when and when it starts, and what would start it sooner."""
    live = engine.live.get(found.job.id)
    document = document_of(engine, found.job, index)
    task = None if live is None else live.tasks.get(index)
    waits = live is not None and (document["state"] == "PENDING" or bool(live.waiting))
    answer = {
        "id": found.job.id,
        "label": document["label"],
        "state": document["state"],
        "gpu_enforcement": document["gpu_enforcement"],
    }
    if task is not None and task.state is State.SUSPENDED:
        return answer | _told(
            explain_suspended(engine.view, engine.policy, task.run, now, ahead=ahead)
        )
    if not waits:
        return answer | _nothing(document["reason"] or _no_wait(document))
    others = None if ahead is None else _elsewhere(engine, found.job)
    view, policy = engine.view, engine.policy
    why = explain_why(view, policy, found.job.id, index, now, others=others, ahead=ahead)
    if (entry := view.entry(found.job.id)) is not None:
        meant = next_of(entry) if index == NO_INDEX else index
        bind(view, policy, (found.job.id, meant), why, now)
    order = {"order": engine.host.settings.scheduler.order}
    return answer | _told(why) | {"standing": order | factors_of(engine, found.job, now)}


def _told(told: Explanation) -> dict[str, Any]:
    reasons = [{"code": reason.code, "sentence": reason.sentence} for reason in told.reasons]
    change = told.change
    return {
        "reason": reasons[0],
        "reasons": reasons,
        "promise": {"start": told.start, "why": told.why},
        "promised": told.promised,
        "interval": {"earliest": _bound(told.earliest), "latest": _bound(told.latest)},
        "blockers": told.blockers,
        "advice": told.advice or None,
        "change": None
        if change is None
        else {"options": change.options, "start": change.start, "now": change.now},
        "standing": None,
    }


def _bound(bound: Bound | None) -> dict[str, Any] | None:
    return None if bound is None else {"start": bound.start, "why": bound.why}


def _nothing(sentence: str) -> dict[str, Any]:
    """Of what does not wait."""
    reason = {"code": "None", "sentence": sentence}
    return {
        "reason": reason,
        "reasons": [reason],
        "promise": None,
        "promised": False,
        "interval": {"earliest": None, "latest": None},
        "blockers": [],
        "advice": None,
        "change": None,
        "standing": None,
    }


def _elsewhere(engine: Engine, job: Job) -> Iterator[Variant]:
    """The same job in every other partition, and every other QOS, that takes it."""
    settings, view = engine.host.settings, engine.view
    asked = [("partition", name) for name in settings.partitions if name != job.partition]
    asked += [("qos", name) for name in settings.qos if name != job.qos]
    for field, name in asked:
        other = replace(job, **{field: name})
        try:
            admit(job.request, engine.host.total, settings, other.partition)
        except HpcError:
            continue
        if view.bounds is None or view.bounds.never(view.room, other) is None:
            yield Variant(f"--{field}={name}", other)


def _no_wait(view: dict[str, Any]) -> str:
    """Why there is nothing to explain."""
    if view["end_time"] is not None:
        return "it has ended, and waits for nothing"
    return "it runs, and waits for nothing"
