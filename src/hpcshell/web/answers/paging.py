"""Pages of lists that are not the tracker's: of jobs, of what waits, of what has ended."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from litestar import Response

from hpcshell.track.store.paging import Place, Wanted, read, written
from hpcshell.web.answers.asking import Document, Listing, reply, with_schema
from hpcshell.web.context import Context


def _wanted(whose: Document, cursor: str | None) -> Wanted:
    return Wanted(filter=msgspec.json.encode(whose, order="sorted").decode(), cursor=cursor)


async def place_of(
    context: Context, kind: str, whose: Document, cursor: str | None
) -> Place | None:
    """Where the page begins that a cursor means; None: at the beginning. `whose`: what the list was
    asked for by. Raises `Wrong` for a cursor that is none, or another list's."""
    if cursor is None:
        return None
    return await context.read(lambda opened: read(opened, kind, _wanted(whose, cursor)))


async def paged(
    context: Context,
    kind: str,
    whose: Document,
    place: Place | None,
    ask: Callable[[], tuple[Document, Place | None]],
    *,
    limit: int,
) -> Response[Listing]:
    """The page that `ask` finds: its document, and the place behind its last row, None where there
    is no more. Those who ask for the same page at once are one question."""

    async def work() -> bytes:
        document, after = await context.work(ask)
        cursor = None
        if after is not None:
            cursor = await context.read(
                lambda opened: written(opened, kind, _wanted(whose, None), after)
            )
        return msgspec.json.encode({**document, "next": cursor})

    key = (kind, msgspec.json.encode(whose, order="sorted"), place, limit)
    return reply(await context.shared.answer(key, work))


def by_offset(ask: Callable[[int], Document], place: Place | None) -> tuple[Document, Place | None]:
    """The same of a list whose places are numbers of rows. `ask`: for what there is behind so
    many."""
    offset = place.id if place is not None else 0
    answer = ask(offset)
    after = offset + len(answer["rows"])
    more = answer["rows"] and after < answer["total"]
    return with_schema(answer), Place(0, None, after) if more else None
