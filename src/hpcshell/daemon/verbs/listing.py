"""The verb that lists all jobs, whether they have ended or not: jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hpcshell.core.lifecycle import word
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.live import LiveJob
from hpcshell.daemon.verbs.look import job_document, past_document
from hpcshell.daemon.views import BAD
from hpcshell.store.rows import Listed

if TYPE_CHECKING:
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer

PAGE: Final = 50
MOST: Final = 1000
WINDOW: Final = 5000
"""So many ids are looked through for one answer, however few fit: others wait meanwhile."""
_ENDS: Final = frozenset({*BAD, "COMPLETED"})


def jobs(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Jobs with an id below `before`, the highest first: those that wait and run, and those that
    have ended. `before` of the answer is where the next page goes on; None: there is no more."""
    engine, args = daemon.engine, ask.args
    limit, before = min(args.get("limit") or PAGE, MOST), args.get("before") or 2**53
    before = _behind_empty(engine, args, min(before, engine.last_job + 1))
    least = max(1, before - WINDOW)
    found = engine.store.submitted(_listed(args, before, least))
    fitting = _fitting(engine, found, _live_test(args))
    rows = list(islice(fitting, limit))
    if len(rows) == limit:
        least = rows[-1]["id"]
    elif not rows:
        _empty(engine, args)[before] = least
    return {"rows": rows, "before": least if least > 1 else None}


def _empty(engine: Engine, args: dict[str, Any]) -> dict[int, int]:
    """Windows in which nothing fits, as far as is remembered: where they begin and end."""
    asked = {name: args.get(name) for name in ("user", "states", "names", "tags", "partition")}
    key = ("jobs", msgspec.json.encode(asked))
    return engine.remembered.get(key, dict[int, int])


def _behind_empty(engine: Engine, args: dict[str, Any], before: int) -> int:
    """Where there may be something next; many windows may be without, and are seen through once."""
    empty, at = _empty(engine, args), before
    while (end := empty.get(at, at)) < at:
        at = end
    if at != before:
        empty[before] = at
    return at


def _words(args: dict[str, Any], name: str) -> tuple[str, ...]:
    return tuple(map(str, args.get(name) or ()))


def _listed(args: dict[str, Any], before: int, least: int) -> Listed:
    states = {state.upper() for state in _words(args, "states")}
    user = args.get("user")
    return Listed(
        before=before,
        least=least,
        users=(str(user),) if user else (),
        names=_words(args, "names"),
        tags=_words(args, "tags"),
        partition=str(args.get("partition") or ""),
        outcomes=tuple(sorted(states & _ENDS)),
        live=not states or bool(states - _ENDS),
        ended=not states or bool(states & _ENDS),
    )


def _live_test(args: dict[str, Any]) -> Callable[[LiveJob], bool]:
    """Whether a live job is in one of the states that are wanted."""
    wanted = {state.upper() for state in _words(args, "states")}
    if not wanted:
        return lambda live: True

    def test(live: LiveJob) -> bool:
        if live.waiting and "PENDING" in wanted:
            return True
        return any(word(task) in wanted for task in live.tasks.values())

    return test


def _fitting(
    engine: Engine, found: Iterator[Any], test: Callable[[LiveJob], bool]
) -> Iterator[dict[str, Any]]:
    for row in found:
        live = engine.live.get(row.id)
        if live is None and row.past is not None:
            yield past_document(engine, row.past)
        elif live is not None and test(live):
            yield job_document(engine, row.id)
