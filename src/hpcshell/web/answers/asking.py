"""Questions to the daemon, to clusters and to the store as routes put them, and answers as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import Response
from litestar.params import QueryParameter
from sqlalchemy import Connection

from hpcshell.jobs.opened import door
from hpcshell.web.context import Context

SCHEMA: Final = 1
Document: TypeAlias = dict[str, Any]
Make: TypeAlias = Callable[[Any], Any]

On: TypeAlias = Annotated[
    str | None,
    QueryParameter(
        name="on",
        description="The cluster to ask instead of this machine's scheduler; `any`: all of them.",
        max_length=100,
    ),
]


class Listing(msgspec.Struct):
    """A page of a list: rows, how many there are of all, and the cursor of the next page."""

    schema: int
    rows: list[Document]
    next: str | None
    total: int | msgspec.UnsetType = msgspec.UNSET


def reply(document: Any, status: int = 200, **headers: str) -> Response[Any]:
    """JSON; bytes are JSON already."""
    content = document if isinstance(document, bytes) else msgspec.json.encode(document)
    return Response(
        content,
        status_code=status,
        media_type="application/json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def with_schema(answer: Document) -> Document:
    """The daemon's answer as the document that `--json` prints."""
    return {"schema": SCHEMA, **answer}


async def told(
    context: Context,
    verb: str,
    *,
    on: str | None = None,
    make: Make = with_schema,
    **args: Any,
) -> bytes:
    """The document of an answer, as JSON. Many who ask the same at once are one question."""

    def ask() -> bytes:
        return msgspec.json.encode(make(door(on).call(verb, **args)))

    key = (verb, on, make, msgspec.json.encode(args))
    answer: bytes = await context.shared.answer(key, lambda: context.work(ask))
    return answer


async def shared(context: Context, key: Any, work: Callable[[], Any]) -> bytes:
    """The same of work that is more than one question; `key` tells one from another."""

    def ask() -> bytes:
        return msgspec.json.encode(work())

    answer: bytes = await context.shared.answer(key, lambda: context.work(ask))
    return answer


async def read(context: Context, key: Any, work: Callable[[Connection], Any]) -> Response[Any]:
    """What is read of the store. Many who ask the same at once are one question, and none is
    answered by what was read before something changed."""

    def ask(connection: Connection) -> bytes:
        return msgspec.json.encode(work(connection))

    version = context.store.version()
    return reply(await context.shared.answer(key, lambda: context.read(ask), version))


async def changed(context: Context, change: Awaitable[Any]) -> Any:
    """The outcome of a change. Whoever asks after it is answered anew."""
    try:
        return await change
    finally:
        context.shared.changed()


def given(**filters: Any) -> Document:
    """The arguments that were given."""
    return {name: value for name, value in filters.items() if value not in (None, (), [], "")}
