"""Follows this machine's daemon: every event of its jobs becomes known to the tracker.

The events say which jobs have changed; what they are now is asked for, a page at a time. The number
of the last event is kept with what was learned from it, so that nothing is missed over a restart of
either side, and nothing counts twice. Each machine has a daemon and a first job of its own, and
several may share a store: the name of the machine is the cluster of its jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection as SqlConnection

from hpcshell.client.client import Client
from hpcshell.client.connection import Connection
from hpcshell.client.wire import error_of
from hpcshell.core.errors import HpcError, NotFound, Refused
from hpcshell.core.indexset import IndexSet
from hpcshell.machine import clock
from hpcshell.track.client.surroundings import host
from hpcshell.track.joining.facts import ENDED, GONE, JobFacts
from hpcshell.track.joining.told import experiment_of, facts_of, is_whole_array
from hpcshell.track.store import cursors, jobstates
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.jobstates import UNNAMED, Told
from hpcshell.track.store.store import Store
from hpcshell.web.context import Context

LOCAL: Final = "local"
PAGE: Final = 500
"""Events that are taken in together."""
GATHERING: Final = 0.1
"""Seconds for which more events are waited for once there is one."""
FIRST: Final = 1.0
LONGEST: Final = 60.0
"""Seconds between two attempts to reach a daemon that is not there."""

Event = dict[str, Any]
Key = tuple[int, int | None]
_log: Final = logging.getLogger("hpcshell.web")


async def following(context: Context) -> None:
    """Follow the daemon until this is cancelled; a daemon that does not run is not started."""
    follower = Follower(context.store, Client(context.places, autostart=False))
    thread = threading.Thread(target=follower.run, name="follow-daemon", daemon=True)
    thread.start()
    try:
        await asyncio.Event().wait()
    finally:
        follower.stop()
        await asyncio.to_thread(thread.join)


def stream_of(machine: str) -> str:
    """The name under which it is kept how far the events of a machine's daemon are known."""
    return f"events {machine}"


class Follower:
    """One thread's work: events in, rows out. `machine`: where the daemon is."""

    def __init__(self, store: Store, client: Client, machine: str = "") -> None:
        self.store = store
        self.client = client
        self.machine = machine or host()
        self.stream = stream_of(self.machine)
        self._stopped = threading.Event()
        self._connection: Connection | None = None

    def run(self) -> None:
        """Follow, whatever happens, until stopped."""
        pause = FIRST
        while not self._stopped.is_set():
            begun = time.monotonic()
            try:
                self.follow()
            except HpcError as error:
                _log.debug("the daemon is not followed: %s", error.message)
            except Exception:  # a defect must not end the following of all that comes after
                _log.exception("a defect in following the daemon")
            pause = FIRST if time.monotonic() - begun > LONGEST else min(LONGEST, 2 * pause)
            self._stopped.wait(pause)
        self.client.close()

    def stop(self) -> None:
        """End the thread's work, from another one."""
        self._stopped.set()
        connection = self._connection
        if connection is not None:
            _wake(connection)

    def follow(self) -> None:
        """Take in what there is and what comes. Raises `HpcError` when the daemon goes away."""
        with self.store.reading() as reading:
            since = cursors.cursor(reading, self.stream)
        if since and not self._continues(since):
            since = 0  # its database was made anew: all that it tells is new
        self._connection = connection = self.client.connect()
        try:
            self._look_again()
            for page in _pages(connection, since, self._stopped.is_set):
                self.take(page)
        finally:
            self._connection = None
            connection.close()

    def _continues(self, since: int) -> bool:
        """Whether the daemon still knows the last event that was taken in."""
        with contextlib.closing(self.client.stream("events", since=since - 1)) as events:
            first = next(events, None)
        return first is not None and first.get("seq") == since

    def take(self, page: Sequence[Event]) -> None:
        """Take in some events, and that they have been."""
        told = self._told([event for event in page if event["job"] is not None])
        last = (self.stream, page[-1]["seq"])
        self.store.change(partial(_take, told, clock.now(), last))

    def _look_again(self) -> None:
        """See what has become of those that were alive when it was last followed."""
        with self.store.reading() as reading:
            known = self._of_here(reading)
            seen = {
                (ref.id, ref.element)
                for ref in self._of_here(reading, seen=True)
                if ref.cluster == self.machine
            }
        keys = [(int(ref.id), ref.element) for ref in known if ref.id.isdecimal()]
        for at in range(0, len(keys), PAGE):
            some, now = keys[at : at + PAGE], clock.now()
            told = list(self._shown(some).values())
            there = {(each.ref.id, each.ref.element) for each in told}
            told += [
                Told(self._ref(job, element), JobFacts(state=GONE, time=now))
                for job, element in some
                if (str(job), element) not in there and (str(job), element) in seen
            ]
            self.store.change(partial(_take, told, now, None))

    # ------------------------------------------------------------------------------ what they are

    def _told(self, events: Sequence[Event]) -> list[Told]:
        keys = {(event["job"], event["element"]) for event in events}
        shown = self._shown(sorted(keys, key=str))
        told = list(shown.values())
        for event in events:  # of what was purged since, only the events themselves tell
            key = (event["job"], event["element"])
            if key not in shown and event["kind"] in ("start", "end"):
                told.append(Told(self._ref(*key), _of_event(event)))
        return told

    def _shown(self, keys: Iterable[Key]) -> dict[Key, Told]:
        """What the documents of these tell; a whole array's, of those of it that are known."""
        found: dict[Key, Told] = {}
        arrays: list[Key] = []
        for view in self._documents(_words(keys)):
            if is_whole_array(view):
                with self.store.reading() as reading:
                    rows = self._of_here(reading, id=str(view["id"]))
                arrays += [(view["id"], ref.element) for ref in rows if ref.element is not None]
                continue
            facts = facts_of(view, clock.now())
            key = (view["id"], view["element"])
            found[key] = Told(self._ref(*key), facts, experiment_of(view, UNNAMED))
        if arrays:
            found |= self._shown(arrays)
        return found

    def _ref(self, job: int, element: int | None) -> JobRef:
        return JobRef(LOCAL, str(job), self.machine, element)

    def _of_here(self, reading: SqlConnection, **which: Any) -> list[JobRef]:
        """The jobs that may still go on here, and those of which nobody knows where they are."""
        rows = jobstates.live(reading, kind=LOCAL, **which)
        return [ref for ref, _, _ in rows if ref.cluster in (self.machine, LOCAL)]

    def _documents(self, words: list[str]) -> list[dict[str, Any]]:
        """Their documents; of those that are not there (any more) none."""
        if not words:
            return []
        try:
            shown: list[dict[str, Any]] = self.client.call("show", ids=words)["jobs"]
        except (NotFound, Refused):
            if len(words) == 1:
                return []
            half = len(words) // 2
            return self._documents(words[:half]) + self._documents(words[half:])
        return shown


