"""What is done once, however often it is asked for, though it is not done in the tracker's store.

With an `Idempotency-Key`, it is noted that the request was begun before anything is done, and what
it came to afterwards. The same request again is given that answer. Where there is none, since the
server ended in between, nobody can say whether it was done: it is refused, and not done again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Response
from sqlalchemy import Connection

from hpcshell.core.errors import HpcError
from hpcshell.machine import clock
from hpcshell.track.store import answers
from hpcshell.track.store.answers import Answer
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.tables import answers as table
from hpcshell.web.answers.asking import changed, reply
from hpcshell.web.context import Context
from hpcshell.web.jobs.changing import KEY, Asked, again, fingerprint
from hpcshell.web.security.callers import caller_of


async def once(
    request: Asked, context: Context, work: Callable[[], Any], *, status: int = 200
) -> Response[Any]:
    """Do it in a thread, and answer with what it gives; or with what it gave the first time."""
    sent = request.headers.get(KEY)
    if sent is None:
        return reply(await changed(context, context.work(work)), status)
    user, path = caller_of(request).user, request.scope["path"]
    key = answers.key_of(user, request.method, path, sent)
    begun = answers.key_of(user, f"begun {request.method}", path, sent)
    said = fingerprint(request, await request.body())
    known = await context.change(lambda opened: _begin(opened, key, begun, said))
    if known is not None:
        return reply(known, status)
    try:
        body = msgspec.json.encode(await changed(context, context.work(work)))
    except HpcError as error:
        if error.kind != "unreachable":  # it was not done: the same may be asked again
            await context.change(lambda opened: _forget(opened, begun))
        raise
    done = Answer(status, said + body)
    await context.change(lambda opened: answers.keep(opened, key, done, clock.now()))
    return reply(body, status)


def _begin(connection: Connection, key: str, begun: str, said: bytes) -> bytes | None:
    """The answer that there is; None: it was noted that this is the first request."""
    if (known := answers.find(connection, key)) is not None:
        return again(known.body, said)
    if (before := answers.find(connection, begun)) is not None:
        again(before.body, said)
        raise Exists(
            "the same request was begun before, and whether it was carried out is not known (yet)",
            "look before you ask again with another Idempotency-Key: GET /jobs",
        )
    answers.keep(connection, begun, Answer(102, said), clock.now())
    return None


def _forget(connection: Connection, begun: str) -> None:
    connection.execute(table.delete().where(table.c.key == begun))
