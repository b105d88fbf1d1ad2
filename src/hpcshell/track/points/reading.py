"""Reading the points of a run: all of them in pages, or curves for the eye.

raw(connection, run_id, "loss", limit=1000)           the first page, and a cursor to go on
curves(connection, run_id, ["loss", "acc"], 1000)     at most 1,000 points of each

Points are in the order of step, time and arrival. A cursor names a point, so what came in since
makes no page repeat or leave out one that was there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, select

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.words import quote
from hpcshell.track.points.chunks import Columns, decode, joined
from hpcshell.track.points.lttb import LEAST, pick
from hpcshell.track.records import Document, Number, Point, number
from hpcshell.track.store.tables import chunks, series

MOST: Final = 1000
"""Points of a curve unless told otherwise."""
LIMIT: Final = 100_000
"""Most points of a page, and of a curve."""
DIGITS: Final = 6
"""Significant digits of a curve's values; where they lie close together, more."""

Axis = Literal["step", "time"]


class Page(NamedTuple):
    """Some points of a metric; `next` is the cursor of those after them."""

    points: Columns
    next: str | None

    def rows(self) -> list[Point]:
        """As they are answered."""
        steps, times, values = (column.tolist() for column in self.points)
        return [
            Point(step=step, time=time, value=number(value))
            for step, time, value in zip(steps, times, values, strict=True)
        ]


class Curve(Document, frozen=True, kw_only=True):
    """A metric for the eye: of `count` points those that make its shape. Values are rounded to
    what an eye can tell, NaN and infinities are the words for them; `times` are seconds after
    `start`."""

    count: int
    start: float | None = None
    steps: list[int] | None = None
    times: list[float] | None = None
    values: list[Number]


def raw(
    connection: Connection,
    run_id: str,
    key: str,
    *,
    since: int | None = None,
    until: int | None = None,
    limit: int = MOST,
    cursor: str | None = None,
) -> Page:
    """A page of points, of the steps from `since` to `until`. Raises `NotFound` for the metric,
    `Wrong` for the limit and the cursor."""
    if not 1 <= limit <= LIMIT:
        raise Wrong(f"{limit} is no number of points", f"ask for 1 to {LIMIT:,}")
    after = _read_cursor(cursor) if cursor is not None else None
    arrived = every(connection, run_id, key)
    order = _order(arrived.steps, arrived.times)
    within = _between(arrived.steps, order, since, until)
    begin = within.start if after is None else max(within.start, _after(arrived, order, after))
    end = min(within.stop, begin + limit)
    chosen = np.arange(begin, end) if order is None else order[begin:end]
    points = arrived.take(chosen)
    if end >= within.stop or not len(chosen):
        return Page(points, None)
    return Page(points, f"{points.steps[-1]}_{points.times[-1].hex()}_{chosen[-1]}")


def every(connection: Connection, run_id: str, key: str) -> Columns:
    """All points of a metric as they arrived. Raises `NotFound`."""
    found = _arrived(connection, run_id, key)
    if found is None:
        raise NotFound(
            f"run {quote(run_id)} has no metric {quote(key)}", "look at the run for those it has"
        )
    return found


def keys_of(connection: Connection, run_id: str) -> list[str]:
    """The metrics of a run."""
    return list(connection.scalars(_KEYS, {"run_id": run_id}))


def in_order(points: Columns) -> Columns:
    """The same points by step, time and arrival."""
    order = _order(points.steps, points.times)
    return points if order is None else points.take(order)


def curves(
    connection: Connection,
    run_id: str,
    keys: Sequence[str] | None,
    most: int = MOST,
    *,
    by: Axis = "step",
    since: int | None = None,
    until: int | None = None,
) -> dict[str, Curve]:
    """The curves of these metrics (`None`: of all that the run has), each of at most `most` points
    of the steps from `since` to `until`. One that the run does not have is left out. Curves have
    `steps`, or `times` where they are `by` time."""
    if not LEAST <= most <= LIMIT:
        raise Wrong(f"{most} is no number of points of a curve", f"ask for {LEAST} to {LIMIT:,}")
    found: dict[str, Curve] = {}
    for key in keys_of(connection, run_id) if keys is None else keys:
        points = _arrived(connection, run_id, key)  # of one at a time: they may be many
        if points is not None:
            found[key] = _curve(_window(in_order(points), since, until), most, by)
    return found


# ----------------------------------------------------------------------------------------- curves


def _window(points: Columns, since: int | None, until: int | None) -> Columns:
    within = _between(points.steps, None, since, until)
    return points.take(slice(within.start, within.stop))


