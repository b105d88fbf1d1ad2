"""The thread beside a training: heartbeats into the spool file, and the file to the server."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Final

from hpcshell.track.client import lines, say
from hpcshell.track.client.spool import Spool, spool_files

if TYPE_CHECKING:
    from hpcshell.track.client.addresses import Target
    from hpcshell.track.client.delivery import Delivery, Step
    from hpcshell.track.client.wire import Server

PACE: Final = 1.0
"""Seconds between looks at the file."""
LOOK: Final = 10.0
"""Seconds between looks for the files of forked children."""
HOPELESS: Final = 2
"""Failures in a row after which the end of a run does not wait for the server."""


class SpoolCourier(threading.Thread):
    """Ends with the process, whatever it is doing."""

    def __init__(self, spool: Spool, target: Target | None) -> None:
        super().__init__(name="hpcshell-track", daemon=True)
        self._spool = spool
        self._target = target
        self._descriptor = os.dup(spool.descriptor)  # that of the run is closed at its end
        self._wake = threading.Event()
        self._done = threading.Event()
        self._deadline: float | None = None
        self._family = False
        self._server: Server | None = None
        self._deliveries: dict[str, Delivery] = {}
        self._children: list[int] = []
        self._resume = 0.0
        self._stopped = target is None
        self._beat = self._looked = time.monotonic()

    def finish(self, patience: float) -> None:
        self._deadline = time.monotonic() + patience
        self._wake.set()
        if self.is_alive():
            self._done.wait(patience)

    def abandon(self) -> None:
        for descriptor in (self._descriptor, *self._children):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def look_for_children(self) -> None:
        self._family = True

    # -------------------------------------------------------------------------------- the thread

    def run(self) -> None:
        try:
            every = _heartbeat()
            while self._deadline is None:
                self._turn(every)
                self._wake.wait(PACE)
            self._last_turn()
        except Exception as error:  # a defect of ours is never one of the training
            say.once(
                "courier",
                f"the tracker's thread failed: {type(error).__name__}: {error}. {self._kept}",
            )
        finally:
            for descriptor in (self._descriptor, *self._children):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            if self._server is not None:
                self._server.close()
            self._done.set()

    def _turn(self, every: float) -> None:
        now = time.monotonic()
        self._spool.retry()
        if now >= self._beat + every:
            self._beat = now
            self._spool.write(lines.line("h", t=time.time()))
        if self._family and not self._stopped and now >= self._looked + LOOK:
            self._looked = now
            self._adopt()
        if now >= self._resume:
            self._send()

    def _last_turn(self) -> None:
        """Until all is delivered, or there is no more time or hope."""
        self._spool.retry()
        if self._family and not self._stopped:
            self._adopt()
        deadline = self._deadline or 0.0
        self._resume = 0.0
        while not self._stopped and time.monotonic() < deadline:
            if self._send():
                self._remove()
                return
            if any(each.failures >= HOPELESS for each in self._deliveries.values()):
                return
            time.sleep(max(0.0, min(self._resume, deadline) - time.monotonic()))

    def _send(self) -> bool:
        """Send what there is; whether all is delivered."""
        for delivery in self._all():
            while not self._stopped:
                step = delivery.step()
                self._hear(step, delivery)
                if step.pause is not None:
                    self._resume = time.monotonic() + step.pause
                    return False
                if not step.moved:
                    break
        return not self._stopped

    def _all(self) -> list[Delivery]:
        if self._stopped:
            return []
        if not self._deliveries:
            self._deliveries[self._spool.path] = self._delivery(
                self._descriptor, self._spool.source
            )
        return list(self._deliveries.values())

    def _delivery(self, descriptor: int, source: str) -> Delivery:
        from hpcshell.track.client.delivery import Delivery
        from hpcshell.track.client.wire import Server

        assert self._target is not None
        self._server = self._server or Server(self._target)
        return Delivery(descriptor, source, self._server)

    def _hear(self, step: Step, delivery: Delivery) -> None:
        where = self._target.shown if self._target else ""
        if step.over:
            self._stopped = True
            say.once(
                f"over {where}", f"the tracker at {where} refuses: {step.trouble}. {self._kept}"
            )
        elif step.trouble:
            say.once(
                f"away {where}",
                f"no word from the tracker at {where}: {step.trouble}. what is logged stays in"
                f" {self._spool.path}",
            )
        elif delivery.bad:
            say.once(f"bad {where}", f"the tracker at {where} could not read some lines of ours")

    def _adopt(self) -> None:
        """Find the files of forked children: they are called as ours is, but for 8 digits."""
        ours = self._spool.path
        with contextlib.suppress(OSError):
            for path in spool_files(os.path.dirname(ours)):
                if path in self._deliveries or path[:-14] != ours[:-14] or path == ours:
                    continue
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                self._children.append(descriptor)
                source = os.path.basename(path).removesuffix(".jsonl")
                self._deliveries[path] = self._delivery(descriptor, source)

    def _remove(self) -> None:
        """The server has all of it on its disk, unless something was written meanwhile."""
        if not self._spool.remove(self._deliveries[self._spool.path].offset):
            say.once("rest", f"the tracker does not have all that was logged. {self._kept}")

    @property
    def _kept(self) -> str:
        """Where all is, and what to do with it."""
        where = self._spool.path
        return (
            f"what is logged stays in {where}; later: hpc track sync --url ..."
            f" {os.path.dirname(where)}"
        )


def _heartbeat() -> float:
    """Seconds between heartbeats, by the configuration; what it is by default if that is broken."""
    from hpcshell.core.settings_web import TrackSettings

    try:
        from hpcshell.machine.configfiles import user_settings
        from hpcshell.machine.paths import places

        loaded = user_settings(places(os.environ), os.environ, os.getcwd())
        return loaded.settings.track.heartbeat
    except Exception as error:  # whatever is wrong with it, training goes on
        usual = TrackSettings().heartbeat
        say.once(
            "heartbeat",
            f"the configuration is not read ({type(error).__name__}: {error}): a sign of life every"
            f" {usual:g} s",
        )
        return usual
