"""The scheduler's end of the sampler's pipe. Nothing here waits for a driver.

    feed = Feed(settings, places.state)
    feed.open()                  start the sampler, where there is anything to ask
    feed.first(2.0)              the first survey, if it comes that soon
    selector.register(feed.descriptor, EVENT_READ, ...)
                                 one descriptor for as long as the feed lives
    for survey in feed.take():   never blocks
    feed.tend(clock.monotonic()) at `feed.next_wake` at the latest, then `take` once more
    feed.close()

What is wrong is said in a survey of its own (`Survey.trouble`), once of each sampler; the cards
that are known stay known in it, and each has a trouble. A sampler that is silent is killed, and not
waited for: a process that is stuck in a driver only dies once it is let go.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Final

from msgspec.structs import replace

from hpcshell.core.errors import Broken
from hpcshell.core.gpus import Reading, Survey
from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.machine import clock
from hpcshell.machine.gpus.child import Child
from hpcshell.machine.gpus.choosing import NO_DRIVER, chosen
from hpcshell.machine.processes import await_ends

SILENCE: Final = 10.0
"""Seconds without a survey that are always forgiven."""
INTERVALS: Final = 3
"""So many intervals without a survey are forgiven, too."""
AWAKENING: Final = 60.0
"""Seconds a sampler may take for its first survey before it is killed: a driver that nobody has
open sets up its cards first, one after the other. That it is silent is said sooner."""
LONGEST_PAUSE: Final = 300.0
PARTING: Final = 0.2
"""Seconds a sampler gets to be dead when the feed is closed, so that it can be reaped."""
STUCK: Final = 3
"""While so many that were killed have not died no further one is started."""


class Feed:
    """Surveys from a sampler, and from here where it has none to give. Instants are monotonic."""

    def __init__(self, settings: GpuSettings, state: str) -> None:
        self._settings = settings
        self._state = state
        self._provider = ""
        self._watched = select.epoll()
        self._child: Child | None = None
        self._killed: list[int] = []
        self._surveys: list[Survey] = []
        self._known: Survey | None = None
        """The last survey with cards."""
        self._heard = 0.0
        """When the last survey came, of whichever sampler; before there was one, the beginning."""
        self._silent = False
        self._pause = 0.0
        self._again: float | None = None
        """When the next sampler is to be started."""

    @property
    def descriptor(self) -> int:
        """Readable when `take` has something to read."""
        return self._watched.fileno()

    @property
    def next_wake(self) -> float | None:
        """When `tend` has something to do if nothing is heard; None: never."""
        if self._child is None:
            return self._again
        return self._child.heard + self._patience(self._child, self._silent)

    def open(self) -> None:
        """Start the sampler, or say why there is nothing to ask."""
        self._provider = chosen(self._settings.provider)
        self._heard = clock.monotonic()
        if not self._provider:
            self._say(NO_DRIVER)
        elif self._provider != "none":
            self._start(clock.monotonic())

    def first(self, patience: float) -> Survey | None:
        """The first survey, waiting so many seconds for it at most; it is not taken again."""
        until = clock.monotonic() + patience
        while self._child is not None and not self._surveys:
            left = until - clock.monotonic()
            if left <= 0:
                return None
            self._watched.poll(left)
            self._read()
        return self._surveys.pop(0) if self._surveys else None

    def take(self) -> list[Survey]:
        """The surveys there are by now, each once, in their order."""
        self._read()
        taken, self._surveys = self._surveys, []
        return taken

    def tend(self, now: float) -> None:
        """Notice that the sampler is silent, and start another when it is time."""
        self._bury()
        self._read()
        child = self._child
        if child is None:
            if self._again is not None and now >= self._again:
                self._start(now)
            return
        silence = now - child.heard
        if not self._silent and silence >= self._patience(child):
            self._silent = True
            last = clock.now() - (now - self._heard)
            since = time.strftime("%H:%M:%S", time.localtime(last))
            self._say(f"the driver has not answered since {since}")
        if self._silent and silence >= self._patience(child, final=True):
            self._end(child)
            self._start_later(now)

    def close(self) -> None:
        """End the sampler."""
        if self._child is not None:
            self._end(self._child)
        await_ends(self._killed, PARTING)
        self._bury()
        self._watched.close()

    def _start(self, now: float) -> None:
        self._again, self._silent = None, False
        if len(self._killed) >= STUCK:
            self._start_later(now)
            return
        try:
            self._child = Child(self._provider, self._settings, self._state)
        except (Broken, OSError) as error:
            why = error.message if isinstance(error, Broken) else error.strerror
            self._say(f"the cards cannot be asked: {why}")
            self._start_later(now)
        else:
            self._watched.register(self._child.pipe, select.EPOLLIN)

    def _start_later(self, now: float) -> None:
        self._pause = min(max(2 * self._pause, self._settings.interval, 1.0), LONGEST_PAUSE)
        self._again = now + self._pause

    def _end(self, child: Child) -> None:
        self._watched.unregister(child.pipe)
        child.kill()
        self._killed.append(child.pid)
        self._child = None

    def _bury(self) -> None:
        """Reap those that have died by now."""
        for pid in self._killed[:]:
            with contextlib.suppress(ChildProcessError):
                if not os.waitpid(pid, os.WNOHANG)[0]:
                    continue
            self._killed.remove(pid)

    def _read(self) -> None:
        child = self._child
        if child is None:
            return
        for survey in child.read():
            self._hear(survey)
        if child.count > 1:
            self._pause = 0.0
        if child.garbled:
            self._fail(child, "the sampler of the cards says what cannot be read")
        elif child.ended:
            self._ended(child)

    def _hear(self, survey: Survey) -> None:
        self._heard, self._silent = clock.monotonic(), False
        if survey.cards:
            self._known = survey
        if survey.cards or self._known is None:
            self._surveys.append(survey)
        else:
            self._say(survey.trouble)

    def _ended(self, child: Child) -> None:
        """It has ended by itself: there is nobody to ask, and it has said so, or it has died."""
        if child.last is None or child.last.cards:
            self._fail(child, "the sampler of the cards has died")
            return
        self._end(child)
        if self._known is not None:
            self._start_later(clock.monotonic())
        elif self._settings.provider != "auto":
            self._again = clock.monotonic() + LONGEST_PAUSE

    def _fail(self, child: Child, why: str) -> None:
        self._end(child)
        self._say(why)
        self._start_later(clock.monotonic())

    def _say(self, trouble: str) -> None:
        """A survey of ours."""
        provider = self._provider or self._settings.provider
        last = self._known or Survey(provider=provider, time=0.0)
        readings = tuple(
            Reading(uuid=reading.uuid, xid=reading.xid, trouble=trouble)
            for reading in last.readings
        )
        said = replace(last, time=clock.now(), readings=readings, trouble=trouble)
        self._surveys.append(said)

    def _patience(self, child: Child, final: bool = False) -> float:
        """Seconds of silence until it is said, or (`final`) until the sampler is killed."""
        usual = max(INTERVALS * self._settings.interval, SILENCE)
        return max(usual, AWAKENING) if final and not child.count else usual
