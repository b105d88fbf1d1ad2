"""The verb that hands out the queue as the decider sees it, to be played forward elsewhere.

The first request takes the snapshot, which costs next to nothing: records never change. Its jobs
are then handed out page by page, so that nobody else waits for long; it is kept until the last page
is taken, or the peer leaves.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from hpcshell.core.errors import NotYet, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Job, Task
from hpcshell.machine import clock
from hpcshell.policy.gang import jobs_of
from hpcshell.policy.snapshot import Snapshot, Standing, facts_of, promised_of, standing
from hpcshell.predict.named import learnt_by

if TYPE_CHECKING:
    from hpcshell.daemon.engine import Engine
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.live import LiveJob
    from hpcshell.daemon.server import Ask, Peer

PAGE: Final = 2000


class Kept(NamedTuple):
    """A snapshot that is being handed out: the live jobs with what waited of each, and the records
    of their elements, where there are any. Only lists of what is there already: for a long queue
    anything else would take too long."""

    jobs: list[Job]
    waiting: list[IndexSet]
    tasks: dict[int, tuple[Task, ...]]


def snapshot(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """The page `page` of the jobs; with the first one (0) everything else, as of this instant."""
    page = ask.args.get("page", 0)
    if not isinstance(page, int) or isinstance(page, bool) or page < 0:
        raise Wrong(f"page cannot be {page!r}", "give a whole number, at least 0")
    answer: dict[str, Any] = {}
    if page == 0:
        peer.kept = _take(daemon.engine)
        answer["head"] = _head(daemon.engine)
    kept = peer.kept
    if not isinstance(kept, Kept) or page * PAGE > len(kept.jobs):
        raise NotYet("there is no snapshot to go on with", "take another: ask for page 0")
    more = (page + 1) * PAGE < len(kept.jobs)
    answer.update(jobs=_written(kept, slice(page * PAGE, (page + 1) * PAGE)), more=more)
    if not more:
        peer.kept = None
    return answer


def first_in_line(engine: Engine, most: int) -> Snapshot:
    """What lives, as one record: all of it or, if that are more than `most` jobs, what has begun
    and so many of those that are ready, first first."""
    chosen: set[int] | None = None
    if len(engine.live) > most:
        view = engine.view
        begun = (claim.job for claim in view.claims.values())
        lines = islice(view.queue.turn.in_order(), most)
        ready = chain.from_iterable(map(jobs_of, lines))
        chosen = {*begun, *ready} & engine.live.keys()
    kept = _take(engine, chosen)
    jobs = _written(kept, slice(len(kept.jobs)))
    return replace(_head(engine), jobs=tuple(jobs))


def _take(engine: Engine, chosen: set[int] | None = None) -> Kept:
    """All that lives, or those, by ascending id."""
    live = [engine.live[job] for job in sorted(engine.live if chosen is None else chosen)]
    return Kept(
        jobs=[one.job for one in live],
        waiting=[one.waiting for one in live],
        tasks={one.job.id: _in_order(engine, one) for one in live if one.tasks},
    )


def _in_order(engine: Engine, live: LiveJob) -> tuple[Task, ...]:
    """Elements that ask for something of their own go as the view has them."""
    entry = engine.view.entry(live.job.id)
    return standing(live.job, live.waiting, live.tasks.values(), entry).tasks


def _written(kept: Kept, part: slice) -> list[Standing]:
    pairs = zip(kept.jobs[part], kept.waiting[part], strict=True)
    return [standing(job, waiting, kept.tasks.get(job.id, ())) for job, waiting in pairs]


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
        learnt=learnt_by(engine.regime.foresight),
        origin=engine.store.first_submit() or now,
    )
