"""One spool file on its way to a server: what is to be sent next, and what an answer means.

The server says how far it has taken the file in, and it alone counts: after anything that was not
an answer the same bytes are sent again, and the server passes over what it knows.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from hpcshell.core.records import Record
from hpcshell.track.client.wire import Answer, Failure, Server, nobody_there

BATCH: Final = 256 << 10
"""Bytes of a request, more only where one line has more."""
LONGEST_LINE: Final = 32 << 20
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
LONGEST_ASKED: Final = 600.0
"""Seconds to wait at most, whatever a server asks for."""


class Step(Record, frozen=True, kw_only=True):
    """What one try has come to. `pause` None: go on at once; `over`: it is of no use to go on."""

    moved: bool = False
    pause: float | None = None
    over: bool = False
    trouble: str = ""


class Delivery:
    """A file, by an open descriptor of it, and how far the server has it."""

    def __init__(
        self,
        descriptor: int,
        source: str,
        server: Server,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self.offset = 0
        self.bad = 0
        """Lines that the server could not read."""
        self._descriptor = descriptor
        self._source = source
        self._server = server
        self._batch = BATCH
        self._failures = 0
        self._chance = chance or random.random

    @property
    def waiting(self) -> int:
        """Bytes of the file that the server has not taken in."""
        return max(0, os.fstat(self._descriptor).st_size - self.offset)

    @property
    def failures(self) -> int:
        """How often in a row the server was of no use."""
        return self._failures

    def ask(self) -> Step:
        """Learn how far the server has a file that somebody sent before us. From one that does not
        understand the question we learn it as we send."""
        size = os.fstat(self._descriptor).st_size
        try:
            answer = self._server.post(self._path(size), b"")
        except Failure as error:
            return self._later(nobody_there(error))
        if answer.status == 429 or answer.status >= 500:
            return self._later(f"{answer.status} {answer.said}", answer.retry_after)
        if answer.offset is not None and answer.offset <= size:
            self.offset = answer.offset
        return Step(moved=True)

    def step(self) -> Step:
        """Send what comes next, if there is any."""
        try:
            body = self._next()
        except OSError as error:
            return self._later(f"the file cannot be read: {error.strerror}")
        if not body:
            return self._nothing()
        try:
            answer = self._server.post(self._path(self.offset), body)
        except Failure as error:
            return self._later(nobody_there(error))
        return self._heard(answer, body)

    def _nothing(self) -> Step:
        """There is no whole line; one that is too long would be waited for for ever."""
        if self.waiting < LONGEST_LINE:
            return Step()
        return Step(over=True, trouble=f"a line has more than {LONGEST_LINE >> 20} MiB")

    def _next(self) -> bytes:
        """Whole lines, a batch of them at the most; one that is longer goes alone. Nothing where no
        line is complete."""
        size = self._batch
        while True:
            found = os.pread(self._descriptor, size, self.offset)
            end = (found.rfind(b"\n") if size == self._batch else found.find(b"\n")) + 1
            if end or len(found) < size or size >= LONGEST_LINE:
                return found[:end]
            size *= 2

    def _path(self, offset: int) -> str:
        return f"/api/v1/ingest?source={quote(self._source, safe='')}&offset={offset}"

    def _heard(self, answer: Answer, body: bytes) -> Step:
        if answer.status in (200, 201, 409) and answer.offset is not None:
            return self._moved(answer)
        if answer.status == 413 and self._smaller(body):
            return Step(moved=True)
        said = f"{answer.status} {answer.said}"
        if answer.status in (408, 409, 425, 429) or answer.status >= 500 or answer.status < 300:
            return self._later(said, answer.retry_after)
        return Step(over=True, trouble=said)

    def _moved(self, answer: Answer) -> Step:
        offset = answer.offset or 0
        if offset > os.fstat(self._descriptor).st_size:
            return Step(over=True, trouble="the server has more of this file than there is of it")
        moved, self.offset = offset != self.offset, offset
        self.bad += answer.bad
        if not moved:
            return self._later("the server takes nothing in")
        self._failures = 0
        return Step(moved=True)

    def _smaller(self, body: bytes) -> bool:
        if body.count(b"\n") < 2:
            return False
        self._batch = max(1, min(self._batch, len(body)) // 2)
        return True

    def _later(self, trouble: str, asked: float | None = None) -> Step:
        """Wait twice as long as the time before, give or take, or as long as the server says."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures, 10))
        self._failures += 1
        pause *= 0.5 + self._chance()
        if asked is not None:
            pause = max(min(asked, LONGEST_ASKED), 0.05)
        return Step(pause=pause, trouble=trouble)
