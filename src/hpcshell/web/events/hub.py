"""The daemon's events for any number of listeners, over one connection to it.

    listener = hub.listener(since=17)
    while True:
        for moment in await listener.take(patience=15.0):
            ...

The latest events are kept in one ring for all. A listener is a place in it and nothing else, so
that a slow one costs no memory: one that fell behind the ring is told by the daemon what it missed,
as is one that comes with a place of long ago. Nothing is left out and nothing is told twice, also
when the daemon is restarted meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import msgspec

from hpcshell.client.wire import PROTOCOL, Failure, error_of, request_line
from hpcshell.core.errors import Broken, HpcError, Refused, Unreachable
from hpcshell.machine.paths import Places

KEPT: Final = 2000
"""Events in the ring."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds between two tries to reach a daemon that is not there."""
_LONGEST_LINE: Final = 1 << 26


class Moment(NamedTuple):
    """An event: its number, its job (None: of the machine), and its document as JSON."""

    seq: int
    job: int | None
    line: bytes


class _Said(msgspec.Struct):
    """A line of the daemon, of which only as much is read as is needed."""

    ok: Any = msgspec.UNSET
    event: msgspec.Raw = msgspec.Raw()
    error: Failure | None = None


class _Event(msgspec.Struct):
    seq: int
    job: int | None = None


_said = msgspec.json.Decoder(_Said).decode
_event = msgspec.json.Decoder(_Event).decode


class Hub:
    """See the module. Belongs to the loop in which it is first used."""

    def __init__(self, places: Places) -> None:
        self._socket = places.daemon_socket
        self._ring: deque[Moment] = deque(maxlen=KEPT)
        self._task: asyncio.Task[None] | None = None
        self._start = 0
        """Where the ring began when nothing had been pushed out of it."""
        self.last = 0
        """The number of the latest event that is known."""
        self.news = asyncio.Event()
        """Set when something happens; another one takes its place then."""
        self.known = False
        """Whether the daemon has been reached once, so that `last` means something."""
        self.connected = False
        self.listeners = 0

    def listener(self, since: int | None = None) -> Listener:
        """Somebody who hears what comes after event `since`; None: from now on."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen())
        return Listener(self, since)

    @property
    def first(self) -> int:
        """All events after this one are in the ring."""
        return self._ring[0].seq - 1 if len(self._ring) == KEPT else self._start

    def after(self, place: int) -> list[Moment]:
        """What the ring has after a place."""
        found: list[Moment] = []
        for moment in reversed(self._ring):
            if moment.seq <= place:
                break
            found.append(moment)
        return found[::-1]

    async def missed(self, place: int) -> tuple[list[Moment], int]:
        """Events after a place by the daemon's word, some thousands at once, and up to which all
        have been told by then."""
        found: list[Moment] = []
        upto = self.first
        async with _connected(self._socket) as wire:
            await wire.ask("events", since=place)
            while (said := await wire.hear()).ok is msgspec.UNSET:
                found.append(_moment(said.event))
            told: int = said.ok["cursor"]
            return found, told if said.ok["more"] else max(told, upto)

    async def stop(self) -> None:
        """Leave the daemon."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    # -------------------------------------------------------------------------------- the daemon

    async def _listen(self) -> None:
        pause = FIRST_PAUSE
        while True:
            before = self.last
            with contextlib.suppress(OSError, HpcError):
                await self._hear()
            self.connected = False
            pause = FIRST_PAUSE if self.last > before else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _hear(self) -> None:
        """Take in what happens until the daemon goes away."""
        async with _connected(self._socket) as wire:
            if not self.known:
                self.last = self._start = wire.last_event
                self.known = True
            await wire.ask("events", since=self.last, follow=True)
            self.connected = True
            self._tell()
            while True:
                said = await wire.hear()
                if said.ok is msgspec.UNSET:
                    self._take(_moment(said.event))
                else:  # there was more than it tells at once
                    await wire.ask("events", since=self.last, follow=True)

    def _take(self, moment: Moment) -> None:
        if moment.seq > self.last:
            self._ring.append(moment)
            self.last = moment.seq
            self._tell()

    def _tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


class Listener:
    """A place in what happens. Not for two tasks at once."""

    __slots__ = ("_hub", "place")

    def __init__(self, hub: Hub, since: int | None) -> None:
        self._hub = hub
        self.place = since

    async def take(self, patience: float) -> list[Moment]:
        """What has happened since, waited for so many seconds; nothing if nothing did."""
        end = asyncio.get_running_loop().time() + patience
        while True:
            news = self._hub.news
            if found := await self._found():
                return found
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                return []
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(news.wait(), left)

    async def _found(self) -> list[Moment]:
        hub = self._hub
        if not hub.known:
            return []
        if self.place is None:
            self.place = hub.last
        if self.place >= hub.first:
            found = hub.after(self.place)
            self.place = found[-1].seq if found else self.place
            return found
        try:
            found, self.place = await hub.missed(self.place)
        except (OSError, HpcError):  # it is asked again when it is back
            return []
        return found or await self._found()


class _Wire:
    """One connection to the daemon."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._number = 0
        self.last_event = 0

    async def ask(self, verb: str, **args: Any) -> None:
        self._number += 1
        self._writer.write(request_line(self._number, verb, args))
        await self._writer.drain()

    async def hear(self) -> _Said:
        """The next line. Raises `Unreachable` when there is none, and the error the daemon says."""
        try:
            line = await self._reader.readline()
        except ValueError:
            raise Broken("the daemon's line has no end", "restart it: hpc daemon restart") from None
        if not line.endswith(b"\n"):
            raise Unreachable("the daemon went away", "hpc daemon status")
        try:
            said = _said(line)
        except msgspec.DecodeError as error:
            raise Broken(
                f"the daemon's line makes no sense: {error}", "restart it: hpc daemon restart"
            ) from None
        if said.error is not None:
            raise error_of(said.error)
        return said


@contextlib.asynccontextmanager
async def _connected(path: str) -> AsyncIterator[_Wire]:
    reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST_LINE)
    try:
        wire = _Wire(reader, writer)
        await wire.ask("hello")
        hello = (await wire.hear()).ok
        if hello.get("protocol") != PROTOCOL:
            raise Refused("the daemon speaks another protocol", "hpc daemon restart")
        wire.last_event = hello["last_event"]
        yield wire
    finally:
        writer.close()


def _moment(event: msgspec.Raw) -> Moment:
    line = bytes(event)
    read = _event(line)
    return Moment(read.seq, read.job, line)
