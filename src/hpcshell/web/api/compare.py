"""Routes of runs beside each other: comparisons, leaderboards, exports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream
from sqlalchemy import Connection

from hpcshell.track.points.exporting import TYPES, every_run, points_table, runs_table
from hpcshell.track.records import SCHEMA, Document, Run, Summary
from hpcshell.track.store import compare, experiments, leaderboard
from hpcshell.track.store.leaderboard import Best, By
from hpcshell.track.store.paging import Wanted
from hpcshell.web.answers.asking import read
from hpcshell.web.answers.streams import Export, streamed
from hpcshell.web.api.runs import prices
from hpcshell.web.context import Context
from hpcshell.web.openapi import ANSWERS
from hpcshell.web.requests.addresses import Id, number_of
from hpcshell.web.requests.listing import Filter, asked
from hpcshell.web.security.callers import READ, caller_of, needs

_TAGS: Final = ["compare"]
KINDS: Final = tuple(kind.partition(";")[0] for kind in TYPES.values())
"""Media types of exports."""


class Comparison(Document, frozen=True, kw_only=True):
    """Each list has one value for each run, `null` where a run has none."""

    schema: int = SCHEMA
    runs: list[Run]
    differing: dict[str, list[str | None]]
    """Parameters that are not the same in all runs."""
    same: dict[str, str]
    """Parameters that are."""
    metrics: dict[str, list[Summary | None]]
    columns: dict[str, list[Any]]
    """What else differs: status, seed, duration, what the job took and cost."""


class Leaderboard(Document, frozen=True, kw_only=True):
    """The best runs of an experiment, the best first."""

    schema: int = SCHEMA
    metric: str
    rows: list[Best]


@get(
    "/compare",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Compare runs",
    description="`runs` comes once for each of them, in the order they are to stand in.",
)
async def beside(
    context: NamedDependency[Context],
    runs: Annotated[
        list[str], QueryParameter(min_items=1, max_items=compare.MOST, description="ids of runs")
    ],
) -> Response[Comparison]:
    def work(connection: Connection) -> Comparison:
        found = compare.compare(connection, runs, prices(context))
        return Comparison(**{name: getattr(found, name) for name in found.__struct_fields__})

    return await read(context, ("compare", *runs), work)


@get(
    "/experiments/{id:str}/leaderboard",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show the best runs of an experiment",
    description="By the greatest value of a metric, or the least; runs without one are left out.",
)
async def best(
    context: NamedDependency[Context],
    id: Id,
    metric: Annotated[str, QueryParameter(min_length=1, max_length=250)],
    direction: FromQuery[Literal["max", "min"]] = "max",
    by: FromQuery[By | None] = None,
    filter: Filter = "",
    limit: Annotated[int, QueryParameter(ge=1, le=leaderboard.MOST)] = 10,
) -> Response[Leaderboard]:
    def work(connection: Connection) -> Leaderboard:
        rows = leaderboard.best(
            connection,
            number_of(id),
            metric,
            least=direction == "min",
            by=by,
            filter=filter,
            limit=limit,
            prices=prices(context),
        )
        return Leaderboard(metric=metric, rows=rows)

    key = ("leaderboard", id, metric, direction, by, filter, limit)
    return await read(context, key, work)


@get(
    "/experiments/{id:str}/export",
    guards=[needs(READ)],
    dependencies={"wanted": Provide(asked)},
    opt={ANSWERS: KINDS},
    tags=_TAGS,
    summary="Export the runs of an experiment",
    description="A line for each run, or (`what=points`) for each point of their metrics; as CSV, "
    "JSON, JSON lines or Parquet. All that `filter` lets through, whatever `limit` is.",
)
async def export(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    id: Id,
    wanted: NamedDependency[Wanted],
    what: FromQuery[Literal["runs", "points"]] = "runs",
    format: FromQuery[Literal["csv", "json", "jsonl", "parquet"]] = "csv",
    keys: Annotated[
        list[str] | None, QueryParameter(max_items=1000, description="metrics, for `what=points`")
    ] = None,
) -> Stream:
    number = number_of(id)
    chosen = msgspec.structs.replace(wanted, experiments=(number,))

    def making(connection: Connection) -> Iterator[bytes]:
        experiments.show(connection, number)
        if what == "runs":
            return runs_table(lambda: every_run(connection, chosen), format)
        run_ids = (run.run_id for run in every_run(connection, chosen))
        return points_table(connection, run_ids, format, keys=keys)

    made = Export(making, f"experiment-{number}-{what}.{format}", TYPES[format])
    return await streamed(context, caller_of(request).user, made)


handlers: Final[list[Any]] = [beside, best, export]
