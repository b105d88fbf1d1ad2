"""A job's output as it is written, until the job has ended."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator
from typing import Final

from hpcshell.core.errors import HpcError, NotFound, Unreachable
from hpcshell.web.context import Context
from hpcshell.web.events.hub import Listener
from hpcshell.web.events.sse import AGAIN, ALIVE, COMMENT, event, failed
from hpcshell.web.jobs import logs
from hpcshell.web.jobs.logs import PIECE, Log, Row

LIVE: Final = frozenset({"PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "UNKNOWN"})
SHORTEST: Final = 0.05
LONGEST: Final = 1.0
"""Seconds between two looks at a file of this machine: while it grows, and while it does not."""
FAR: Final = 5.0
"""The same of a file on a cluster."""
ASKED_AGAIN: Final = 30.0
"""Seconds after which the scheduler is asked though nothing was heard of the job."""


class Following:
    """One listener of one file. `place` is the byte at which it goes on."""

    def __init__(
        self, context: Context, id: str, on: str | None, stream: str, since: int | None = None
    ) -> None:
        self._context = context
        self._id = id
        self._on = on
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._news: Listener = context.hub.listener(since)
        self._mark: int | None = None
        self.place = 0

    async def events(self, row: Row, place: int | None, lines: int | None) -> AsyncIterator[bytes]:
        """Pieces of text, each with the offset behind it; at last `end`, with how the job ended."""
        yield AGAIN
        pause = SHORTEST
        now = asyncio.get_running_loop().time
        if place is None and lines is not None and row["run"]:
            place = await self._context.work(self._start, row, lines)
        self.place = place or 0
        asked = quiet = now()
        try:
            while True:
                over = row["state"] not in LIVE
                async for piece in self._pieces(row):
                    quiet, pause = now(), SHORTEST
                    yield piece
                if over:
                    yield event(row, kind="end")
                    return
                if now() - quiet >= ALIVE:
                    quiet = now()
                    yield COMMENT
                stirred = await self._wait(row, pause)
                pause = min(pause * 1.5, LONGEST)
                if stirred or now() - asked >= (FAR if row.get("cluster") else ASKED_AGAIN):
                    asked, row = now(), await self._row(row)
        except HpcError as error:
            yield failed(error)

    def _start(self, row: Row, lines: int) -> int:
        log = logs.opened(row, self._stream)
        try:
            return log.start_of_last(lines)
        finally:
            log.close()

    async def _row(self, before: Row) -> Row:
        try:
            return await self._context.work(logs.row_of, self._id, self._on)
        except Unreachable:  # it is restarted, or the cluster is silent: the files are still there
            return before

    async def _wait(self, row: Row, pause: float) -> bool:
        """Until the file is to be looked at again; whether something happened to the job."""
        if row.get("cluster"):
            await asyncio.sleep(FAR)
            return False
        moments = await self._news.take(pause)
        if not any(moment.job == row["id"] for moment in moments):
            if moments:
                await asyncio.sleep(SHORTEST)
            return False
        return True

    async def _pieces(self, row: Row) -> AsyncIterator[bytes]:
        """What is new in the file."""
        if not row["run"]:
            return
        try:
            log: Log = await self._context.work(logs.opened, row, self._stream)
        except NotFound:  # it is not written before something is
            return
        try:
            if log.size < self.place or self._mark not in (None, log.mark):
                self.place = 0
                self._decoder.reset()
                yield event({"place": 0}, id=0, kind="again")
            self._mark = log.mark
            while self.place < log.size:
                chunk = await self._context.work(log.read, self.place, PIECE)
                if not chunk:
                    break
                self.place += len(chunk)
                text = self._decoder.decode(chunk)
                behind = self.place - len(self._decoder.getstate()[0])
                yield event({"text": text}, id=behind)
        finally:
            log.close()
