"""When what is lent to the runner is taken back: before a change, and when it is kept too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hpcshell.daemon.answering import Request
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.succession import BRIEF, recall
from hpcshell.daemon.verbs import LOOKS
from hpcshell.machine import clock

UNTOUCHING: Final = LOOKS | {"submit", "rerun"}
"""Verbs that leave alone what is in the queue."""
PATIENCE: Final = 1.0
"""Seconds a change waits for a runner that does not answer."""


class Lent:
    """Puts off requests that change something until nothing is lent any more. `after` sets an
    alarm, so that there is a tick when one is due."""

    def __init__(self, after: Callable[[float, Callable[[], None]], None]) -> None:
        self._after = after
        self._put_off: list[Request] = []
        self._deadline = 0.0
        self._seen: set[int] = set()
        self._look_at = 0.0

    def let_pass(self, engine: Engine, asked: list[Request]) -> list[Request]:
        """The requests to deal with now, in their order."""
        if not asked and not self._put_off:
            return asked
        asked = self._put_off + asked
        self._put_off = []
        lent = engine.followers or engine.recalling
        if not lent or all(ask.verb in UNTOUCHING for _, ask in asked):
            self._deadline = 0.0
            return asked
        if not self._deadline:
            self._deadline = self._alarm(PATIENCE)
        if clock.monotonic() >= self._deadline:
            return asked
        recall(engine)
        self._put_off = asked
        return []

    def let_go(self) -> list[Request]:
        """The requests that are put off; they are not, any longer."""
        put_off, self._put_off, self._deadline = self._put_off, [], 0.0
        return put_off

    def review(self, engine: Engine) -> None:
        """Take back everything if something was lent at the last look and still is: it follows a
        run that turns out not to be brief."""
        if not engine.followers:
            self._seen.clear()
        elif not self._seen or clock.monotonic() >= self._look_at:
            lent = {run.id for run in engine.followers.values()}
            if self._seen & lent:
                recall(engine)
            self._seen, self._look_at = lent, self._alarm(BRIEF)

    def _alarm(self, seconds: float) -> float:
        self._after(seconds, lambda: None)
        return clock.monotonic() + seconds
