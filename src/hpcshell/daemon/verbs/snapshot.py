"""The verb that hands out the queue as the decider sees it, to be played forward elsewhere.

The first request takes the snapshot, which costs next to nothing: records never change. Its jobs
are then handed out page by page, so that nobody else waits for long; it is kept until the last page
is taken, or the peer leaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from hpcshell.core.errors import HpcError, NotYet, Wrong
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Job, Task
from hpcshell.daemon.finding import resolve
from hpcshell.machine import clock
from hpcshell.policy.gang import jobs_of
from hpcshell.policy.rooms import nodes_of
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
    """The page `page` of the jobs; with the first one (0) everything else, as of this instant.

    `most`: no more than so many of those that wait, the first in line, and those named by `ids`.
    """
    page = ask.args.get("page", 0)
    if not isinstance(page, int) or isinstance(page, bool) or page < 0:
        raise Wrong(f"page cannot be {page!r}", "give a whole number, at least 0")
    answer: dict[str, Any] = {}
    if page == 0:
        peer.kept = _take(daemon.engine, _asked(daemon.engine, ask, peer.uid))
        answer["head"] = _head(daemon.engine, peer.kept)
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
    kept = _take(engine, _chosen(engine, most))
    jobs = _written(kept, slice(len(kept.jobs)))
    return replace(_head(engine, kept), jobs=tuple(jobs))


def _chosen(engine: Engine, most: int, named: Iterable[int] = ()) -> set[int] | None:
    """The jobs that have begun, those named, and the first so many in line; None: all."""
    if len(engine.live) <= most:
        return None
    begun = (claim.job for claim in engine.view.claims.values())
    ready = map(jobs_of, islice(engine.view.queue.turn.in_order(), most))
    return {*begun, *named, *chain.from_iterable(ready)} & engine.live.keys()


def _asked(engine: Engine, ask: Ask, uid: int) -> set[int] | None:
    """The jobs that are asked for; None: all."""
    most = ask.args.get("most")
    if most is None:
        return None
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        raise Wrong(f"most cannot be {most!r}", "give a whole number, at least 0")
    named: list[int] = []
    for text in ask.args.get("ids") or ():
        try:
            named += [found.job.id for found in resolve(engine, str(text), uid)]
        except HpcError:  # whoever asks says so, in better words
            continue
    return _chosen(engine, most, named)


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


def _head(engine: Engine, kept: Kept) -> Snapshot:
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
        plots=dict(view.book.plots.chosen),
        used=view.book.uses(),
        since=dict(view.since),
        leaving=dict(view.leaving),
        checkpoints=dict(view.checkpoints),
        closed=view.closed,
        closed_cards=view.room.closed,
        burdens=view.room.burdens,
        last_job=engine.last_job,
        left_out=len(engine.live) - len(kept.jobs),
        settings=engine.host.settings,
        usage={} if view.ledger is None else view.ledger.state(now),
        learnt=learnt_by(engine.regime.foresight),
        origin=engine.store.first_submit() or now,
        nodes=nodes_of(view.room),
        placement=engine.host.settings.scheduler.placement,
    )
