"""All points in one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from hpcshell.core.records import Record
from hpcshell.flow.results.points import Point

FIRST: Final = ("index", "id", "state", "exit_code", "seconds", "job", "on")
NOTE: Final = "note"
_PREFIXES: Final = ("params.", "metrics.")
Kind = Literal["point", "param", "metric"]


class Column(Record, frozen=True, kw_only=True):
    """`name` is of this column alone; `key`: what the parameter or the metric is called."""

    name: str
    kind: Kind
    key: str


class Table(Record, frozen=True, kw_only=True):
    """A row for each point, a cell for each column; None where a point has no such value."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What heads the columns."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> list[Any]:
        """The cells below a name. Raises `ValueError` where there is none."""
        at = self.names.index(name)
        return [row[at] for row in self.rows]


def tabulated(points: Sequence[Point]) -> Table:
    """The points as a table: how each stands, parameters, metrics, the note. A parameter and a
    metric of one name are told apart by `params.` and `metrics.` before it."""
    params = _names(point.params for point in points)
    metrics = _names(point.metrics for point in points)
    taken = {*FIRST, NOTE, *(params.keys() & metrics.keys())}
    columns = [Column(name=name, kind="point", key=name) for name in FIRST]
    columns += [_column("param", key, taken) for key in params]
    columns += [_column("metric", key, taken) for key in metrics]
    columns.append(Column(name=NOTE, kind="point", key=NOTE))
    rows = tuple(_row(point, list(params), list(metrics)) for point in points)
    return Table(columns=tuple(columns), rows=rows)


def _names(mappings: Iterable[Iterable[str]]) -> dict[str, None]:
    """All names, in the order in which they come up."""
    found: dict[str, None] = {}
    for mapping in mappings:
        found.update(dict.fromkeys(mapping))
    return found


def _column(kind: Literal["param", "metric"], key: str, taken: set[str]) -> Column:
    """One that looks as if it had a prefix is given one, too: so no two names are the same."""
    apart = key in taken or key.startswith(_PREFIXES)
    return Column(name=f"{kind}s.{key}" if apart else key, kind=kind, key=key)


def _row(point: Point, params: list[str], metrics: list[str]) -> tuple[Any, ...]:
    return (
        *(getattr(point, name) for name in FIRST),
        *map(point.params.get, params),
        *map(point.metrics.get, metrics),
        point.note,
    )
