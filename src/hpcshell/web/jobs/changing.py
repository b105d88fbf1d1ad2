"""Changes that requests ask for: whose they may be, and that each is made once.

    return await changed(request, context, lambda connection, now: runs.create(connection, ...))

With an `Idempotency-Key`, a request that comes again (the answer was lost; the client tried again)
is given the answer that it had, and nothing is done twice. Change and answer are one transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import msgspec
from litestar import Request, Response
from sqlalchemy import Connection, bindparam, select

from hpcshell.core.errors import NotFound, Refused
from hpcshell.core.words import quote
from hpcshell.machine import clock
from hpcshell.track.store import answers, texts
from hpcshell.track.store.answers import Answer
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.tables import experiments, runs
from hpcshell.web.context import Context
from hpcshell.web.security.callers import OPERATE, Caller, caller_of

KEY: Final = "Idempotency-Key"
JSON: Final = "application/json"
Asked = Request[Any, Any, Any]

T = TypeVar("T")
Change = Callable[[Connection, float], T]
"""What is to be done, with the instant at which it is."""

_owner_of_run: Final = select(runs.c.user, runs.c.deleted_at).where(
    runs.c.run_id == bindparam("id")
)
_owner_of_experiment: Final = select(experiments.c.owner).where(experiments.c.id == bindparam("id"))


async def changed(
    request: Asked, context: Context, work: Change[T], status: int = 201
) -> Response[T]:
    """Do it, and answer with what it gives. It is on disk then."""
    now = clock.now()
    sent = request.headers.get(KEY)
    if sent is None:
        body = msgspec.json.encode(await context.change(lambda connection: work(connection, now)))
    else:
        caller, path = caller_of(request), request.scope["path"]
        key = answers.key_of(caller.user, request.method, path, sent)
        said = fingerprint(request, await request.body())

        def once(connection: Connection) -> bytes:
            if (known := answers.find(connection, key)) is not None:
                return again(known.body, said)
            answer = msgspec.json.encode(work(connection, now))
            answers.keep(connection, key, Answer(status, said + answer), now)
            return answer

        body = await context.change(once)
    return cast("Response[T]", Response(body, status_code=status, media_type=JSON))


def fingerprint(request: Asked, body: bytes) -> bytes:
    """What tells one request from another with the same key."""
    query: bytes = request.scope["query_string"]
    return hashlib.sha256(query + b"\0" + body).digest()


def again(kept: bytes, said: bytes) -> bytes:
    """What is kept after the fingerprint of the request that it answers. Raises `Exists` where that
    was another."""
    if kept[: len(said)] != said:
        raise Exists(
            f"another request was sent with this {KEY} before",
            "make a new key for each request, and keep it where the same one is sent again",
        )
    return kept[len(said) :]


# ------------------------------------------------------------------------------------ whose it is


def own_run(connection: Connection, caller: Caller, run_id: str) -> bool:
    """Whether the run is not deleted. Raises `NotFound`; `Refused` where it is another's and the
    caller may not change it."""
    row = _own(connection, caller, _owner_of_run, texts.run_id(run_id), "run")
    return row.deleted_at is None


def own_experiment(connection: Connection, caller: Caller, id: int) -> None:
    """The same for an experiment."""
    _own(connection, caller, _owner_of_experiment, texts.row_id(id, "experiment"), "experiment")


def _own(connection: Connection, caller: Caller, owner_of: Any, id: str | int, what: str) -> Any:
    """The row that begins with the owner."""
    row = connection.execute(owner_of, {"id": id}).first()
    if row is None:
        raise NotFound(f"there is no {what} {quote(str(id))}", f"list the {what}s for their ids")
    if row[0] != caller.user and not caller.may(OPERATE):
        raise Refused(
            f"{what} {quote(str(id))} is {quote(row[0]) if row[0] else 'nobody'}'s, not yours",
            "ask its owner, or somebody with the role operator",
        )
    return row
