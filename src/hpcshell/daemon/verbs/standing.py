"""Verbs that show how jobs and users stand: `priority`, `fairshare`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from hpcshell.core.records import Job, Request
from hpcshell.daemon import views
from hpcshell.daemon.finding import resolve
from hpcshell.machine import clock
from hpcshell.policy.snapshot import NO_LAUNCH

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer
    from hpcshell.policy.fairshare import Key

PAGE = 1000


def priority(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """The jobs that wait, first first, each with all that its place comes from."""
    engine, now = daemon.engine, clock.now()
    user = str(ask.args.get("user") or "")
    waiting = engine.remembered.get(("priority", user), lambda: _waiting(engine, user))
    if named := ask.args.get("ids"):
        chosen = {one.job.id for text in named for one in resolve(engine, str(text), peer.uid)}
        waiting = [job for job in waiting if job in chosen]
    limit, offset = ask.args.get("limit"), ask.args.get("offset") or 0
    scheduler = engine.host.settings.scheduler
    page = islice(waiting, offset, offset + (PAGE if limit is None else limit))
    return {
        "schema": views.SCHEMA,
        "order": scheduler.order,
        "renewed_every": scheduler.rerank if engine.regime.timely else None,
        "rows": [_row(engine, engine.live[job].job, now) for job in page],
        "weights": _weights(engine, now),
        "total": len(waiting),
    }


def _waiting(engine: Engine, user: str) -> list[int]:
    """The jobs that wait, a user's or (without a name) all, in their order."""
    if user and not engine.users[user]:
        return []
    ranked = sorted(
        (entry.rank, entry.job.id)
        for entry in engine.view.queue.jobs.values()
        if entry.waits() and (not user or entry.job.user == user)
    )
    return [job for _, job in ranked]


def _weights(engine: Engine, now: float) -> list[dict[str, Any]]:
    """What each factor is worth, whoever waits: those of a job that asks for something of all."""
    total = engine.host.total
    request = Request(cpus=1, memory=1, gpus=1, others=dict.fromkeys(total.others, 1))
    job = Job(id=0, name="", user="", uid=0, submit_time=now, launch=NO_LAUNCH, request=request)
    rows = factors_of(engine, job, now)["factors"]
    return [{"factor": row["factor"], "weight": row["weight"]} for row in rows]


def _row(engine: Engine, job: Job, now: float) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "user": job.user,
        "account": job.account or None,
        "partition": job.partition,
        "qos": job.qos or None,
        **factors_of(engine, job, now),
    }


def factors_of(engine: Engine, job: Job, now: float) -> dict[str, Any]:
    """The priority of a job by the order in force (the larger goes first), and its factors."""
    regime = engine.regime
    if regime.rows is None:
        return {"priority": None, "factors": []}
    typical = regime.foresight.typical(job, job.request)
    rows = [row._asdict() for row in regime.rows(job, typical, now)]
    return {"priority": sum(row["points"] for row in rows), "factors": rows}


def fairshare(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """The accounts and users, their shares and usage, and what that comes to."""
    engine = daemon.engine
    ledger, fair = engine.regime.ledger, engine.host.settings.fairshare
    answer: dict[str, Any] = {
        "schema": views.SCHEMA,
        "algorithm": fair.algorithm,
        "half_life": fair.half_life,
        "rows": [],
    }
    if ledger is not None:
        ledger.settle(clock.now())
        tree = ledger.shares.fair_tree() if fair.algorithm == "tree" else {}
        used = ledger.shares.standing(ledger.shares.root).usage
        answer["rows"] = [
            _standing(engine, key, depth, used, tree) for depth, key in ledger.shares.walk()
        ]
    return answer


def _standing(
    engine: Engine, key: Key, depth: int, used: float, tree: dict[Key, float]
) -> dict[str, Any]:
    assert engine.regime.ledger is not None
    one = engine.regime.ledger.shares.standing(key)
    return {
        "account": one.account,
        "user": one.user or None,
        "depth": depth,
        "shares": one.shares,
        "norm_shares": one.part,
        "usage": one.usage,
        "norm_usage": one.usage / used if used else 0.0,
        "effective_usage": one.effective,
        "factor": tree.get(key, one.factor) if one.user else one.factor,
    }
