"""Server-sent events: how they are written, and how an answer of them is made.

What is sent as text is JSON: a stream has no way to say a carriage return otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar.params import HeaderParameter
from litestar.response import Stream

from hpcshell.core.errors import HpcError, Wrong
from hpcshell.core.words import quote

MEDIA: Final = "text/event-stream"
ALIVE: Final = 15.0
"""Seconds of silence after which it is said that the stream lives."""
COMMENT: Final = b": still here\n\n"
AGAIN: Final = b"retry: 2000\n\n"
"""Milliseconds after which a client comes back."""

LastEventId: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        required=False,
        description="the id of the last event that was received, as a browser sends it when it "
        "comes back: the stream goes on behind it",
    ),
]


def event(document: Any, *, id: int | None = None, kind: str = "") -> bytes:
    """One event. `document`: bytes are JSON already."""
    line = document if isinstance(document, bytes) else msgspec.json.encode(document)
    head = (f"event: {kind}\n" if kind else "") + (f"id: {id}\n" if id is not None else "")
    return head.encode() + b"data: " + line + b"\n\n"


def failed(error: HpcError) -> bytes:
    """That the stream cannot go on, and why."""
    told = {"kind": error.kind, "message": error.message, "hint": error.hint}
    return event(told, kind="error")


def place_in(text: str | None, what: str) -> int | None:
    """The number in a Last-Event-ID or in `since`. Raises `Wrong`."""
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Wrong(f"{what}: {quote(text)} is no number of an event", "send back the id you got")
    return int(text)


def stream(events: AsyncIterator[bytes]) -> Stream:
    """The answer that goes on."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return Stream(events, media_type=MEDIA, headers=headers)
