"""Routes of what waits and runs, and of what has ended."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final, TypeAlias

from litestar import Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from hpcshell.core.instants import instant
from hpcshell.core.states import states_of
from hpcshell.jobs.opened import door
from hpcshell.track.store.paging import DEFAULT, Place
from hpcshell.web.answers.asking import Document, Listing, On, given, with_schema
from hpcshell.web.answers.paging import by_offset, paged, place_of
from hpcshell.web.context import Context
from hpcshell.web.requests.listing import Cursor, Limit
from hpcshell.web.security.callers import READ, needs

_TAGS: Final = ["jobs"]
Words: TypeAlias = list[str]
User: TypeAlias = Annotated[
    str | None, QueryParameter(name="user", description="only jobs of this user", max_length=256)
]
States: TypeAlias = Annotated[
    Words | None,
    QueryParameter(name="state", description="only jobs in one of these states: PENDING, R, ..."),
]
Names: TypeAlias = Annotated[
    Words | None, QueryParameter(name="name", description="only jobs of one of these names")
]
Tags: TypeAlias = Annotated[
    Words | None, QueryParameter(name="tag", description="only jobs with all of these tags")
]
Partition: TypeAlias = Annotated[
    str | None, QueryParameter(name="partition", description="only jobs of it", max_length=256)
]
Elements: TypeAlias = Annotated[
    bool, QueryParameter(name="elements", description="a row for each element of an array")
]


async def chosen(
    user: User = None, states: States = None, names: Names = None, tags: Tags = None
) -> Document:
    """What jobs are chosen by. A dependency: `Provide(chosen)`."""
    return given(user=user, states=states_of(states or ()), names=names, tags=tags)


@get(
    "/queue",
    guards=[needs(READ)],
    dependencies={"filters": Provide(chosen)},
    tags=_TAGS,
    summary="List what waits and runs",
    description="First what runs, then what waits, in the order in which it is to start, as "
    "`hpc queue --json` has it.",
)
async def queue(
    context: NamedDependency[Context],
    filters: NamedDependency[Document],
    on: On = None,
    partition: Partition = None,
    elements: Elements = False,
    recent: Annotated[
        bool, QueryParameter(description="also what ended a short while ago")
    ] = False,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> Response[Listing]:
    asked = filters | given(partition=partition) | {"elements": elements, "all": recent}
    whose = {"on": on, **asked}
    place = await place_of(context, "queue", whose, cursor)

    def ask() -> tuple[Document, Place | None]:
        way = door(on)
        return by_offset(lambda skip: way.call("queue", limit=limit, offset=skip, **asked), place)

    return await paged(context, "queue", whose, place, ask, limit=limit)


WHEN: Final = "an instant: `18:30`, `today`, `2026-11-30T08:00`, `now-2h`, `@1790000000`"


@get(
    "/history",
    guards=[needs(READ)],
    dependencies={"filters": Provide(chosen)},
    tags=_TAGS,
    summary="List what has ended",
    description="The latest first, as `hpc history --json` has it.",
)
async def history(
    context: NamedDependency[Context],
    filters: NamedDependency[Document],
    on: On = None,
    since: Annotated[
        str | None, QueryParameter(description=f"what ended from then on; {WHEN}")
    ] = None,
    until: Annotated[str | None, QueryParameter(description=f"what ended before; {WHEN}")] = None,
    elements: Elements = False,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> Response[Listing]:
    said = {"on": on, **filters, "since": since, "until": until, "elements": elements}
    asked = filters | given(
        since=_instant(since, "since"), until=_instant(until, "until"), elements=elements or None
    )
    place = await place_of(context, "history", said, cursor)

    def ask() -> tuple[Document, Place | None]:
        way = door(on)
        if hasattr(way, "page"):  # a cluster's ledger has no places
            return by_offset(
                lambda skip: way.call("history", limit=limit, offset=skip, **asked), place
            )
        answer = way.call("history", limit=limit, offset=0, behind=_behind(place), **asked)
        rows = answer["rows"]
        return with_schema(answer), _behind_row(rows[-1]) if len(rows) == limit else None

    def _behind(place: Place | None) -> list[Any] | None:
        if place is None:
            return None
        return [place.value, place.id, *([place.phase] if elements else [])]

    return await paged(context, "history", said, place, ask, limit=limit)


def _behind_row(row: Document) -> Place:
    element = row["element"]
    return Place(-1 if element is None else element, row["end_time"], row["id"])


def _instant(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    return instant(text, time.time(), lambda unix: float(time.localtime(unix).tm_gmtoff), option)


handlers: Final[list[Any]] = [queue, history]
