"""What handlers work with: the store, the daemon and the clusters, the configuration.

@get("/runs/{run_id:str}")
async def show(context: Context, run_id: str) -> Run:
    return await context.read(lambda connection: runs.show(connection, run_id))
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from hpcshell.core.settings import Settings
from hpcshell.jobs.opened import door
from hpcshell.machine.paths import Places
from hpcshell.track.artifacts import Artifacts
from hpcshell.track.store.store import Store
from hpcshell.web.answers.sharing import Latest, Shared
from hpcshell.web.answers.slots import Slots
from hpcshell.web.apart import Apart
from hpcshell.web.counting import Counts
from hpcshell.web.events.hub import Hub

THREADS: Final = min(4, (os.cpu_count() or 1) + 1)
"""For reading the store. More of them do less: each takes the interpreter from the others at every
row, and an answer costs twice as much."""
ASKING: Final = 16
"""Threads that speak to the daemon and to clusters, some of which are slow."""
READY: Final = 2.0
"""Seconds for which it is believed that the server can work, or that it cannot."""
STREAMS: Final = 4
"""Long answers that are made at a time: each holds a connection for as long as it is read."""

T = TypeVar("T")


class Context:
    """One per server."""

    def __init__(self, settings: Settings, places: Places, store: Store) -> None:
        self.settings = settings
        self.places = places
        self.store = store
        self.hub = Hub(places)
        self.shared = Shared()
        self.ready = Latest(READY)
        self.apart = Apart()
        self.counts = Counts()
        self.artifacts = Artifacts(
            settings.track.artifacts or places.track.artifacts, settings.web.upload_limit
        )
        self.streams = Slots(STREAMS)
        self._readers = ThreadPoolExecutor(THREADS, thread_name_prefix="read")
        self._askers = ThreadPoolExecutor(ASKING, thread_name_prefix="ask")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What is read of the store, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self.store.reading() as connection:
            return work(connection)

    async def change(self, work: Callable[[Connection], T]) -> T:
        """The same for a change: it is on disk when this returns."""
        return await asyncio.wrap_future(self.store.enqueue(work))

    async def ask(self, verb: str, *, on: str | None = None, **args: Any) -> Any:
        """Ask the daemon, or a cluster, one thing; see docs/reference for the verbs."""
        return await self.work(lambda: door(on).call(verb, **args))

    async def work(self, task: Callable[..., T], *args: Any, **named: Any) -> T:
        """Whatever else takes time, in a thread."""
        call = partial(task, *args, **named)
        return await asyncio.get_running_loop().run_in_executor(self._askers, call)

    def close(self) -> None:
        """When nobody asks any more. Closes the store, too."""
        self._readers.shutdown()
        self._askers.shutdown(cancel_futures=True)
        self.store.close()
