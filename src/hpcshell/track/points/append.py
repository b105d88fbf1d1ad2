"""Adding points to the metrics of a run.

    append(connection, run_id, {"loss": Points(steps, times, values)}, now)

One statement brings the summaries of all the metrics up to date, one adds a chunk to each. Small
chunks are put together now and then, in three tiers, so that a point is written again three times
at most, and a metric of n points has about n / 8192 chunks however they came in.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import eq, lt
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, case, delete, func, insert, or_, select, update

from hpcshell.core.errors import Wrong
from hpcshell.track.points.chunks import Points, decode, encode, joined, packed, solid
from hpcshell.track.store import runs, texts
from hpcshell.track.store.tables import answers, chunks, series
from hpcshell.track.store.writing import INSERT, once

FULL: Final = 8192
"""Points of a chunk that is not put together with others."""
MOST: Final = 10_000
"""Metrics of a run: lists show the last of each."""
TOO_MANY: Final = "let the steps tell points apart, and not the names of metrics"
TIERS: Final = (32, 32**2, 32**3)
"""After so many chunks of a metric those of its latest so many that are small are joined."""
_BATCH: Final = 204
"""Status of an answer that only says that a batch was taken."""


def append(
    connection: Connection,
    run_id: str,
    metrics: Mapping[str, Points],
    now: float,
    *,
    batch: str | None = None,
) -> int:
    """Add points, and how many that were. It is a sign of life of the run.

    `batch` is any text that stands for these points: under the same one, nothing is added to the
    run twice. Raises `NotFound` for the run, `Refused` where it is deleted, and `Wrong` for names,
    steps, times or values.
    """
    added = {texts.key(key, "metric"): solid(metrics[key]) for key in sorted(metrics)}
    added = {key: points for key, points in added.items() if points.steps}
    runs.heartbeat(connection, run_id, now)
    if not added or (batch is not None and not _first(connection, run_id, batch, now)):
        return 0
    if beyond(connection, run_id, added):
        raise Wrong(f"run {run_id} would have more than {MOST:,} metrics", TOO_MANY)
    rows = [{"run_id": run_id, "key": key, **_summary(points)} for key, points in added.items()]
    found = connection.execute(_upsert(connection.dialect.name), rows).all()
    connection.execute(
        _CHUNK,
        [
            {
                "series_id": row.id,
                "number": row.chunks - 1,
                "count": len(added[row.key].steps),
                "points": encode(added[row.key]),
            }
            for row in found
        ],
    )
    for row in found:
        if row.chunks % TIERS[0] == 0:
            compact(connection, row.id, row.chunks)
    return sum(len(points.steps) for points in added.values())


def beyond(connection: Connection, run_id: str, keys: Iterable[str]) -> set[str]:
    """Those of these metrics that a run with so many others does not get."""
    new = set(keys)
    free = MOST - (connection.scalar(_NUMBER, {"run": run_id}) or 0)
    if len(new) <= free:
        return set()
    new -= set(connection.scalars(_KEYS, {"run": run_id}))
    return set(sorted(new)[max(free, 0) :])


def compact(connection: Connection, series_id: int, number: int) -> None:
    """Put small chunks together, of the tiers that end before chunk `number`."""
    reach = max((tier for tier in TIERS if number % tier == 0), default=TIERS[0])
    first = number - reach
    sizes = connection.execute(_SIZES, {"id": series_id, "first": first}).all()
    for group in _groups(sizes):
        _join(connection, series_id, group)


# ------------------------------------------------------------------------------------- summaries


def _summary(points: Points) -> dict[str, Any]:
    """The row of a metric that had only these points."""
    steps, times, values = points
    numbers = values if all(map(eq, values, values)) else [v for v in values if v == v]
    low, high = min(numbers, default=None), max(numbers, default=None)
    rising = all(map(lt, steps, steps[1:]))
    at = len(steps) - 1 if rising else _latest(points)
    return {
        "count": len(steps),
        "chunks": 1,
        "last": None if math.isnan(values[at]) else values[at],
        "last_step": steps[at],
        "last_time": times[at],
        "min": low,
        "min_step": _first_step(points, low, rising=rising),
        "max": high,
        "max_step": _first_step(points, high, rising=rising),
    }


def _first_step(points: Points, value: float | None, *, rising: bool) -> int | None:
    """The smallest step at which the metric had this value. `rising`: its steps do."""
    if rising and value is not None:
        return points.steps[points.values.index(value)]
    pairs = zip(points.steps, points.values, strict=True)
    return min((step for step, at in pairs if at == value), default=None)


def _latest(points: Points) -> int:
    """The index of the point of the greatest step; of those the latest; of those the greatest."""
    steps, times, values = points
    greatest = max(steps)
    among = [at for at, step in enumerate(steps) if step == greatest]

    def rank(at: int) -> tuple[float, bool, float]:
        known = not math.isnan(values[at])
        return times[at], known, values[at] if known else 0.0

    return among[0] if len(among) == 1 else max(among, key=rank)


@cache
def _upsert(dialect: str) -> Any:
    """Adds to a row what a row of new points says, or makes it."""
    made = INSERT[dialect](series)
    new, old = made.excluded, series.c
    later = or_(
        new.last_step > old.last_step,
        and_(new.last_step == old.last_step, new.last_time > old.last_time),
        and_(
            new.last_step == old.last_step,
            new.last_time == old.last_time,
            new.last.is_not(None),
            or_(old.last.is_(None), new.last > old.last),
        ),
    )
    lower = _better(new.min < old.min, new.min == old.min, new.min_step, old.min_step)
    higher = _better(new.max > old.max, new.max == old.max, new.max_step, old.max_step)
    chosen = {
        **{name: (later, name) for name in ("last", "last_step", "last_time")},
        **{name: (lower, name) for name in ("min", "min_step")},
        **{name: (higher, name) for name in ("max", "max_step")},
    }
    return made.on_conflict_do_update(
        index_elements=[series.c.run_id, series.c.key],
        set_={
            "count": old.count + new.count,
            "chunks": old.chunks + 1,
            **{
                name: case((when, new[column]), else_=old[column])
                for name, (when, column) in chosen.items()
            },
        },
    ).returning(series.c.id, series.c.key, series.c.chunks)


def _better(better: Any, same: Any, new_step: Any, old_step: Any) -> Any:
    """Of equal values the one of the smallest step is named. A step is NULL where all is NaN."""
    return or_(
        better,
        and_(same, new_step < old_step),
        and_(old_step.is_(None), new_step.is_not(None)),
    )


# ---------------------------------------------------------------------------------------- chunks

_CHUNK: Final = insert(chunks)
_KEYS: Final = select(series.c.key).where(series.c.run_id == bindparam("run"))
_NUMBER: Final = select(func.count()).where(series.c.run_id == bindparam("run"))
_SIZES: Final = (
    select(chunks.c.number, chunks.c.count)
    .where(chunks.c.series_id == bindparam("id"), chunks.c.number >= bindparam("first"))
    .order_by(chunks.c.number)
)
_OF: Final = (
    select(chunks.c.count, chunks.c.points)
    .where(
        chunks.c.series_id == bindparam("id"),
        chunks.c.number.between(bindparam("first"), bindparam("last")),
    )
    .order_by(chunks.c.number)
)
_REPLACE: Final = (
    update(chunks)
    .where(chunks.c.series_id == bindparam("id"), chunks.c.number == bindparam("first"))
    .values(count=bindparam("size"), points=bindparam("content"))
)
_DROP: Final = delete(chunks).where(
    chunks.c.series_id == bindparam("id"),
    chunks.c.number > bindparam("first"),
    chunks.c.number <= bindparam("last"),
)


def _groups(sizes: Sequence[Any]) -> Iterator[list[int]]:
    """Numbers of neighbours that make one chunk: two or more, none of them full."""
    group: list[int] = []
    held = 0
    for number, count in sizes:
        if count >= FULL or held >= FULL:
            if len(group) > 1:
                yield group
            group, held = [], 0
        if count < FULL:
            group.append(number)
            held += count
    if len(group) > 1:
        yield group


def _join(connection: Connection, series_id: int, group: list[int]) -> None:
    """All in one chunk, under the number of the first: points stay in the order they came in."""
    within = {"id": series_id, "first": group[0], "last": group[-1]}
    parts = [decode(content, count) for count, content in connection.execute(_OF, within)]
    whole = joined(parts)
    connection.execute(_DROP, within)
    connection.execute(
        _REPLACE,
        {
            "id": series_id,
            "first": group[0],
            "size": len(whole.steps),
            "content": packed(whole),
        },
    )


# --------------------------------------------------------------------------------------- batches


def _first(connection: Connection, run_id: str, batch: str, now: float) -> bool:
    """Whether the run has not had this batch yet; it is taken as had from here on."""
    digest = hashlib.sha256(f"points {run_id} {batch}".encode("utf-8", "surrogatepass"))
    row = {"key": digest.hexdigest(), "status": _BATCH, "body": b"", "created_at": now}
    return connection.scalar(_note(connection.dialect.name), row) is not None


@cache
def _note(dialect: str) -> Any:
    """INSERT of a batch, which says whether it was one that was not there."""
    return once(dialect, answers).returning(answers.c.key)
