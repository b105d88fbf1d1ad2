"""The runner's link among what the loop watches."""

from __future__ import annotations

import selectors
from collections.abc import Iterable

from hpcshell.core.errors import HpcError
from hpcshell.daemon.alarms import Alarms
from hpcshell.daemon.runner import wire
from hpcshell.daemon.runner.link import RunnerLink
from hpcshell.machine import clock
from hpcshell.machine.logfile import LogFile

NO_RUNNER_RETRY = 1.0
YOUNG = 1.0
"""Seconds; a connection that broke sooner says that the runner cannot live, so that the next one is
waited for."""
LONGEST_PAUSE = 5.0


class Attachment:
    """Keeps a connection to the runner open and its descriptor registered, as `self`."""

    def __init__(
        self, link: RunnerLink, selector: selectors.BaseSelector, alarms: Alarms, log: LogFile
    ) -> None:
        self.link = link
        self.selector = selector
        self.alarms = alarms
        self.log = log
        self._descriptor = -1
        self._events = selectors.EVENT_READ
        self.silent_since: float | None = clock.monotonic()
        """Since when no runner has said anything, over however many connections; None: one does."""
        self._awaited = False
        self._opened = -YOUNG
        self._pause = 0.0

    def open(self) -> None:
        """Connect, now or as soon as it can be done."""
        self._awaited = False
        wait = self.link.retry_after
        try:
            opened = self.link.open()
        except (HpcError, OSError) as error:  # no descriptors, a full disk: the queue lives on
            self.log.write("error", "no runner", error=str(error))
            opened, wait = False, NO_RUNNER_RETRY
        if not opened:
            self._open_in(wait)
            return
        self._opened = clock.monotonic()
        self._descriptor, self._events = self.link.fileno(), selectors.EVENT_READ
        self.selector.register(self._descriptor, selectors.EVENT_READ, self)

    def hear(self, mask: int) -> list[wire.AnyEvent]:
        """What the runner has said."""
        if mask & selectors.EVENT_WRITE:
            self.link.flush()
        heard = self.link.receive()
        if heard:
            self.silent_since = None
        self._let_go()
        return heard

    def send(self, orders: Iterable[wire.AnyOrder]) -> None:
        self.link.send(orders)
        self._let_go()

    def tend(self) -> None:
        """Connect again if the link broke; watch for room if it is full."""
        if self._descriptor < 0:
            if not self._awaited:
                self.log.write("warning", "the runner went away; connecting again")
                self._open_again()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.link.wants_write else 0)
        if wanted != self._events:
            self.selector.modify(self._descriptor, wanted, self)
            self._events = wanted

    def _open_again(self) -> None:
        """At once; after a growing pause where one runner after the other dies as it begins."""
        if clock.monotonic() >= self._opened + YOUNG:
            self._pause = 0.0
            self.open()
        else:
            self._pause = min(max(2 * self._pause, self.link.retry_after), LONGEST_PAUSE)
            self._open_in(self._pause)

    def _open_in(self, seconds: float) -> None:
        self._awaited = True
        self.alarms.after(seconds, self.open)

    def close(self) -> None:
        self.link.close()
        self._let_go()

    def _let_go(self) -> None:
        """A closed descriptor is unregistered at once: the next client may get its number."""
        if self.link.closed and self._descriptor >= 0:
            self.selector.unregister(self._descriptor)
            self._descriptor = -1
            if self.silent_since is None:
                self.silent_since = clock.monotonic()
