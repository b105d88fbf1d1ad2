"""One answer for all who ask the same at the same time, and for a moment after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, NamedTuple

REUSED: Final = 0.25
"""Seconds for which an answer is given again."""
KEPT: Final = 500
"""So many different answers at most: those of pages are some 100 kB."""


class _Kept(NamedTuple):
    answer: Any
    until: float


class Shared:
    """Answers to questions that change nothing. For the loop that it is used in, and no thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._flights: dict[Hashable, asyncio.Task[Any]] = {}
        self._kept: dict[Hashable, _Kept] = {}

    async def answer(self, key: Hashable, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What `ask` answers, or answered to somebody with the same key a moment ago. Its errors
        go to all who wait for it, and are not kept."""
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept.until:
            return kept.answer
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(self._fly(key, ask))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    async def _fly(self, key: Hashable, ask: Callable[[], Awaitable[Any]]) -> Any:
        return await ask()

    def _landed(self, key: Hashable, flight: asyncio.Task[Any]) -> None:
        current = self._flights.get(key) is flight
        if current:
            del self._flights[key]
        if flight.cancelled() or flight.exception() is not None or not current:
            return
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[key] = _Kept(flight.result(), self._clock() + REUSED)

    def changed(self) -> None:
        """Somebody changed something: whoever asks from now on gets an answer that knows it."""
        self._kept.clear()
        self._flights.clear()
