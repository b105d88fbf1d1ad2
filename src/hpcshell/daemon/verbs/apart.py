"""Verbs about what is set apart, and whether the machine takes new work: reserve, unreserve,
reservations, node, set_node."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec.structs import replace

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.core.records import NodeNote, Request
from hpcshell.core.words import check_name, nearest, one_line, quote
from hpcshell.daemon import apart
from hpcshell.daemon.admission import is_user, user_name
from hpcshell.daemon.views import resources_view
from hpcshell.machine import clock
from hpcshell.policy.booking import check_reservation
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.setapart import contents

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer

State = Literal["up", "drain", "down"]
MOST: Final = 1000
"""Reservations at a time, and names in one of them: every decision looks at all of them."""


def reserve(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Set a part of the machine apart; with `edit` change one that is there, in what is named."""
    check_owner(peer)
    engine, args, now = daemon.engine, ask.args, clock.now()
    known = engine.view.book.known
    name = _name(args.get("name"), "a reservation")
    if args.get("edit"):
        one = _edited(_found(engine, name), args)
        cause = f"was changed by {user_name(peer.uid)}"
    else:
        one = _made(engine, name, args)
        cause = f"was made by {user_name(peer.uid)}"
        if len(known) >= MOST:
            raise Refused(f"there are {MOST:,} reservations", "remove some that are not needed")
    check_reservation(one, engine.view.book, engine.view.room, now)
    if not args.get("dry_run"):
        apart.put(engine, one, cause, now)
    notes = _strangers(engine, one)
    return {"reservation": reservation_view(engine, one, now), "notes": notes}


def _strangers(engine: Engine, one: Reservation) -> list[str]:
    """Sentences about whom it is for and who is not known here (yet)."""
    accounts = engine.host.settings.accounts
    users = [name for name in one.users if not is_user(name)]
    unknown = [name for name in one.accounts if accounts and name not in accounts]
    return [
        *(f"this machine knows no user {quote(name)}" for name in users),
        *(f"there is no account {quote(name)}" for name in unknown),
    ]


def _made(engine: Engine, name: str, args: dict[str, Any]) -> Reservation:
    if name in engine.view.book.known:
        raise Refused(
            f"there is a reservation {name} already",
            f"change it: hpc reservation edit {name} ..., or use another name",
        )
    start, end = args.get("start"), args.get("end")
    if start is None or (end is None and args.get("duration") is None):
        raise Wrong("when is it to begin and to end?", "give --start and --duration, or --end")
    return Reservation(
        name=name,
        start=start,
        end=start + args["duration"] if end is None else end,
        request=_request(Request(cpus=0), args),
        users=_names(args.get("users"), "a user"),
        accounts=_names(args.get("accounts"), "an account"),
        flex=bool(args.get("flex")),
        idle=args.get("idle"),
    )


def _edited(one: Reservation, args: dict[str, Any]) -> Reservation:
    """What is named is changed; a new start moves the end along, unless that is named, too."""
    fields: dict[str, Any] = {}
    if (start := args.get("start")) is not None:
        fields = {"start": start, "end": start + (one.end - one.start)}
    if (length := args.get("duration")) is not None:
        fields["end"] = fields.get("start", one.start) + length
    if (end := args.get("end")) is not None:
        fields["end"] = end
    for name in ("users", "accounts"):
        if args.get(name) is not None:
            fields[name] = _names(args[name], f"{name[:-1]}")
    if args.get("flex") is not None:
        fields["flex"] = args["flex"]
    if (idle := args.get("idle")) is not None:
        fields["idle"] = idle or None
    return replace(one, request=_request(one.request, args), **fields)


def _request(request: Request, args: dict[str, Any]) -> Request:
    asked = {name: args[name] for name in ("cpus", "memory", "gpus") if args.get(name) is not None}
    if args.get("others") is not None:
        asked["others"] = {**request.others, **args["others"]}
    if args.get("all") is not None:
        asked["exclusive"] = args["all"]
    elif asked:
        asked["exclusive"] = False
    return replace(request, **asked)


def _names(names: Any, what: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(_name(name, what) for name in names or ()))
    if len(found) > MOST:
        raise Wrong(f"{len(found):,} names are too many", f"the limit is {MOST:,}")
    return found


def _name(name: Any, what: str) -> str:
    """A name that can be given as an option's value; `none` means that there is none."""
    text = str(name or "")
    check_name(text, what)
    if any(letter.isspace() or letter == "," for letter in text):
        raise Wrong(f"{what} cannot be {quote(text)}", "a name is one word, without commas")
    if text == "none":
        raise Wrong(f"{what} cannot be named {quote(text)}", "use another name")
    return text


