"""The verb that hands out the queue as the decider sees it, to be played forward elsewhere.

The first request takes the snapshot, which costs next to nothing: records never change. Its jobs
are then handed out page by page, so that nobody else waits for long; it is kept until the last page
is taken, or the peer leaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hpcshell.core.errors import NotYet, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Job, Task
from hpcshell.machine import clock
from hpcshell.policy.snapshot import Snapshot, Standing, facts_of, promised_of, standing

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.live import LiveJob
    from hpcshell.daemon.server import Ask, Peer

PAGE: Final = 2000

Bare = tuple[Job, IndexSet, tuple[Task, ...]]
"""A live job as it was, before it is written out."""


class Kept(NamedTuple):
    """A snapshot that is being handed out."""

    jobs: list[Bare]


def snapshot(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """The page `page` of the jobs; with the first one (0) everything else, as of this instant."""
    page = ask.args.get("page", 0)
    if not isinstance(page, int) or isinstance(page, bool) or page < 0:
        raise Wrong(f"page cannot be {page!r}", "give a whole number, at least 0")
    answer: dict[str, Any] = {}
    if page == 0:
        peer.kept = Kept([_bare(daemon.engine, live) for live in _ascending(daemon.engine)])
        answer["head"] = _head(daemon.engine)
    kept = peer.kept
    if not isinstance(kept, Kept) or page * PAGE > len(kept.jobs):
        raise NotYet("there is no snapshot to go on with", "take another: ask for page 0")
    more = (page + 1) * PAGE < len(kept.jobs)
    answer.update(jobs=_written(kept.jobs[page * PAGE : (page + 1) * PAGE]), more=more)
    if not more:
        peer.kept = None
    return answer


def _ascending(engine: Engine) -> Iterable[LiveJob]:
    return (engine.live[job] for job in sorted(engine.live))


def _bare(engine: Engine, live: LiveJob) -> Bare:
    """Elements that ask for something of their own go as the view has them."""
    if not live.tasks:
        return live.job, live.waiting, ()
    return live.job, live.waiting, _in_order(engine, live)


def _in_order(engine: Engine, live: LiveJob) -> tuple[Task, ...]:
    return standing(
        live.job, live.waiting, live.tasks.values(), engine.view.entry(live.job.id)
    ).tasks


def _written(jobs: list[Bare]) -> list[Standing]:
    return [standing(*bare) for bare in jobs]


def _head(engine: Engine) -> Snapshot:
    """Everything but the jobs."""
    view, now = engine.view, clock.now()
    return Snapshot(
        now=now,
        total=view.total,
        policy=engine.policy,
        runs=tuple(view.claims.values()),
        waking=tuple(view.waking),
        parents=facts_of(view),
        promised=promised_of(view),
        reservations=tuple(view.book.known.values()),
        used=view.book.uses(),
        since=dict(view.since),
        leaving=dict(view.leaving),
        checkpoints=dict(view.checkpoints),
        closed=view.closed,
        last_job=engine.last_job,
        settings=engine.host.settings,
        usage={} if view.ledger is None else view.ledger.state(now),
        origin=engine.store.first_submit() or now,
    )
