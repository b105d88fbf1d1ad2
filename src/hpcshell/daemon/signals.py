"""Signals, as something the loop can read."""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Callable
from typing import Final

HEEDED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Tells of each signal by its number, when the loop comes round. For the main thread alone."""

    def __init__(self, selector: selectors.BaseSelector, caught: Callable[[int], None]) -> None:
        self._caught = caught
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        selector.register(self._ours, selectors.EVENT_READ, self._read)
        for number in HEEDED:
            signal.signal(number, lambda *_: None)

    def _read(self) -> None:
        for number in self._ours.recv(64):
            self._caught(number)
