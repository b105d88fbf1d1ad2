"""The cards: how each stands, who is on it, and what it tells; pausing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hpcshell.core.errors import NotFound
from hpcshell.core.records import NO_INDEX, WHOLE, Claim, State
from hpcshell.core.words import one_line
from hpcshell.daemon.admission import user_name
from hpcshell.daemon.gpus import claims_of
from hpcshell.daemon.suspending import preempt
from hpcshell.daemon.verbs.apart import check_owner
from hpcshell.machine import clock
from hpcshell.policy.cardfacts import enforcement
from hpcshell.policy.cardhealth import health
from hpcshell.policy.cardwatch import CardWatch, Standing
from hpcshell.policy.room import cards_held

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer


def gpus(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """All cards, and what keeps their shares apart."""
    return gpus_view(daemon.engine, clock.now())


def measured(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """What runs of jobs that named a model used of their cards, oldest first."""
    return {"runs": [msgspec.to_builtins(run) for run in daemon.engine.model_runs.known]}


def set_gpus(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Pause cards (with `drain` what runs on them goes back into the queue), or let them take work
    again."""
    check_owner(peer)
    engine, args, now = daemon.engine, ask.args, clock.now()
    watch, cards = engine.host.cards, list(args["cards"])
    if beyond := [card for card in cards if not 0 <= card < len(watch.cards)]:
        count = len(watch.cards)
        hint = f"they are numbered 0 to {count - 1}" if count else "see: hpc gpu status"
        raise NotFound(f"there is no gpu {beyond[0]}", hint)
    reason, user = one_line(str(args.get("reason") or ""), "the reason", 1000), user_name(peer.uid)
    state = args["state"]
    leaving = _leaving(engine, cards) if state == "draining" else {"put_back": [], "ended": []}
    if args.get("dry_run"):
        return {**gpus_view(engine, now), **leaving}
    for card in cards:
        watch.notes.ask(watch.name(card), state, reason=reason, user=user, now=now)
    if state == "draining":
        _clear(engine, cards, user, now)
    daemon.gpus.due = True
    daemon.gpus.review(engine, daemon.configure, daemon.log)
    return {**gpus_view(engine, now), **leaving}


def _leaving(engine: Engine, cards: list[int]) -> dict[str, list[int]]:
    """The jobs on these cards: those that go back into the queue, and those that may not, which end
    for good."""
    held = (claim for claim in claims_of(engine) if not cards_held(claim).keys().isdisjoint(cards))
    jobs = sorted({claim.job for claim in held})
    again = [job for job in jobs if engine.live[job].job.requeue]
    return {"put_back": again, "ended": [job for job in jobs if job not in again]}


def _clear(engine: Engine, cards: list[int], user: str, now: float) -> None:
    """Let what runs on the cards make room, and go back into the queue if it may."""
    for claim in claims_of(engine):
        mine = sorted(cards_held(claim).keys() & set(cards))
        live = engine.live.get(claim.job)
        if not mine or live is None:
            continue
        task = live.tasks[claim.index]
        if task.state in (State.RUNNING, State.SUSPENDED):
            cause = f"gpu {', '.join(map(str, mine))} was drained by {user}"
            preempt(engine, live, task, "requeue", cause, now)


def gpus_view(engine: Engine, now: float) -> dict[str, Any]:
    """The document of all cards."""
    watch, claims = engine.host.cards, claims_of(engine)
    survey, how = watch.survey, enforcement(watch)
    standings = watch.standings(claims, now)
    expected = engine.host.total.gpus > 0 or watch.settings.provider not in ("auto", "none")
    over = watch.overuse(claims, now)
    well = health(watch, standings, expected=expected, over=over)
    return {
        "hostname": engine.host.hostname,
        "provider": survey.provider,
        "driver": survey.driver or None,
        "time": survey.time or None,
        "interval": watch.settings.interval,
        "trouble": survey.trouble or None,
        "enforced_by": how.by,
        "enforcement": how.sentence,
        "placement": engine.host.settings.scheduler.placement,
        "links": [list(group) for group in engine.host.node.links],
        "domains": [
            {"cpus": list(domain.cpus), "gpus": list(domain.gpus)}
            for domain in engine.host.node.domains
        ],
        "health": well._asdict(),
        "uncounted": max(0, engine.host.total.gpus - len(watch.cards)),
        "queue": _queue(engine),
        "cards": [_card(engine, card, one, claims) for card, one in enumerate(standings)],
    }


def _queue(engine: Engine) -> dict[str, int]:
    """How many elements wait, and how many of them before or behind the usual priority."""
    found = {"total": 0, "high": 0, "normal": 0, "low": 0, "running": len(engine.runs)}
    for live in engine.live.values():
        waiting = len(live.waiting) + sum(
            task.state is State.PENDING for task in live.tasks.values()
        )
        usual, mine = engine.host.settings.defaults.priority, live.job.priority
        found["high" if mine > usual else "low" if mine < usual else "normal"] += waiting
        found["total"] += waiting
    return found


def _card(engine: Engine, card: int, one: Standing, claims: list[Claim]) -> dict[str, Any]:
    watch = engine.host.cards
    facts, reading, note = watch.cards[card], watch.reading(card), watch.note(card)
    loads = watch.loads(card)
    strangers, stranger_memory = watch.strangers(card, claims)
    mine = [claim for claim in claims if card in cards_held(claim)]
    view: dict[str, Any] = {
        "number": card,
        "uuid": facts.uuid or None,
        "model": facts.model or None,
        "memory": facts.memory or None,
        "bus": facts.bus or None,
        "parent": facts.parent or None,
        "alone": facts.alone,
        "state": one.state,
        "reason": one.why or None,
        "since": one.since or None,
        "failures": len(note.failed),
        "circuit": "half-open" if one.state == "trial" else "open" if note.opened else "closed",
        "retry_at": note.shut or None,
        "allocated": sum(cards_held(claim)[card] for claim in mine) / WHOLE,
        "jobs": [_tenant(engine, card, claim) for claim in mine],
        "strangers": [
            {
                "pid": each.pid,
                "user": each.user or None,
                "command": each.command or None,
                "memory": each.memory,
                "since": each.since,
            }
            for each in strangers
        ],
        "stranger_memory": stranger_memory,
        "load_average": loads.average,
        "load_peak": loads.peak,
    }
    for name in ("load", "temperature", "power", "power_limit", "ecc", "xid"):
        view[name] = getattr(reading, name, None)
    view["memory_used"] = None if reading is None else reading.memory
    return view


def _tenant(engine: Engine, card: int, claim: Claim) -> dict[str, Any]:
    job, watch = engine.live[claim.job].job, engine.host.cards
    share = cards_held(claim)[card]
    return {
        "job": claim.job,
        "element": None if claim.index == NO_INDEX else claim.index,
        "name": job.name,
        "user": job.user,
        "share": share / WHOLE,
        "memory_used": watch.used_by(claim.run).get(card),
        "memory_limit": watch.limit(card, share) or None,
        "since": claim.start,
    }


def held_view(claim: Claim, watch: CardWatch) -> list[dict[str, Any]]:
    """The cards of a run, with what it may use and uses of each."""
    used = watch.used_by(claim.run)
    return [
        {
            "card": card,
            "uuid": watch.cards[card].uuid or None if card < len(watch.cards) else None,
            "share": share / WHOLE,
            "memory_used": used.get(card),
            "memory_limit": (watch.limit(card, share) or None) if card < len(watch.cards) else None,
        }
        for card, share in cards_held(claim).items()
    ]
