"""The route of what happens, as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Stream

from hpcshell.web.context import Context
from hpcshell.web.events.hub import Listener
from hpcshell.web.events.sse import AGAIN, ALIVE, COMMENT, LastEventId, event, place_in, stream
from hpcshell.web.security.callers import READ, needs

MOST: Final = 1000
"""Jobs of one stream."""


@get(
    "/events",
    guards=[needs(READ)],
    tags=["events"],
    media_type="text/event-stream",
    summary="Follow what happens",
    description="Server-sent events: every change of every job with its cause, as "
    "`hpc events --json` has them. The id of each is its `seq`, behind which `Last-Event-ID` or "
    "`since` goes on without a gap; without either the stream begins with what happens next. After "
    "15 silent seconds a comment says that the stream lives.",
)
async def events(
    context: NamedDependency[Context],
    since: Annotated[
        int | None,
        QueryParameter(ge=0, le=2**53, description="begin behind this event; 0: the first"),
    ] = None,
    job: Annotated[
        list[int] | None,
        QueryParameter(max_items=MOST, description="only what happens to these jobs"),
    ] = None,
    last: LastEventId = None,
) -> Stream:
    place = place_in(last, "Last-Event-ID")
    hello = await context.ask("hello")  # a daemon that does not run is started, as by any verb
    start = since if place is None else place
    listener = context.hub.listener(hello["last_event"] if start is None else start)
    return stream(_told(context, listener, frozenset(job or ())))


async def _told(context: Context, listener: Listener, jobs: frozenset[int]) -> AsyncIterator[bytes]:
    context.hub.listeners += 1
    try:
        yield AGAIN
        while True:
            moments = await listener.take(ALIVE)
            if not moments:
                yield COMMENT
            for moment in moments:
                if not jobs or moment.job in jobs:
                    yield event(moment.line, id=moment.seq)
    finally:
        context.hub.listeners -= 1


handlers: Final[list[Any]] = [events]
