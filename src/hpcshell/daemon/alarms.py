"""What is to be done after a while, by the monotonic clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from hpcshell.machine import clock

LONGEST: Final = 1e6
"""Seconds the kernel is asked to sleep at most; it takes no more than 24 days."""


class Alarms:
    """Calls to be made, each once."""

    def __init__(self) -> None:
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something once, `seconds` from now."""
        self._count += 1
        heapq.heappush(self._calls, (clock.monotonic() + seconds, self._count, call))

    def ring(self) -> None:
        """Make the calls that are due."""
        while self._calls and self._calls[0][0] <= clock.monotonic():
            heapq.heappop(self._calls)[2]()

    def next_in(self) -> float | None:
        """Seconds until the next; None: never."""
        if not self._calls:
            return None
        return min(max(0.0, self._calls[0][0] - clock.monotonic()), LONGEST)
