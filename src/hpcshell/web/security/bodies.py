"""The body of a request, taken in within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from hpcshell.core.settings_web import WebSettings
from hpcshell.web.requests.errors import Slow, Unsupported
from hpcshell.web.security import limits
from hpcshell.web.security.heads import Head

JSON: Final = b"application/json"
"""What a body is that does not say it."""

LARGE: Final = 1 << 20
"""Bytes of a body that is looked through in a thread: others would have to wait meanwhile."""

Receive = Callable[[], Awaitable[Any]]


async def taken_in(
    head: Head, receive: Receive, web: WebSettings, *, known: bool
) -> tuple[Receive, bytes | None]:
    """What the route is to receive instead, and the body where all of it is here. `known`: we know
    who sends it. Raises `TooLarge`, `Unsupported`, `Slow` and `Wrong`."""
    if b"content-length" not in head.headers and b"transfer-encoding" not in head.headers:
        return receive, b""
    most = limits.largest(head, web, known)
    limits.check_length(head, most)
    if limits.streamed(head):
        return _counted(head, receive, most, web.request_timeout), None
    try:
        body = await asyncio.wait_for(_whole(receive, most), web.request_timeout)
    except TimeoutError:
        raise _slow() from None
    if encoding := head.headers.get(b"content-encoding"):
        body = await asyncio.to_thread(limits.unpacked, body, encoding, most)
    kind = head.headers.get(b"content-type", JSON).partition(b";")[0].strip().lower()
    if kind.endswith(b"json") and not kind.endswith(b"ndjson"):  # that is lines of it
        if len(body) > LARGE:
            await asyncio.to_thread(limits.check_depth, body)
        else:
            limits.check_depth(body)
    return _again(body, receive), body


async def _whole(receive: Receive, most: int) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionResetError("the client has gone")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise limits.too_large(most)
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _counted(head: Head, receive: Receive, most: int, patience: float) -> Receive:
    if head.headers.get(b"content-encoding", b"identity") != b"identity":
        raise Unsupported("an upload is kept as it is sent", "send it without Content-Encoding")
    size, more = 0, True

    async def counted() -> Any:
        nonlocal size, more
        if not more:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), patience)
        except TimeoutError:
            raise _slow() from None
        size += len(message.get("body", b""))
        if size > most:
            raise limits.too_large(most)
        more = message.get("more_body", False)
        return message

    return counted


def _slow() -> Slow:
    return Slow("the body took too long to arrive", "send it faster, or in smaller parts")
