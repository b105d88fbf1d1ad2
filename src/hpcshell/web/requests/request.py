"""Requests whose JSON may hold what JSON has no word for.

    @post("/runs/{run_id:str}/metrics", request_class=Tolerant)

The bare `NaN`, `Infinity` and `-Infinity` that Python's own encoder writes are read as the words
`"NaN"`, `"Infinity"` and `"-Infinity"`, in which the tracker says them itself.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from litestar import Request

from hpcshell.core.errors import Wrong

_BARE = (b"NaN", b"Infinity")


class Tolerant(Request[Any, Any, Any]):
    """A request whose numbers may be none."""

    async def json(self) -> Any:
        """The document of the body. Raises `Wrong`."""
        return read(await self.body())


def read(body: bytes) -> Any:
    """The document that these bytes say. Raises `Wrong`."""
    try:
        return msgspec.json.decode(body or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if not any(word in body for word in _BARE):
            raise Wrong(f"the body is no JSON: {error}", "send a JSON document") from None
    try:
        found = json.loads(body, parse_constant=str)
        msgspec.json.encode(found)  # half characters can be kept nowhere
    except (ValueError, RecursionError) as error:
        raise Wrong(f"the body is no JSON: {error}", "send a JSON document") from None
    return found
