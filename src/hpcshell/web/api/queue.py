"""Routes of what waits and runs, and of what has ended."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final, TypeAlias

from litestar import Response, get
from litestar.params import Parameter

from hpcshell.core.instants import instant
from hpcshell.track.store.paging import Place
from hpcshell.web.asking import SCHEMA, Document, Listing, On, given, reply, told
from hpcshell.web.context import Context
from hpcshell.web.pages import LIMIT, Cursor, Limit, cursor_after, place_of
from hpcshell.web.security.callers import READ, needs

Words: TypeAlias = list[str]
States: TypeAlias = Annotated[
    Words | None,
    Parameter(query="state", description="Only jobs in one of these states (PENDING, ...)."),
]
Names: TypeAlias = Annotated[
    Words | None, Parameter(query="name", description="Only jobs of one of these names.")
]
Tags: TypeAlias = Annotated[
    Words | None, Parameter(query="tag", description="Only jobs with all of these tags.")
]


@get("/queue", guards=[needs(READ)], tags=["jobs"], summary="What waits and runs")
async def queue(
    context: Context,
    on: On = None,
    user: str | None = None,
    state: States = None,
    name: Names = None,
    tag: Tags = None,
    partition: str | None = None,
    elements: bool = False,
    recent: bool = False,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response[Listing]:
    """First what runs, then what waits, in the order in which it is to start, as `hpc queue --json`
    has it. `elements`: a row for each element of an array that has begun. `recent`: also what ended
    a short while ago."""
    filters = given(
        user=user, states=words(state), names=name, tags=tag, partition=partition
    ) | {"elements": elements, "all": recent}
    place = await place_of(context, "queue", {"on": on, **filters}, cursor)
    offset = place.id if place is not None else 0

    def page(answer: Document) -> Document:
        after = offset + len(answer["rows"])
        more = after < answer["total"] and answer["rows"]
        return {"schema": SCHEMA, **answer, "next": after if more else None}

    return await paged(
        context,
        "queue",
        {"on": on, **filters},
        page,
        lambda after: Place(0, None, after),
        on=on,
        limit=limit,
        offset=offset,
        **filters,
    )


@get("/history", guards=[needs(READ)], tags=["jobs"], summary="What has ended")
async def history(
    context: Context,
    on: On = None,
    user: str | None = None,
    state: States = None,
    name: Names = None,
    tag: Tags = None,
    since: str | None = None,
    until: str | None = None,
    elements: bool = False,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response[Listing]:
    """The latest first, as `hpc history --json` has it. `since` and `until` are instants, as
    `18:30`, `today`, `2026-11-30T08:00`, `now-2h`, or Unix seconds with an @ before them.
    `elements`: a row for each element of an array."""
    filters = given(
        user=user,
        states=words(state),
        names=name,
        tags=tag,
        since=_instant(since, "since"),
        until=_instant(until, "until"),
        elements=elements or None,
    )
    whose = {"on": on, **filters, "since": since, "until": until}
    place = await place_of(context, "history", whose, cursor)
    where: Document = {"offset": 0}
    if place is not None and on is None:
        where["behind"] = [place.value, place.id, *([place.phase] if elements else [])]
    elif place is not None:  # a cluster's history has no such places
        where["offset"] = place.id
    start = where["offset"]

    def page(answer: Document) -> Document:
        rows = answer["rows"]
        next = None
        if len(rows) == limit and on is None:
            last = rows[-1]
            next = [last["end_time"], last["id"], last["element"]]
        elif on is not None and rows and start + len(rows) < answer["total"]:
            next = [None, start + len(rows), None]
        return {"schema": SCHEMA, **answer, "next": next}

    return await paged(
        context,
        "history",
        whose,
        page,
        lambda after: Place(-1 if after[2] is None else after[2], after[0], after[1]),
        on=on,
        limit=limit,
        **where,
        **filters,
    )


handlers: Final[list[Any]] = [queue, history]
