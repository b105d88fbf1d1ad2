"""A file that arrives as the body of a request, and what is kept of it in the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from litestar import Request

from hpcshell.track.artifacts import Stored, Upload
from hpcshell.web.context import Context

BLOCK: Final = 1 << 20
"""Bytes that are written at once."""

T = TypeVar("T")


async def uploaded(
    request: Request[Any, Any, Any],
    context: Context,
    owner: str,
    path: str,
    keep: Callable[[Stored], T],
) -> T:
    """Take the body in as this file of the owner's, and give what `keep` gives, which runs in a
    thread once the file is there. Whoever uploads the same comes after."""
    arriving = await context.work(context.artifacts.begin, owner, path, _length(request))
    try:
        stored = await _received(request, context, arriving)
        return await context.work(_place, context, arriving, stored, keep)
    except BaseException:  # also where whoever sent it is gone: no half of a file stays
        await context.work(arriving.abandon)
        raise


def _length(request: Request[Any, Any, Any]) -> int | None:
    said = request.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() else None


async def _received(request: Request[Any, Any, Any], context: Context, arriving: Upload) -> Stored:
    block = bytearray()
    async for piece in request.stream():
        block += piece
        if len(block) >= BLOCK:
            await context.work(arriving.write, bytes(block))
            block.clear()
    await context.work(arriving.write, bytes(block))
    return await context.work(arriving.seal)


def _place(context: Context, arriving: Upload, stored: Stored, keep: Callable[[Stored], T]) -> T:
    with context.artifacts.placing:
        arriving.place()
        return keep(stored)
