"""Routes of what jobs have written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal, TypeAlias

from litestar import get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, PathParameter, QueryParameter
from litestar.response import Stream

from hpcshell.core.errors import HpcError
from hpcshell.jobs.doors import LOCAL
from hpcshell.web.answers.asking import On
from hpcshell.web.answers.downloads import part
from hpcshell.web.api.jobs import JobId, one_job
from hpcshell.web.context import Context
from hpcshell.web.events.sse import LastEventId, place_in, stream
from hpcshell.web.events.tailing import Following
from hpcshell.web.jobs import logs
from hpcshell.web.jobs.logs import PIECE, Log
from hpcshell.web.security.callers import READ, needs

_TAGS: Final = ["jobs"]
MEDIA: Final = "text/plain; charset=utf-8"

Which: TypeAlias = Annotated[
    Literal["stdout", "stderr"], PathParameter(description="the same, where they are joined")
]
Tail: TypeAlias = Annotated[
    int | None,
    QueryParameter(
        name="tail", ge=0, le=1_000_000, description="only the last lines, of 16 MiB at most"
    ),
]


@get(
    "/jobs/{job_id:str}/logs/{which:str}",
    guards=[needs(READ)],
    tags=_TAGS,
    media_type="text/plain",
    summary="Read what a job has written",
    description="As text; a part of it with the header `Range: bytes=FIRST-LAST` (206), or the "
    "last lines with `tail`.",
)
async def read(
    context: NamedDependency[Context],
    job_id: JobId,
    which: Which,
    on: On = None,
    tail: Tail = None,
    wanted: Annotated[str | None, HeaderParameter(name="Range", required=False)] = None,
) -> Stream:
    def find() -> tuple[Log, int]:
        log = logs.opened(logs.row_of(one_job(job_id, on), on), which)
        return log, log.start_of_last(tail) if tail is not None else 0

    log, start = await context.work(find)
    try:
        chosen = part(wanted, log.size) if tail is None else None
    except HpcError:
        log.close()
        raise
    sent = range(start, log.size) if chosen is None else chosen
    headers = {"accept-ranges": "bytes", "content-length": str(len(sent))}
    if chosen is not None:
        headers["content-range"] = f"bytes {chosen.start}-{chosen.stop - 1}/{log.size}"
    return Stream(
        _sent(context, log, sent.start, sent.stop),
        status_code=200 if chosen is None else 206,
        media_type=MEDIA,
        headers=headers,
    )


async def _sent(context: Context, log: Log, first: int, end: int) -> AsyncIterator[bytes]:
    """Exactly so many bytes: of a file that was cut short meanwhile the rest is zeros."""
    try:
        while first < end:
            most = min(PIECE, end - first)
            chunk = await context.work(log.read, first, most) or bytes(most)
            first += len(chunk)
            yield chunk
    finally:
        log.close()


@get(
    "/jobs/{job_id:str}/logs/{which:str}/follow",
    guards=[needs(READ)],
    tags=_TAGS,
    media_type="text/event-stream",
    summary="Follow what a job writes",
    description="Server-sent events: each has a piece of text, and for its id the number of bytes "
    "up to its end, behind which `Last-Event-ID` goes on. `again` says that the file begins anew; "
    "`end` says how the job ended, and is the last. It begins before the job does.",
)
async def follow(
    context: NamedDependency[Context],
    job_id: JobId,
    which: Which,
    on: On = None,
    tail: Tail = None,
    last: LastEventId = None,
) -> Stream:
    place = place_in(last, "Last-Event-ID")
    named = one_job(job_id, on)
    here = on is None or on == LOCAL
    since = (await context.ask("hello"))["last_event"] if here else None
    following = Following(context, named, on, which, since)
    row = await context.work(logs.row_of, named, on)
    return stream(following.events(row, place, tail))


handlers: Final[list[Any]] = [read, follow]
