"""How a path of MLflow's is served: what is asked comes as one struct, what is told goes as one.

    changes("POST", "/runs/delete", OneRun, delete)      delete(connection, asked, by) -> None
    reads("GET", "/runs/get", OneRun, get)               get(connection, asked) -> GetRun

Each change of the store is one, however much it brings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from litestar import MediaType, Request, Response, route
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from sqlalchemy import Connection

from hpcshell.core.errors import Wrong
from hpcshell.machine import clock
from hpcshell.web.context import Context
from hpcshell.web.mlflow.asked import Asked
from hpcshell.web.requests.queries import only
from hpcshell.web.security.callers import READ, TRACK, Caller, caller_of, needs

A = TypeVar("A", bound=Asked)
Call = Request[Any, Any, Any]
_NOTHING: Final = b"{}"


class By(NamedTuple):
    """Who changes something, and when, and the words for it."""

    caller: Caller
    now: float
    body: bytes = b""

    @property
    def user(self) -> str:
        """Whose is what is made now."""
        return self.caller.user


def reads(
    method: str, path: str, kind: type[A], work: Callable[[Connection, A], Any]
) -> HTTPRouteHandler:
    """A path at which something is read."""
    asked_of = _reading(kind)

    async def handler(request: Call, context: NamedDependency[Context]) -> Response[bytes]:
        asked = await asked_of(request)
        return told(await context.read(lambda connection: work(connection, asked)))

    return _route(method, path, READ, handler)


def changes(
    method: str, path: str, kind: type[A], work: Callable[[Connection, A, By], Any]
) -> HTTPRouteHandler:
    """A path at which something is changed."""
    asked_of = _reading(kind)

    async def handler(request: Call, context: NamedDependency[Context]) -> Response[bytes]:
        asked = await asked_of(request)
        by = By(caller_of(request), clock.now(), await request.body())
        return told(await context.change(lambda connection: work(connection, asked, by)))

    return _route(method, path, TRACK, handler)


def told(answer: Any) -> Response[bytes]:
    """The answer as MLflow's client reads it."""
    body = _NOTHING if answer is None else msgspec.json.encode(answer)
    return Response(body, status_code=200, media_type=MediaType.JSON)


def _route(method: str, path: str, right: str, handler: Any) -> HTTPRouteHandler:
    decorate = route(
        path,
        http_method=[method],  # type: ignore[list-item]  # its types want an enum
        status_code=200,
        guards=[needs(right)],
        include_in_schema=False,
    )
    return decorate(handler)


def _reading(kind: type[A]) -> Callable[[Call], Any]:
    decoder = msgspec.json.Decoder(kind)
    lists = {field.name for field in msgspec.structs.fields(kind) if _is_list(field.type)}

    async def asked(request: Call) -> A:
        try:
            if request.method == "GET":
                return msgspec.convert(_query(request, lists), kind, strict=False)
            found = decoder.decode(await request.body() or _NOTHING)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise Wrong(str(error), "ask as MLflow's client does") from None
        for name, value in request.path_params.items():
            setattr(found, name, value)
        return found

    return asked


def _query(request: Call, lists: set[str]) -> dict[str, Any]:
    query = request.query_params
    said = {name: query.getall(name) if name in lists else only(query, name) for name in query}
    return {**said, **request.path_params}


def _is_list(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is list
