"""What the daemon does for itself now and then: forget old jobs, and leave when nobody needs it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection
from typing import Final

from hpcshell.core.errors import HpcError
from hpcshell.daemon.face import Daemon
from hpcshell.daemon.regimes import keep_usage
from hpcshell.daemon.server import Peer
from hpcshell.machine import clock
from hpcshell.machine.checkpoints import tidy

DAY: Final = 86400.0
FIRST: Final = 60.0
"""Seconds after its start before the daemon tidies up: a start is when people wait for it."""
USAGE_KEPT: Final = 60.0
"""Seconds between two times that it is written down what users have used."""
SLICE_PAUSE: Final = 0.05


class Upkeep:
    """Alarms of the loop that keep the store small and an idle daemon away."""

    def __init__(
        self,
        daemon: Daemon,
        peers: Collection[Peer],
        after: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self.daemon = daemon
        self.peers = peers
        self.after = after
        self.idle_since = clock.monotonic()
        after(FIRST, self.purge)
        after(FIRST, self.tidy)
        self._kept = daemon.engine.store.ids.run
        after(USAGE_KEPT, self._keep_usage_again)
        self._watch_idleness()

    def purge(self) -> None:
        """Remove a slice of the jobs that ended `history_days` ago; the next slice follows soon."""
        days = self.daemon.engine.host.settings.daemon.history_days
        if not days:
            self.after(DAY, self.purge)
            return
        try:
            purged = self.daemon.engine.store.purge(clock.now() - days * DAY)
        except HpcError as error:
            self.daemon.log.write("warning", "old jobs could not be removed", error=error.message)
            self.after(DAY, self.purge)
            return
        self.daemon.engine.remembered.forget()
        for key in purged.blobs:
            with contextlib.suppress(OSError):
                os.unlink(self.daemon.engine.host.script_path(key))
        self.after(SLICE_PAUSE if purged.more else DAY, self.purge)

    def tidy(self) -> None:
        """Remove what runs that are over left of their checkpoints."""
        engine = self.daemon.engine
        tidy(engine.host.places.checkpoints, engine.runs.keys())
        self.after(DAY, self.tidy)

    def keep_usage(self) -> None:
        """Write down what users have used, if anything has run since."""
        engine = self.daemon.engine
        last = engine.store.ids.run
        if self.daemon.trouble is not None or not (engine.runs or last != self._kept):
            return
        try:
            with engine.store.change() as change:
                keep_usage(engine, change, clock.now())
            self._kept = last
        except HpcError as error:
            self.daemon.log.write("warning", "usage could not be kept", error=error.message)

    def _keep_usage_again(self) -> None:
        self.keep_usage()
        self.after(USAGE_KEPT, self._keep_usage_again)

    def _watch_idleness(self) -> None:
        linger = self.daemon.engine.host.settings.daemon.linger
        if linger is None:
            return
        if self.daemon.engine.live or self.peers:
            self.idle_since = clock.monotonic()
        left = self.idle_since + linger - clock.monotonic()
        if left <= 0:
            self.daemon.log.write("info", "idle for long enough", seconds=linger)
            self.daemon.leave(cancel=False)
        else:
            self.after(max(left, 0.05), self._watch_idleness)