def _found(engine: Engine, name: str) -> Reservation:
    known = engine.view.book.known
    if name not in known:
        near = nearest(name, list(known))
        hint = f"did you mean {near}? " if near else ""
        raise NotFound(
            f"there is no reservation {quote(name)}", f"{hint}hpc reservation list shows them"
        )
    return known[name]


def unreserve(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Set it apart no more: what runs in it runs on, what waits for it waits in vain."""
    check_owner(peer)
    engine, now = daemon.engine, clock.now()
    one = _found(engine, str(ask.args.get("name") or ""))
    view = reservation_view(engine, one, now)
    if not ask.args.get("dry_run"):
        apart.drop(engine, one.name, f"was removed by {user_name(peer.uid)}", now)
    return {"reservation": view}


def reservations(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """All reservations that are not over, or the one that is named."""
    engine, now = daemon.engine, clock.now()
    if (name := ask.args.get("name")) is not None:
        return {"reservations": [reservation_view(engine, _found(engine, name), now)]}
    return {"reservations": reservation_views(engine, now)}


def reservation_views(engine: Engine, now: float) -> list[dict[str, Any]]:
    """The documents of all that are not over, the first to begin first."""
    found = sorted(engine.view.book.known.values(), key=lambda one: (one.start, one.name))
    return [reservation_view(engine, one, now) for one in found if one.end > now]


def reservation_view(engine: Engine, one: Reservation, now: float) -> dict[str, Any]:
    """A reservation as a document. `used`: what its jobs hold; `jobs`: those that have not
    ended."""
    view = engine.view
    held = [0] * len(view.room.size)
    for run, pool in view.pools.items():
        if pool == one.name:
            held = [n + h for n, h in zip(held, view.room.held[run], strict=True)]
    return {
        "name": one.name,
        "state": "ACTIVE" if one.start <= now < one.end else "INACTIVE",
        "start": one.start,
        "end": one.end,
        "sets_apart": contents(view.room, one),
        "total": resources_view(view.room.resources(view.book.amount(one))),
        "used": resources_view(view.room.resources(tuple(held))),
        "all": one.request.exclusive,
        "users": list(one.users),
        "accounts": list(one.accounts),
        "maintenance": not (one.users or one.accounts),
        "flex": one.flex,
        "idle": one.idle,
        "jobs": [id for id, live in engine.live.items() if live.job.reservation == one.name],
    }


# -- the machine -----------------------------------------------------------------------------------


def node(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Whether the machine takes new work, and what is set apart of it."""
    return node_view(daemon.engine, clock.now())


def set_node(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Let the machine take new work (`up`), no more of it (`drain`), or clear it (`down`)."""
    check_owner(peer)
    engine, args, now = daemon.engine, ask.args, clock.now()
    state: State = args.get("state") or "up"
    reason = str(args.get("reason") or "")
    one_line(reason, "the reason", 1000)
    user = user_name(peer.uid)
    note = NodeNote(state=state, reason=reason, user=user, since=now)
    if state == "up":
        note = replace(note, reason="")
    before = node_view(engine, now)
    if args.get("dry_run"):
        return {**before, "was": before["state"], "stopped": []}
    why = f": {reason}" if reason and state != "up" else ""
    word = {"up": "resumed", "drain": "drained", "down": "taken down"}[state]
    apart.set_node(engine, note, f"the machine was {word} by {user}{why}")
    stopped = apart.clear(engine, f"the machine is down{why}", now) if state == "down" else []
    return {**node_view(engine, now), "was": before["state"], "stopped": sorted(set(stopped))}


def node_view(engine: Engine, now: float) -> dict[str, Any]:
    """The machine as a document; `state` in the words of sinfo."""
    view, note = engine.view, engine.node
    return {
        "hostname": engine.host.hostname,
        "state": _word(engine, now),
        "accepts": note.state == "up",
        "reason": note.reason or None,
        "user": note.user or None,
        "since": note.since or None,
        "running": len(view.claims),
        "total": resources_view(view.total),
        "free": resources_view(view.free),
        "reservations": reservation_views(engine, now),
    }


def _word(engine: Engine, now: float) -> str:
    view, note = engine.view, engine.node
    if note.state == "down":
        return "DOWN"
    if note.state == "drain":
        return "DRAINING" if view.claims else "DRAINED"
    opened = [one for one in view.book.known.values() if one.start <= now < one.end]
    if any(one.request.exclusive and not (one.users or one.accounts) for one in opened):
        return "MAINT"
    if any(one.request.exclusive for one in opened):
        return "RESERVED"
    if not view.claims:
        return "IDLE"
    return "MIXED" if view.free.cpus else "ALLOCATED"


def check_owner(peer: Peer) -> None:
    """Whoever may end the daemon may close the machine."""
    if peer.uid not in (0, os.geteuid()):
        raise Refused(
            f"the machine belongs to {user_name(os.geteuid())}, and not to {user_name(peer.uid)}",
            "ask its owner",
        )
