"""One answer for all who ask the same at the same time, and for a moment after."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, NamedTuple

REUSED: Final = 0.25
"""Seconds for which an answer is given again."""
KEPT: Final = 500
"""So many different answers at most,"""
LARGEST: Final = 32 << 20
"""and bytes of them: those of pages are some 100 kB."""


class _Kept(NamedTuple):
    answer: Any
    until: float
    version: Hashable


class Shared:
    """Answers to questions that change nothing. For the loop that it is used in, and no thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._flights: dict[tuple[Hashable, Hashable], asyncio.Task[Any]] = {}
        self._kept: dict[Hashable, _Kept] = {}
        self._size = 0

    async def answer(
        self, key: Hashable, ask: Callable[[], Awaitable[Any]], version: Hashable = None
    ) -> Any:
        """What `ask` answers, or answered to somebody with the same key a moment ago. Its errors
        go to all who wait for it, and are not kept. `version`: of what it is about, as far as that
        is known; an answer of another one is not given."""
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept.until and kept.version == version:
            return kept.answer
        flight = self._flights.get((key, version))
        if flight is None:
            flight = asyncio.ensure_future(self._fly(ask))
            self._flights[key, version] = flight
            flight.add_done_callback(lambda done: self._landed(key, version, done))
        return await asyncio.shield(flight)

    async def _fly(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        return await ask()

    def _landed(self, key: Hashable, version: Hashable, flight: asyncio.Task[Any]) -> None:
        current = self._flights.get((key, version)) is flight
        if current:
            del self._flights[key, version]
        if flight.cancelled() or flight.exception() is not None or not current:
            return
        self._keep(key, _Kept(flight.result(), self._clock() + REUSED, version))

    def _keep(self, key: Hashable, new: _Kept) -> None:
        before = self._kept.pop(key, None)
        self._size += _size(new) - (0 if before is None else _size(before))
        if len(self._kept) >= KEPT or self._size > LARGEST:
            self._kept.clear()
            self._size = _size(new)
        self._kept[key] = new

    def changed(self) -> None:
        """Somebody changed something: whoever asks from now on gets an answer that knows it."""
        self._kept.clear()
        self._size = 0
        self._flights.clear()


class Latest:
    """What one question was answered last, or the error that came of it, for some seconds: asked
    however often, it is looked into no more often than that. For one loop, as `Shared`."""

    def __init__(self, fresh: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fresh = fresh
        self._clock = clock
        self._until = -math.inf
        self._said: Any = None
        self._flight: asyncio.Task[None] | None = None

    async def answer(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What `ask` answers, or answered. Whoever stops waiting does not stop it."""
        if self._clock() >= self._until:
            if self._flight is None:
                self._flight = asyncio.ensure_future(self._fly(ask))
            await asyncio.shield(self._flight)
        if isinstance(self._said, Exception):
            raise self._said.with_traceback(None)
        return self._said

    async def _fly(self, ask: Callable[[], Awaitable[Any]]) -> None:
        try:
            self._said = await ask()
        except Exception as error:
            self._said = error
        finally:
            self._until = self._clock() + self._fresh
            self._flight = None


def _size(kept: _Kept) -> int:
    return len(kept.answer) if isinstance(kept.answer, bytes) else 0
