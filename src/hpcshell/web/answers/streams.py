"""What is made bit by bit from the store, sent as it is made.

return await streamed(context, lambda connection: runs_table(...), "runs.csv", TYPES["csv"])
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

from litestar.response import Stream
from sqlalchemy import Connection

from hpcshell.core.errors import NotYet
from hpcshell.web.answers.downloads import disposition
from hpcshell.web.context import STREAMS, Context

LEAST: Final = 1 << 16
"""Bytes that are sent at once, but for the last."""

Making = Callable[[Connection], Iterator[bytes]]


async def streamed(context: Context, making: Making, name: str, kind: str) -> Stream:
    """An answer with these bytes, to be saved under a name. Raises what the making of the first of
    them does, and `NotYet` where too many are being made."""
    taken = context.streams.acquire(blocking=False)
    if not taken:
        raise NotYet(f"{STREAMS} exports are being made already", "try again when one has ended")
    source = _Source(context)
    try:
        first = await context.work(source.begin, making)
    except BaseException:  # also where whoever asked is gone: what is held is let go of
        await context.work(source.close)
        raise
    headers = {"Content-Disposition": disposition(name), "Content-Type": kind}
    return Stream(_blocks(context, source, first), headers=headers)


class _Source:
    """The bytes, and what has to be let go of when they have been taken."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._held = contextlib.ExitStack()
        self._held.callback(context.streams.release)
        self._bytes: Iterator[bytes] = iter(())

    def begin(self, making: Making) -> bytes:
        """Begin, and take the first of the bytes."""
        connection = self._held.enter_context(self._context.store.reading())
        self._bytes = making(connection)
        return self.take()

    def take(self) -> bytes:
        """The next bytes; none at the end."""
        block = bytearray()
        for piece in self._bytes:
            block += piece
            if len(block) >= LEAST:
                break
        return bytes(block)

    def close(self) -> None:
        self._held.close()

    def __del__(self) -> None:  # where the client was gone before it began
        self._held.close()


async def _blocks(context: Context, source: _Source, first: bytes) -> AsyncIterator[bytes]:
    block = first
    try:
        while block:
            yield block
            block = await context.work(source.take)
    finally:
        source.close()
