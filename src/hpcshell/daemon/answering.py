"""Requests become answers: what changes something within the tick, what only looks after it."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from hpcshell.core.errors import Broken, HpcError, NotYet, Wrong
from hpcshell.core.words import quote
from hpcshell.daemon.asked import check_args
from hpcshell.daemon.verbs import LOOKS, VERBS
from hpcshell.daemon.verbs.look import document_of

if TYPE_CHECKING:
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer

Request = tuple["Peer", "Ask"]


def tell(daemon: Daemon) -> None:
    """Mail, webhooks and the desktop, for the jobs that asked for them."""
    tidings, daemon.engine.tidings = daemon.engine.tidings, []
    for job, what, index in tidings:
        daemon.notices.offer(job, what, document_of(daemon.engine, job, index))


def change(daemon: Daemon, asked: list[Request]) -> list[Any]:
    """Do what is asked, request by request, but for what only looks (None)."""
    return [None if ask.verb in LOOKS else _perform(daemon, peer, ask) for peer, ask in asked]


def answer(daemon: Daemon, asked: list[Request], done: list[Any]) -> None:
    """Say what was done; whoever only looks sees what is on disk by now."""
    for (peer, ask), result in zip(asked, done, strict=True):
        if peer.closed:
            continue
        said = _perform(daemon, peer, ask) if ask.verb in LOOKS else result
        if isinstance(said, HpcError):
            peer.fail(ask.id, said)
        elif said is not None:  # None: a watcher will answer
            peer.answer(ask.id, said)


def _perform(daemon: Daemon, peer: Peer, ask: Ask) -> Any:
    """Do what one request asks; its own mistakes are its answer and change nothing."""
    verb = VERBS.get(ask.verb)
    try:
        if verb is None:
            raise _unknown_verb(ask.verb)
        _check_now(daemon, ask)
        return verb(daemon, peer, ask)
    except HpcError as error:
        return error
    except Exception as error:
        if ask.verb not in LOOKS:
            raise  # it may have changed something: the whole tick is undone
        daemon.log.write(
            "error",
            "a request failed",
            verb=ask.verb,
            error=repr(error),
            trace=traceback.format_exc(),
        )
        return Broken(f"the daemon failed to answer: {error!r}", "see: hpc daemon logs")


def _check_now(daemon: Daemon, ask: Ask) -> None:
    """Raise what keeps this request from being dealt with now."""
    if daemon.trouble is not None and ask.verb not in LOOKS and ask.verb != "stop":
        raise daemon.trouble
    if daemon.leaving and ask.verb in ("submit", "rerun"):
        raise NotYet("the daemon is stopping", "submit again in a moment")
    check_args(ask.verb, ask.args)


def _unknown_verb(verb: str) -> HpcError:
    return Wrong(
        f"the daemon knows no verb {quote(verb)}", "client and daemon differ: hpc daemon restart"
    )
