"""Orders that change with time, or with what others use, are asked for again: often enough, and
never for more than a fiftieth of the time, however much waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hpcshell.daemon.engine import Engine
from hpcshell.machine import clock

SHARE: Final = 0.02
"""The part of the time that may be spent on it."""
BURST: Final = 0.1
"""Seconds of it that may have been saved up: a short queue is put in order whenever it is asked."""


class Reranking:
    """`rung`: it is time, though nothing has happened. `after` sets an alarm."""

    def __init__(self, after: Callable[[float, Callable[[], None]], None]) -> None:
        self._after = after
        self._credit = BURST
        self._seen = clock.monotonic()
        self._last: float | None = None
        self._awaited = False
        self.rung = False

    def renew(self, engine: Engine, now: float) -> None:
        """Ask for all ranks again if they may be out of date; `engine.dirty` if any changed."""
        self.rung = False
        if not engine.regime.timely or engine.view.queue.foremost() is None:
            return
        moment, age = clock.monotonic(), engine.host.settings.scheduler.rerank
        self._credit = min(BURST, self._credit + SHARE * (moment - self._seen))
        self._seen = moment
        if self._last is not None and moment < self._last + age:
            self._await(self._last + age - moment)
        elif self._credit <= 0:
            self._await(-self._credit / SHARE + SHARE)
        else:
            self._renew(engine, now)
            self._last = moment
            self._credit -= clock.monotonic() - moment
            if age:
                self._await(age)

    def _renew(self, engine: Engine, now: float) -> None:
        engine.view.advance(now)
        if engine.view.rerank():
            engine.dirty = True

    def _await(self, seconds: float) -> None:
        if not self._awaited:
            self._awaited = True
            self._after(seconds, self._ring)

    def _ring(self) -> None:
        self._awaited, self.rung = False, True
