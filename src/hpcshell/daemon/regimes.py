"""The policies that the configuration asks for, with what has been learnt of users and their runs.

What users have used is kept in the store now and then, with the runs that went on then; on the next
start all runs that have ended since are charged once more. So nothing that has ended is forgotten,
whenever the daemon dies, and nothing is written for it when a run ends.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hpcshell.core.errors import Broken
from hpcshell.core.records import Record
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.host import Host
from hpcshell.daemon.loading import draw
from hpcshell.daemon.runs import LEFT_ALONE
from hpcshell.machine import clock
from hpcshell.policy.choice import choice, ledger_of
from hpcshell.policy.fairshare import INSTANT
from hpcshell.policy.ledger import Ledger
from hpcshell.policy.plan import Policy
from hpcshell.policy.regime import Foresight
from hpcshell.policy.view import View
from hpcshell.predict.named import foresight_named
from hpcshell.store.change import Change
from hpcshell.store.store import Store

USAGE: Final = "usage"
MOST: Final = 20_000
"""Runs that are looked back at where no usage was ever kept."""
LEARNT: Final = 2_000
"""Runs that predictions begin with."""
SECTIONS: Final = (
    *("scheduler", "priority", "fairshare", "limits"),
    *("partitions", "accounts", "qos", "users", "defaults"),
)
"""What of the configuration a regime depends on."""


class Usage(Record, frozen=True, kw_only=True):
    """What was charged when the runs `alive` went on, and no run after `last` had begun."""

    charged: dict[str, float] = msgspec.field(default_factory=dict)
    alive: tuple[int, ...] = ()
    last: int = 0


def set_up(engine: Engine, host: Host, policy: Policy | None = None) -> None:
    """Let the engine go by these settings, or by another `policy`; what runs goes on.

    Promises are dropped where the order, the limits or the rights may be others.
    """
    before: Host | None = getattr(engine, "host", None)
    if before is not None and _same(before, host):
        engine.configure(host, policy or engine.policy)
        return
    settings = host.settings
    ledger = ledger_of(settings)
    if before is None:
        recover(ledger, engine.store)
    elif engine.regime.ledger is not None:
        ledger.restore(engine.regime.ledger.state(clock.now()))
    chosen, regime = choice(
        settings,
        host.total,
        foresight=_foresight(engine.store, settings.scheduler.predict),
        ledger=ledger,
        origin=engine.store.first_submit() or clock.now(),
    )
    old, view = engine.view, View(host.total, regime)
    engine.configure(host, policy or chosen, view)
    if before is not None:
        draw(engine)
        carry_over(old, view)


def carry_over(old: View, view: View, by: float = 0.0) -> None:
    """What is on no record, or not yet: since when runs go on, until when they are, and their work
    is safe; where reservations are.
    `by`: for so long the clock has been set forward in between."""
    for before, after in (
        (old.since, view.since),
        (old.leaving, view.leaving),
        (old.checkpoints, view.checkpoints),
    ):
        after.update((run, time + by) for run, time in before.items())
    for name, time in old.book.uses().items():
        view.book.used(name, time + by)
    view.book.plots.follow(old.book.plots)


def _same(before: Host, host: Host) -> bool:
    """Whether the regime is the same, apart from the size of the machine."""
    if before.total != host.total and host.settings.scheduler.order == "multifactor":
        return False
    old, new = before.settings, host.settings
    return all(getattr(old, name) == getattr(new, name) for name in SECTIONS)


def _foresight(store: Store, name: str) -> Foresight | None:
    foresight = foresight_named(name)
    if foresight is None:
        return None
    ended = store.ended_runs(max(0, store.ids.run - LEARNT))
    for job, run in sorted(ended, key=lambda each: each[1].end_time or 0.0):
        if run.stopped_by in LEFT_ALONE and run.end_time is not None:
            length = run.end_time - run.start_time - run.claim.paused
            foresight.ended(job, job.request, length)
    return foresight


# -- usage ---------------------------------------------------------------------------------------


def keep_usage(engine: Engine, change: Change, now: float, leap: float = 0.0) -> None:
    """Write down what is charged by now, as of a clock that is then set forward by `leap`."""
    ledger = engine.regime.ledger
    if ledger is not None:
        alive = {*engine.runs, *(run.id for run in engine.prepared.values())}
        charged = ledger.state(now)
        charged[INSTANT] += leap
        usage = Usage(charged=charged, alive=tuple(sorted(alive)), last=engine.store.ids.run)
        change.keep(USAGE, msgspec.json.encode(usage))


def recover(ledger: Ledger, store: Store) -> None:
    """Charge what was kept, and all runs that have ended since."""
    usage = _kept(store)
    ledger.restore(usage.charged)
    for job, run in store.ended_runs(usage.last, usage.alive):
        if run.end_time is not None:
            claim = msgspec.structs.replace(run.claim, start=run.start_time)
            ledger.began(claim, job.user, job.account)
            ledger.ended(run.id, run.end_time)


def _kept(store: Store) -> Usage:
    kept = store.kept(USAGE)
    if kept is None:
        return Usage(last=max(0, store.ids.run - MOST))
    try:
        return msgspec.json.decode(kept, type=Usage)
    except msgspec.MsgspecError as error:
        raise Broken(f"the stored usage cannot be read: {error}", "see: hpc doctor") from error
