"""Parameters of lists, the same for all: `?filter=&sort=&limit=&cursor=&deleted=`."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar.params import QueryParameter

from hpcshell.track.store.paging import DEFAULT, MOST, Wanted

Filter = Annotated[
    str,
    QueryParameter(
        name="filter",
        max_length=4000,
        description="conditions, such as `metrics.loss < 0.5 and params.lr = '0.1'`",
    ),
]
Sort = Annotated[
    str,
    QueryParameter(
        name="sort",
        max_length=300,
        description="a column, or `metrics.NAME`, `params.NAME`; with `-` in front the greatest "
        "come first",
    ),
]
Limit = Annotated[
    int, QueryParameter(name="limit", ge=1, le=MOST, description="most rows of a page")
]
Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", max_length=4096, description="`next` of the page before"),
]
Deleted = Annotated[
    Literal["live", "deleted", "all"],
    QueryParameter(name="deleted", description="rows that are there, that were deleted, or both"),
]


async def asked(
    filter: Filter = "",
    sort: Sort = "-created_at",
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
    deleted: Deleted = "live",
) -> Wanted:
    """The part of a list that a request asks for. A dependency: `Provide(asked)`."""
    return Wanted(filter=filter, sort=sort, limit=limit, cursor=cursor, deleted=deleted)
