"""Epilogs of clusters say what became of jobs.

POST /webhooks/slurm        job_id=12&event=end&exit_code=0, signed (see `track.joining.signing`)

With a token that has the right `events` it needs no signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import PathParameter
from sqlalchemy import Connection

from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.units import format_duration
from hpcshell.machine import clock
from hpcshell.track.joining import signing
from hpcshell.track.joining.hooks import check_kind, told
from hpcshell.track.joining.signing import Signature
from hpcshell.track.joining.spooled import fields_of
from hpcshell.track.store import seen
from hpcshell.track.store.jobs import KINDS
from hpcshell.track.store.jobstates import Told, take
from hpcshell.web.context import Context
from hpcshell.web.security.callers import EVENTS, Unauthenticated, caller_of
from hpcshell.web.tasks.polling import nudge

LONGEST: Final = 64 << 10
"""Bytes of a body."""
HOW: Final = "hpc track epilog --install writes a script that signs as it should"

Kind: TypeAlias = Annotated[str, PathParameter(schema_extra={"enum": list(KINDS)})]


class Heard(msgspec.Struct, frozen=True):
    """What became of an event. `job`: what people call it. `known`: it was known before."""

    job: str
    duplicate: bool = False
    known: bool = True


@post(
    "/webhooks/{kind:str}",
    opt={"open": True},
    request_max_body_size=LONGEST,
    status_code=200,
    summary="What became of a job, as an epilog says it",
    tags=["webhooks"],
)
async def webhook(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    kind: Kind,
) -> Response[Heard]:
    """Take in what an epilog says of a job. Whatever comes twice, or late, counts once.

    Answers 202 where the job was not known yet.
    """
    body = await request.body()
    signature = await _proof(request, context, check_kind(kind), body)
    happened = float(signature.time) if signature else clock.now()
    said = told(kind, _fields(request, body), happened)
    heard = await context.change(lambda connection: hear(connection, said, signature))
    if not heard.duplicate:
        nudge(context)
    return Response(heard, status_code=200 if heard.known or heard.duplicate else 202)


def hear(connection: Connection, said: Told, signature: Signature | None) -> Heard:
    """Take it in unless it was taken in before."""
    label = said.ref.id if said.ref.element is None else f"{said.ref.id}_{said.ref.element}"
    if signature is not None and not seen.first(connection, signature.id, clock.now()):
        return Heard(label, duplicate=True)
    taken = take(connection, [said], clock.now())
    return Heard(label, known=not taken.new)


async def _proof(
    request: Request[Any, Any, Any], context: Context, kind: str, body: bytes
) -> Signature | None:
    """The signature, which is genuine and for this kind; None: a caller with the right to tell
    sends this. Raises `Unauthenticated` or `Refused`."""
    header = request.headers.get(signing.HEADER)
    if header is None:
        caller = caller_of(request)
        if not caller.may(EVENTS) or caller.how == "session":
            raise Refused(
                "this needs the right 'events'", "sign it, or use a token of the role operator"
            )
        return None
    signature = signing.read(header)
    if signature is None:
        raise Unauthenticated(f"{signing.HEADER} is no signature", signing.FORM)
    key = await context.work(signing.webhook_key, context.places)
    if not signing.is_genuine(key, kind, signature, body):
        raise Unauthenticated(f"the signature is not that of our key for an event of {kind}", HOW)
    off = signature.time - round(clock.now())
    if abs(off) > context.settings.track.webhook_skew:
        late = "behind" if off < 0 else "ahead"
        raise Unauthenticated(
            f"the clock of who signed this is {format_duration(abs(off))} {late}",
            "set it, or allow for more: [track] webhook_skew",
        )
    return signature


def _fields(request: Request[Any, Any, Any], body: bytes) -> Mapping[str, Any]:
    """The fields of a form or of a JSON object. Raises `Wrong`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return fields_of(body)
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise Wrong("the body is no JSON object", 'send {"job_id": 12, "event": "end"}') from None


handlers: Final[list[Any]] = [webhook]
"""Routes of webhooks."""
