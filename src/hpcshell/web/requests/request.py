"""Requests whose JSON is taken as it stands: "5" is no number, and 0 does not say false.

    Router("/api/v1", request_class=Strict)

Those of the tracker may also hold what JSON has no word for.

    @post("/runs/{run_id:str}/metrics", request_class=Tolerant)

The bare `NaN`, `Infinity` and `-Infinity` that Python's own encoder writes are read as the words
`"NaN"`, `"Infinity"` and `"-Infinity"`, in which the tracker says them itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request

from hpcshell.core.errors import Wrong

_BARE = (b"NaN", b"Infinity")


class Strict(Request[Any, Any, Any]):
    """A request whose body has the types that its route declares."""

    async def json(self) -> Any:
        """The body, made by its route's type where it fits that. Raises `Wrong`."""
        return self._made(await super().json())

    def _made(self, document: Any) -> Any:
        field = self.route_handler.parsed_fn_signature.parameters.get("data")
        return document if field is None else made(document, field.annotation)


class Tolerant(Strict):
    """One whose numbers may be none, too."""

    async def json(self) -> Any:
        """The same."""
        return self._made(read(await self.body()))


def made(document: Any, kind: Any) -> Any:
    """The document as this type, and as it is where it does not fit: what it lacks is told later.
    Raises `Wrong` where it would fit if texts and numbers stood for each other."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        strict = error
    try:
        found = msgspec.convert(document, kind, strict=False)
    except msgspec.ValidationError:
        return document
    if _same(document, msgspec.to_builtins(found)):
        return found  # a whole number may be written as 5.0
    raise Wrong(f"the body: {strict}", "see /docs for what is expected")


def _same(sent: Any, taken: Any) -> bool:
    """Whether something was taken for what it says. What was left out may have been filled in."""
    match sent:
        case bool() | str() | None:
            return type(sent) is type(taken)
        case Mapping():
            return all(_same(value, taken.get(name, value)) for name, value in sent.items())
        case Sequence():
            return all(map(_same, sent, taken))
    return not isinstance(taken, bool | str)


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
