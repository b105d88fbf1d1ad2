"""The results of points, from what they left in their folders.

A point's metrics are those of its `metrics.json`; without that the last values in its
`metrics.jsonl`; without that the last that it printed as `name=value`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hpcshell.core.records import Record
from hpcshell.flow.results.points import Metric, Point
from hpcshell.flow.results.reading import curve, document, last, printed, records
from hpcshell.flow.results.table import Table, tabulated
from hpcshell.sweeps.files import Piece, ends
from hpcshell.sweeps.standing import MISSING, Standing

DOCUMENT: Final = "metrics.json"
LINES: Final = "metrics.jsonl"
PRINTED: Final = "stdout"
HEAD: Final = 1 << 16
TAIL: Final = 1 << 20
"""Bytes at the two ends of what was printed that are looked at."""
LARGEST: Final = 16 << 20
"""Bytes of a document of metrics."""
LINES_TAIL: Final = 4 << 20
"""Bytes of lines of metrics: of more than that the last are read."""

Rows = Sequence[Mapping[str, Metric]]


class _Found(Record, frozen=True, kw_only=True):
    """The metrics of a point, and what was wrong on the way to them."""

    metrics: Mapping[str, Metric] = {}
    troubles: tuple[str, ...] = ()


def table(standings: Sequence[Standing]) -> Table:
    """A row for each point: how it stands, its parameters, its metrics."""
    return tabulated(collected(standings))


def collected(standings: Sequence[Standing]) -> list[Point]:
    """Each point with its results. What cannot be read is told in its note."""
    return [_point(standing) for standing in standings]


def history(standing: Standing, metric: str, step_name: str = "") -> list[tuple[float, float]]:
    """The values of a metric over the steps of a point, where it told more than its last.
    `step_name`: what a step is called, besides the usual."""
    rows, _ = _lines(standing.directory)
    found = curve(rows, metric, step_name)
    return found if found else curve(_printed(standing.directory)[0], metric, step_name)


def _point(standing: Standing) -> Point:
    looked = standing.directory and standing.state != MISSING
    found = _metrics(standing.directory) if looked else _Found()
    start, end = standing.start, standing.end
    return Point(
        index=standing.index,
        id=standing.id,
        params=standing.params,
        state=standing.state,
        exit_code=standing.exit_code,
        seconds=None if start is None or end is None else round(max(0.0, end - start), 3),
        job=standing.job,
        on=standing.on,
        metrics=found.metrics,
        note="; ".join(found.troubles),
    )


def _metrics(directory: str) -> _Found:
    metrics, trouble = _document(directory)
    troubles = [f"{DOCUMENT} {trouble}"] if trouble else []
    for name, read in ((LINES, _lines), (PRINTED, _printed)):
        if metrics:
            break
        rows, trouble = read(directory)
        metrics = last(rows)
        if trouble:
            troubles.append(f"{name} {trouble}")
    return _Found(metrics=metrics, troubles=tuple(troubles))


def _document(directory: str) -> tuple[Mapping[str, Metric], str]:
    piece = ends(f"{directory}/{DOCUMENT}", LARGEST, 0)
    if piece is None or piece.trouble:
        return {}, piece.trouble if piece else ""
    if not piece.whole:
        return {}, f"is larger than {LARGEST >> 20} MiB: not read"
    read = document(piece.content)
    return read.metrics, read.trouble


def _lines(directory: str) -> tuple[Rows, str]:
    piece = ends(f"{directory}/{LINES}", 0, LINES_TAIL)
    if piece is None or piece.trouble:
        return (), piece.trouble if piece else ""
    found = records(piece.content)
    return found.rows, found.trouble or _cut(piece)


def _printed(directory: str) -> tuple[Rows, str]:
    piece = ends(f"{directory}/{PRINTED}", HEAD, TAIL)
    if piece is None or piece.trouble:
        return (), piece.trouble if piece else ""
    return printed(piece.content), ""


def _cut(piece: Piece) -> str:
    return "" if piece.whole else f"is long: the last {LINES_TAIL >> 20} MiB of it were read"
