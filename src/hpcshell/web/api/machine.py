"""Routes of this machine: what it has, its cards, and how users and jobs stand."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Response, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from hpcshell.gpu import looking
from hpcshell.jobs.opened import client
from hpcshell.track.store.paging import DEFAULT, Place
from hpcshell.web.answers.asking import (
    SCHEMA,
    Document,
    changed,
    given,
    reply,
    shared,
    told,
)
from hpcshell.web.answers.paging import by_offset, paged, place_of
from hpcshell.web.context import Context
from hpcshell.web.requests.listing import Cursor, Limit
from hpcshell.web.requests.stated import ONE_LINE, stated
from hpcshell.web.security.callers import OPERATE, READ, needs

_TAGS: Final = ["machine"]


def _looks(path: str, verb: str, summary: str, typed: str) -> Any:
    """A route that asks the daemon one thing."""

    @get(
        path,
        guards=[needs(READ)],
        tags=_TAGS,
        operation_id=f"Show{verb.title()}",
        summary=summary,
        description=f"As `{typed}` has it.",
    )
    async def look(context: NamedDependency[Context]) -> Response[Document]:
        return reply(await told(context, verb))

    return look


resources = _looks(
    "/resources",
    "resources",
    "Show what the machine has, and who holds it",
    "hpc resources --json",
)
node = _looks("/node", "node", "Show whether the machine takes new work", "hpc node status --json")
fairshare = _looks(
    "/fairshare",
    "fairshare",
    "Show who may use how much and has used how much",
    "hpc fairshare --json",
)
reservations = _looks(
    "/reservations", "reservations", "List the reservations", "hpc reservation list --json"
)


class NodeChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the machine is to take new work."""

    state: Literal["up", "drain", "down"]
    """`up`; `drain`: what runs runs on; `down`: nothing is to run."""
    reason: Annotated[str, stated(maxLength=1000, pattern=ONE_LINE)] = ""
    dry_run: bool = False


@put(
    "/node",
    guards=[needs(OPERATE)],
    tags=_TAGS,
    summary="Open or close the machine for new work",
    description="As `hpc node drain --json` and its like.",
)
async def set_node(
    context: NamedDependency[Context], data: JSONBody[NodeChange]
) -> Response[Document]:
    asked = msgspec.structs.asdict(data)
    answer = await changed(context, context.ask("set_node", **asked))
    return reply({"schema": SCHEMA, "dry_run": data.dry_run, **answer})


@get(
    "/reservations/{name:str}",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show a reservation",
    description="As `hpc reservation show --json` has it.",
)
async def reservation(context: NamedDependency[Context], name: FromPath[str]) -> Response[Document]:
    return reply(await told(context, "reservations", make=_only, name=name))


def _only(answer: Document) -> Document:
    [found] = answer["reservations"]
    return {"schema": SCHEMA, "reservation": found}


@get(
    "/priority",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show what the order of the waiting jobs comes from",
    description="As `hpc priority --json` has it.",
)
async def priority(
    context: NamedDependency[Context],
    user: Annotated[str | None, QueryParameter(max_length=256)] = None,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> Response[Document]:
    whose = {"user": user}
    place = await place_of(context, "priority", whose, cursor)
    chosen = given(user=user)

    def ask() -> tuple[Document, Place | None]:
        way = client()
        return by_offset(
            lambda skip: way.call("priority", limit=limit, offset=skip, **chosen), place
        )

    return await paged(context, "priority", whose, place, ask, limit=limit)  # type: ignore[return-value]


@get(
    "/gpus",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show the cards and who is on them",
    description="As `hpc gpu status --json` has it.",
)
async def gpus(context: NamedDependency[Context]) -> Response[Document]:
    def ask() -> Document:
        asked = client()
        found, jobs = looking.status(asked), looking.active(asked)
        return {"schema": SCHEMA, **found, "active_jobs": jobs}

    return reply(await shared(context, "gpus", ask))


@get(
    "/gpus/health",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Say whether the cards are well",
    description="As `hpc gpu health --json` has it.",
)
async def gpu_health(context: NamedDependency[Context]) -> Response[Document]:
    return reply(await told(context, "gpus", make=looking.health))


handlers: Final[list[Any]] = [
    *(resources, node, set_node, fairshare, reservations, reservation, priority, gpus, gpu_health)
]
