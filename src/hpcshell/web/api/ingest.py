"""The route by which clients send what they have spooled."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from sqlalchemy import Connection

from hpcshell.machine import clock
from hpcshell.track.points.ingest import Gap, Taken, take_in
from hpcshell.web.answers.problems import MEDIA, answer_of
from hpcshell.web.context import Context
from hpcshell.web.jobs.changing import Asked
from hpcshell.web.requests.bodies import takes
from hpcshell.web.security.callers import OPERATE, TRACK, caller_of, needs


@post(
    "/ingest",
    guards=[needs(TRACK)],
    status_code=200,
    operation_class=takes("application/x-ndjson", "whole lines of the file"),
    responses={200: ResponseSpec(Taken)},
    tags=["ingest"],
    summary="Take in lines of a spool file",
    description="The body is whole lines (application/x-ndjson) of the file `source` from byte "
    "`offset` on. What was taken before is passed over, so that nothing counts twice; where lines "
    "are missing in between, 409 says in `offset` from where on to send. Lines that cannot be "
    "read are counted and named in `bad`, and the others are taken.",
)
async def ingest(
    request: Asked,
    context: NamedDependency[Context],
    source: Annotated[
        str,
        QueryParameter(
            pattern="^[0-9a-f]{32}(-[0-9A-Za-z_]{1,31})?$",
            description="the file's name, as RUN-WORD",
        ),
    ],
    offset: Annotated[int, QueryParameter(ge=0, le=2**62, description="bytes before these lines")],
) -> Response[Any]:
    caller, lines = caller_of(request), await request.body()
    user = None if caller.may(OPERATE) else caller.user

    def work(connection: Connection) -> Taken:
        return take_in(connection, source, offset, lines, clock.now(), user=user)

    try:
        return Response(await context.change(work), status_code=200)
    except Gap as gap:
        answer = answer_of(gap, request.scope["path"])
        said = msgspec.json.decode(answer.body) | {"offset": gap.wanted}
        return Response(said, status_code=answer.status, media_type=MEDIA)


handlers: Final[list[Any]] = [ingest]
