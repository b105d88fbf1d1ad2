"""Asks clusters for what became of jobs: each of them once for all of its jobs, and no more often
than it is worth.

A cluster is asked while the tracker waits for a job of it, or something that was submitted there
from here has not ended: every five seconds while things change, up to two minutes apart while
nothing does, at once after an epilog has said something, and ever more seldom while it does not
answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import time
from collections.abc import Iterable, Mapping
from typing import Final
from weakref import WeakKeyDictionary

import msgspec

from hpcshell.clusters.cluster import ledger_path
from hpcshell.clusters.desks import open_ledger
from hpcshell.core.errors import HpcError
from hpcshell.core.settings import Settings
from hpcshell.machine import clock
from hpcshell.track.joining.rhythm import SOONEST, Rhythm
from hpcshell.track.store import jobstates
from hpcshell.track.store.jobs import JobRef
from hpcshell.web.context import Context
from hpcshell.web.tasks.polled import Awaited, Looked, desk_of, look, name_of

IDLE: Final = 30.0
"""Seconds after which it is seen whether there is anything to ask for."""
LEAST: Final = 1.0
"""Seconds between two questions, however many epilogs speak."""
AGAIN: Final = 300.0
"""Seconds after which a cluster that did not say its name is asked for it again."""

_log: Final = logging.getLogger("hpcshell.web")
_pollers: Final[WeakKeyDictionary[Context, Poller]] = WeakKeyDictionary()


def nudge(context: Context) -> None:
    """Something has happened on a cluster: see what, soon."""
    poller = _pollers.get(context)
    if poller is not None:
        poller.hurry()


async def polling(context: Context) -> None:
    """Ask the clusters until this is cancelled."""
    poller = _pollers[context] = Poller(context)
    while True:
        try:
            pause = await poller.turn()
        except HpcError as error:
            _log.warning("clusters are not asked: %s", error.message)
            pause = IDLE
        except Exception:  # a defect must not end the asking for all other jobs
            _log.exception("a defect in asking clusters")
            pause = IDLE
        await poller.rest(pause)


class _Watch(msgspec.Struct):
    """A cluster: when it is asked next (steady clock), and why then."""

    rhythm: Rhythm = Rhythm()
    last: float = 0.0
    due: float = 0.0


class Poller:
    """All clusters of one server."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watches: dict[str, _Watch] = {}
        self._whose = Whose(context.settings)
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Ask all of them as soon as is fair."""
        for watch in self._watches.values():
            watch.due = min(watch.due, watch.last + LEAST)
            watch.rhythm = Rhythm(SOONEST, watch.rhythm.failures)
        self._hurried.set()

    async def rest(self, pause: float) -> None:
        """Wait, unless there is a hurry."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurried.wait(), pause)
        self._hurried.clear()

    async def turn(self) -> float:
        """Ask those whose time has come; for how long there is nothing to do."""
        awaited = await self._context.work(self._awaited)
        for name in self._watches.keys() - awaited.keys():
            del self._watches[name]
        now = time.monotonic()
        due = [name for name in awaited if self._watch(name).due <= now]
        await asyncio.gather(*(self._ask(name, awaited[name]) for name in due))
        now = time.monotonic()
        pauses = [watch.due - now for watch in self._watches.values()]
        return max(0.05, min([IDLE, *pauses]))

    def _watch(self, name: str) -> _Watch:
        return self._watches.setdefault(name, _Watch())

    async def _ask(self, name: str, awaited: list[Awaited]) -> None:
        watch = self._watch(name)
        watch.last = time.monotonic()
        try:
            looked: Looked = await self._context.work(look, name, awaited)
        except HpcError as error:
            _log.info("%s is not asked: %s", name, error.message)
            looked = Looked([], answered=False)
        taken = await self._context.change(
            lambda connection: jobstates.take(connection, looked.told, clock.now())
        )
        if looked.answered:
            watch.rhythm = watch.rhythm.answered(changed=bool(taken.changed))
        else:
            watch.rhythm = watch.rhythm.failed(random.random())
        watch.due = time.monotonic() + watch.rhythm.pause

    def _awaited(self) -> dict[str, list[Awaited]]:
        """The jobs that are waited for, by the cluster that is to be asked."""
        with self._context.store.reading() as connection:
            live = jobstates.live(connection, but="local")
        awaited: dict[str, list[Awaited]] = {name: [] for name in self._submitted()}
        for ref, user, heard in live:
            name = self._whose.cluster(ref)
            if name is not None and ref.id.isdecimal():
                awaited.setdefault(name, []).append(Awaited(ref, user, heard))
        return awaited

    def _submitted(self) -> Iterable[str]:
        """Clusters on which something runs that was submitted from here."""
        if not os.path.exists(ledger_path(self._context.places)):
            return ()
        with contextlib.closing(open_ledger(self._context.places)) as ledger:
            return [name for name in self._whose.names if ledger.open_entries(name)]


class Whose:
    """Which of our clusters a job is on, of which somebody told under a name that may be another
    one. A name that none of ours is known to have is nobody's: it is not guessed."""

    def __init__(self, settings: Settings) -> None:
        self._kinds: Mapping[str, str] = {
            name: each.backend for name, each in settings.clusters.items()
        }
        self._named: dict[str, tuple[str | None, float]] = {}

    @property
    def names(self) -> list[str]:
        """Those that are configured, and the kinds, by which the scheduler here is asked."""
        return [*self._kinds, *({"slurm", "pbs", "lsf", "sge"} - self._kinds.keys())]

    def cluster(self, ref: JobRef) -> str | None:
        """What we call it; None: it is none of ours."""
        if ref.cluster in self._kinds:
            return ref.cluster
        ours = [name for name, kind in self._kinds.items() if kind in (ref.kind, "")]
        candidates = ours or [ref.kind]
        if ref.cluster == ref.kind:
            return candidates[0] if len(candidates) == 1 else None
        return next((name for name in candidates if self._calls_itself(name) == ref.cluster), None)

    def _calls_itself(self, name: str) -> str | None:
        known, until = self._named.get(name, (None, 0.0))
        if known is None and time.monotonic() >= until:
            try:
                known = name_of(desk_of(name).cluster)
            except HpcError as error:
                _log.info("%s does not say its name: %s", name, error.message)
            self._named[name] = (known, time.monotonic() + AGAIN)
        return known
