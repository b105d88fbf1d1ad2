"""Routes of metrics: points come in by the thousand, and go out raw or as curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from sqlalchemy import Connection, bindparam, select

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.track.points import append, chunks, reading
from hpcshell.track.points.chunks import Points
from hpcshell.track.points.lttb import LEAST
from hpcshell.track.records import SCHEMA, Document, Number, Point, Summary
from hpcshell.track.store import runs, texts
from hpcshell.track.store.tables import series
from hpcshell.web.answers.asking import read
from hpcshell.web.context import Context
from hpcshell.web.jobs.changing import Asked, changed, own_run
from hpcshell.web.requests.addresses import RunId, tail
from hpcshell.web.requests.request import Tolerant
from hpcshell.web.requests.stated import Name, Time, Value, Whole, example
from hpcshell.web.security.callers import READ, TRACK, caller_of, needs

_TAGS: Final = ["metrics"]
SPECIAL: Final = 'send a number, or "NaN", "Infinity" or "-Infinity"'
FEW: Final = 500
"""Points that are sorted out at once; for more the server does not stand still."""


class Logged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One point of one metric."""

    name: Name
    value: Value
    """`"NaN"`, `"Infinity"` and `"-Infinity"` are values, too."""
    step: Whole | None = None
    """The one after the last, where it is left out."""
    time: Time | None = None
    """Unix seconds; now, where it is left out."""


class Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One point (`name` and `value`), or many (`metrics`)."""

    name: Name | None = None
    value: Value | None = None
    step: Whole | None = None
    time: Time | None = None
    metrics: list[Logged] | None = None

    ALSO: ClassVar[dict[str, Any]] = example(name="loss", value=0.3, step=1) | {
        "oneOf": [
            {
                "required": ["name", "value"],
                "properties": {
                    "name": {"type": "string"},
                    "value": {"type": ["number", "string"]},
                    "metrics": {"type": "null"},
                },
            },
            {
                "required": ["metrics"],
                "properties": {"metrics": {"type": "array"}, "value": {"type": "null"}},
            },
        ]
    }


class Accepted(Document, frozen=True, kw_only=True):
    """How many points are on disk."""

    accepted: int


class Metrics(Document, frozen=True, kw_only=True):
    """What is known of the metrics of a run."""

    schema: int = SCHEMA
    run_id: str
    metrics: dict[str, Summary]


class PointPage(Document, frozen=True, kw_only=True):
    """Points of a metric by step, then time."""

    schema: int = SCHEMA
    run_id: str
    key: str
    rows: list[Point]
    next: str | None = None


class CurveRow(Document, frozen=True, kw_only=True):
    """A metric for the eye; `steps`, or `times` where it is by time."""

    key: str
    count: int
    """Of all its points."""
    start: float | None = None
    """What `times` are counted from, Unix seconds."""
    steps: list[int] | None = None
    times: list[float] | None = None
    values: list[Number]


class Curves(Document, frozen=True, kw_only=True):
    """Curves of a run."""

    schema: int = SCHEMA
    run_id: str
    curves: list[CurveRow]


@post(
    "/runs/{run_id:str}/metrics",
    guards=[needs(TRACK)],
    request_class=Tolerant,
    tags=_TAGS,
    summary="Log metrics",
    description='One point, a list of them, or `{"metrics": [...]}`; all are kept, or none. What '
    "is answered is on disk. A run that has ended takes what comes late. With an `Idempotency-Key` "
    "the same request counts once, however often it is sent.",
)
async def log(
    request: Asked,
    context: NamedDependency[Context],
    run_id: RunId,
    data: JSONBody[Batch | list[Logged]],
) -> Response[Accepted]:
    points = _points(data)
    caller = caller_of(request)
    many = len(points) > FEW
    sorted_out = await context.work(_by_key, points) if many else _by_key(points)

    def work(connection: Connection, now: float) -> Accepted:
        if not own_run(connection, caller, run_id):
            runs.require_live(connection, run_id)
        filled = _filled(connection, run_id, sorted_out, now)
        return Accepted(accepted=append.append(connection, run_id, filled, now))

    return await changed(request, context, work)


def _points(data: Batch | list[Logged]) -> list[Logged]:
    if isinstance(data, list):
        return data
    one = data.name is not None and data.value is not None
    if data.name is not None and not one and data.metrics is None:
        raise Wrong(f"the metric {quote(data.name)} has no value", SPECIAL)
    if data.value is not None and not one and data.metrics is None:
        raise Wrong("the value is of no metric", 'send {"name": ..., "value": ...}')
    if one == (data.metrics is not None):
        raise Wrong(
            "the body is neither one point nor a list of them",
            'send {"name": ..., "value": ...} or {"metrics": [...]}',
        )
    if data.metrics is not None:
        return data.metrics
    assert data.name is not None
    assert data.value is not None
    return [Logged(data.name, data.value, data.step, data.time)]


_Columns = tuple[list[int | None], list[float | None], list[float]]


def _by_key(points: Iterable[Logged]) -> dict[str, _Columns]:
    """Steps, times and values of each metric. Raises `Wrong`."""
    found: dict[str, _Columns] = {}
    for at, point in enumerate(points):
        columns = found.get(point.name)
        if columns is None:
            columns = found[point.name] = ([], [], [])
        value, time = point.value, point.time
        columns[0].append(point.step)
        columns[1].append(time if time is None else texts.instant(time, f"point {at}: time"))
        columns[2].append(value if type(value) is float else _number(value, at, point.name))
    return found


def _number(value: object, at: int, name: str) -> float:
    try:
        return chunks.value_of(value)
    except Wrong as error:
        raise Wrong(f"point {at}, of {quote(name)}: {error.message}", error.hint) from None


_LAST: Final = select(series.c.key, series.c.last_step).where(
    series.c.run_id == bindparam("run"), series.c.key.in_(bindparam("keys", expanding=True))
)


def _filled(
    connection: Connection, run_id: str, given: Mapping[str, _Columns], now: float
) -> dict[str, Points]:
    """The points with the steps and times that were left out."""
    open_ = [key for key, (steps, _, _) in given.items() if None in steps]
    last: dict[str, int] = {}
    if open_:
        asked = {"run": run_id, "keys": open_}
        last = {row.key: row.last_step for row in connection.execute(_LAST, asked)}
    return {
        key: Points(
            _counted(steps, last.get(key, -1)) if key in open_ else steps,  # type: ignore[arg-type]
            [now if time is None else time for time in times],
            values,
        )
        for key, (steps, times, values) in given.items()
    }


def _counted(steps: Iterable[int | None], last: int) -> list[int]:
    counted = []
    for step in steps:
        step = last + 1 if step is None else step
        last = max(last, step)
        counted.append(step)
    return counted


@get(
    "/runs/{run_id:str}/metrics",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show what is known of a run's metrics",
    description="Of each the number of points, the last, the least and the greatest.",
)
async def summaries(context: NamedDependency[Context], run_id: RunId) -> Response[Metrics]:
    def work(connection: Connection) -> Metrics:
        return Metrics(run_id=run_id, metrics=runs.show(connection, run_id).metrics)

    return await read(context, ("summaries", run_id), work)


Step = Annotated[int | None, QueryParameter(description="a step", ge=-(2**63), le=2**63 - 1)]


@get(
    "/runs/{run_id:str}/metrics/{key:path}",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show the points of a metric",
    description="All of them as they were logged, in pages, by step and time.",
)
async def raw(
    request: Asked,
    context: NamedDependency[Context],
    run_id: RunId,
    since: Step = None,
    until: Step = None,
    limit: Annotated[int, QueryParameter(ge=1, le=reading.LIMIT)] = reading.MOST,
    cursor: Annotated[str | None, QueryParameter(max_length=200)] = None,
) -> PointPage:
    key = tail(request, "metrics")

    def work(connection: Connection) -> PointPage:
        runs.exists(connection, run_id)
        page = reading.raw(
            connection, run_id, key, since=since, until=until, limit=limit, cursor=cursor
        )
        return PointPage(run_id=run_id, key=key, rows=page.rows(), next=page.next)

    return await context.read(work)


@get(
    "/runs/{run_id:str}/curves",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show metrics as curves",
    description="Of each metric the points that make its shape (largest triangle three buckets), "
    "its first, last, least and greatest among them. `keys` may come several times; without it "
    "all metrics are shown. One that the run does not have is left out.",
)
async def curves(
    context: NamedDependency[Context],
    run_id: RunId,
    keys: Annotated[list[str] | None, QueryParameter(max_items=1000)] = None,
    points: Annotated[int, QueryParameter(ge=LEAST, le=reading.LIMIT)] = reading.MOST,
    by: FromQuery[Literal["step", "time"]] = "step",
    since: Step = None,
    until: Step = None,
) -> Response[Curves]:
    def work(connection: Connection) -> Curves:
        runs.exists(connection, run_id)
        found = reading.curves(connection, run_id, keys, points, by=by, since=since, until=until)
        rows = [CurveRow(key=key, **msgspec.structs.asdict(curve)) for key, curve in found.items()]
        return Curves(run_id=run_id, curves=rows)

    key = ("curves", run_id, tuple(keys or ()), points, by, since, until)
    return await read(context, key, work)


handlers: Final[list[Any]] = [log, summaries, raw, curves]