def _take(
    told: Sequence[Told], now: float, last: tuple[str, int] | None, connection: SqlConnection
) -> None:
    jobstates.take(connection, told, now)
    if last is not None:
        cursors.move(connection, *last, now)


def _words(keys: Iterable[Key]) -> list[str]:
    """`12`, `7[1-3,5]`: a word for each job."""
    elements: dict[int, list[int]] = {}
    whole: list[str] = []
    for job, element in keys:
        if element is None:
            whole.append(str(job))
        else:
            elements.setdefault(job, []).append(element)
    return whole + [f"{job}[{IndexSet.of(several)}]" for job, several in elements.items()]


def _of_event(event: Event) -> JobFacts:
    state, at = event["state"], event["time"]
    return JobFacts(
        state=state,
        time=at,
        reason=event["cause"] or None,
        start_time=at if event["kind"] == "start" else None,
        end_time=at if state in ENDED else None,
    )


def _pages(
    connection: Connection, since: int, stopped: Callable[[], bool]
) -> Iterator[list[Event]]:
    """Events as they come, in pages. Raises `HpcError` when the daemon goes away."""
    page: list[Event] = []
    until = 0.0
    connection.ask("events", {"since": since, "follow": True})
    while not stopped():
        said = connection.hear(patient=True)
        if said.error is not None:
            raise error_of(said.error)
        if said.ok is not msgspec.UNSET:  # so many at once, and there are more
            connection.ask("events", {"since": since, "follow": True})
        elif "seq" in said.event:
            page.append(said.event)
            since = said.event["seq"]
        if len(page) == 1:
            until = time.monotonic() + GATHERING
        if page and (len(page) >= PAGE or not _more(connection, until)):
            yield page
            page = []


def _more(connection: Connection, until: float) -> bool:
    """Whether another line can be read before an instant of the steady clock."""
    left = until - time.monotonic()
    return left > 0 and (connection.pending or bool(select.select([connection], [], [], left)[0]))


def _wake(connection: Connection) -> None:
    """Whoever reads from it finds its end."""
    with contextlib.suppress(OSError):
        connection.sock.shutdown(socket.SHUT_RDWR)