def _curve(points: Columns, most: int, by: Axis) -> Curve:
    count = len(points.steps)
    if by == "time":
        points = points.take(np.argsort(points.times, kind="stable"))
        shown = points.take(pick(points.times, points.values, most))
        start = float(shown.times[0]) if count else None
        seconds = np.round(shown.times - (start or 0.0), 3).tolist()
        return Curve(count=count, start=start, times=seconds, values=_rounded(shown.values))
    shown = points.take(pick(points.steps.astype(np.float64), points.values, most))
    return Curve(count=count, steps=shown.steps.tolist(), values=_rounded(shown.values))


def _rounded(values: NDArray[np.float64]) -> list[Number]:
    """Each to six digits, or, where they differ little, to what tells them apart."""
    finite = np.isfinite(values)
    numbers = values[finite]
    if not len(numbers):
        return [number(value) for value in values.tolist()]
    spread = float(np.ptp(numbers / 2)) * 2
    with np.errstate(divide="ignore"):
        own = DIGITS - 1 - np.floor(np.log10(np.abs(numbers)))
        shared = DIGITS - 1 - np.floor(np.log10(spread)) if spread else np.inf
    digits = np.where(numbers == np.round(numbers), 0, np.maximum(own, shared))
    rounded = values.astype(object)
    rounded[finite] = [
        value if places > 17 else round(value, int(places))
        for value, places in zip(numbers.tolist(), digits.tolist(), strict=True)
    ]
    rounded[~finite] = [number(value) for value in values[~finite].tolist()]
    answer: list[Number] = rounded.tolist()
    return answer


# ------------------------------------------------------------------------------------------ order


def _order(steps: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.intp] | None:
    """Indices by step, time and arrival; `None` where that is how they arrived."""
    up = steps[1:] > steps[:-1]
    if up.all() or (up | ((steps[1:] == steps[:-1]) & (times[1:] >= times[:-1]))).all():
        return None
    return np.lexsort((times, steps))


def _between(
    steps: NDArray[np.int64],
    order: NDArray[np.intp] | None,
    since: int | None,
    until: int | None,
) -> range:
    """The positions, in order, of the steps from `since` to `until`."""
    low, high = 0, len(steps)
    if since is not None or until is not None:
        ordered = steps if order is None else steps[order]
        if since is not None:
            low = _position(ordered, since, "left")
        if until is not None:
            high = _position(ordered, until, "right")
    return range(low, max(low, high))


def _position(steps: NDArray[np.int64], step: int, side: Literal["left", "right"]) -> int:
    if not -(1 << 63) <= step < 1 << 63:
        return 0 if step < 0 else len(steps)
    return int(np.searchsorted(steps, step, side))


class _Cursor(NamedTuple):
    step: int
    time: float
    arrival: int


_CURSOR: Final = re.compile(r"(-?\d{1,19})_(-?0x[01]\.[0-9a-f]+p[+-]\d{1,4})_(\d{1,15})")


def _read_cursor(text: str) -> _Cursor:
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise Wrong("that is no cursor of these points", "take `next` of the page before it")
    return _Cursor(int(found[1]), float.fromhex(found[2]), int(found[3]))


def _after(points: Columns, order: NDArray[np.intp] | None, cursor: _Cursor) -> int:
    """The position, in order, of the first point after the one that the cursor names."""
    steps = points.steps if order is None else points.steps[order]
    low = _position(steps, cursor.step, "left")
    high = _position(steps, cursor.step, "right")
    arrivals = np.arange(low, high) if order is None else order[low:high]
    times = points.times[arrivals]
    first = int(np.searchsorted(times, cursor.time, "left"))
    last = int(np.searchsorted(times, cursor.time, "right"))
    return low + first + int(np.searchsorted(arrivals[first:last], cursor.arrival, "right"))


# ----------------------------------------------------------------------------------------- chunks

_CHUNKS: Final = (
    select(chunks.c.count, chunks.c.points)
    .join(series, chunks.c.series_id == series.c.id)
    .where(series.c.run_id == bindparam("run_id"), series.c.key == bindparam("key"))
    .order_by(chunks.c.number)
)
_KEYS: Final = (
    select(series.c.key).where(series.c.run_id == bindparam("run_id")).order_by(series.c.key)
)


def _arrived(connection: Connection, run_id: str, key: str) -> Columns | None:
    """All points of a metric as they arrived; a metric that is there has one at least."""
    rows = connection.execute(_CHUNKS, {"run_id": run_id, "key": key})
    parts = [decode(content, count) for count, content in rows]
    return joined(parts) if parts else None
