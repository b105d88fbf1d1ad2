"""Searches of MLflow's client in the language of ours: filters, orders, views, pages.

    translated("status = 'KILLED' and start_time > 1700000000000", RUNS)
        "attributes.status IN ('CANCELLED', 'PREEMPTED') AND attributes.started_at > 1700000000.0"

Only names and values that mean something else with us are changed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeVar

from msgspec.structs import replace

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.track.records import Run
from hpcshell.track.store.filters.parse import parse
from hpcshell.track.store.filters.tree import (
    Comparison,
    Missing,
    Name,
    Node,
    Number,
    Several,
    Value,
    shown,
)
from hpcshell.track.store.paging import MOST, Page, Wanted
from hpcshell.track.words import STATUSES
from hpcshell.web.mlflow import told

Row = TypeVar("Row")
View = Literal["live", "deleted", "all"]


class Words(NamedTuple):
    """What MLflow calls the columns of one kind of rows, and what we call them."""

    columns: Mapping[str, str]
    times: frozenset[str]
    """Columns of ours that hold instants: seconds with us, milliseconds with MLflow."""
    tags: Mapping[str, str]
    """Tags of MLflow's that are columns of ours."""


RUNS: Final = Words(
    columns={
        "run_id": "run_id",
        "run_name": "name",
        "run name": "name",
        "status": "status",
        "user_id": "user",
        "start_time": "started_at",
        "created": "started_at",
        "end_time": "ended_at",
    },
    times=frozenset({"started_at", "ended_at"}),
    tags=told.FIELDS,
)
EXPERIMENTS: Final = Words(
    columns={
        "name": "name",
        "experiment_id": "id",
        "creation_time": "created_at",
        "last_update_time": "updated_at",
    },
    times=frozenset({"created_at", "updated_at"}),
    tags={told.NOTE: "description"},
)
_VIEWS: Final[dict[str, View]] = {
    "": "live",
    "ACTIVE_ONLY": "live",
    "DELETED_ONLY": "deleted",
    "ALL": "all",
    "1": "live",
    "2": "deleted",
    "3": "all",
}
_ATTRIBUTES: Final = frozenset({"", "attributes", "attribute", "attr", "run"})
_TAGS: Final = frozenset({"tags", "tag"})
_ORDER: Final = re.compile(
    r"\s*(?:(?P<space>[A-Za-z_]+)\.)?(?P<key>`[^`]+`|\"[^\"]+\"|[^\s`\"]+)"
    r"(?:\s+(?P<way>(?i:asc|desc)))?\s*"
)


def view(word: str) -> View:
    """Which rows are meant: live or deleted ones. Raises `Wrong`."""
    if word not in _VIEWS:
        raise Wrong(f"{quote(word)} is no view", "write ACTIVE_ONLY, DELETED_ONLY or ALL")
    return _VIEWS[word]


def translated(filter: str, words: Words) -> str:
    """The filter as we write it. Raises `Wrong`."""
    return shown(_translated(parse(filter), words)) if filter.strip() else ""


def _translated(node: Node, words: Words) -> Node:
    if isinstance(node, Several):
        return Several(node.word, tuple(_translated(part, words) for part in node.parts))
    column = _column(node.name.space, node.name.key, words)
    if column is None:
        return node
    name = Name("attributes", column)
    if isinstance(node, Missing):
        return Missing(name, node.missing)
    if column == "status":
        return _standing(name, node)
    if column in words.times:
        return Comparison(name, node.operator, tuple(map(_seconds, node.values)))
    return Comparison(name, node.operator, node.values)


def _column(space: str, key: str, words: Words) -> str | None:
    """The column of ours that is named; `None`: what is written means the same with us."""
    if space.lower() in _TAGS:
        return words.tags.get(key)
    return words.columns.get(key.lower()) if space.lower() in _ATTRIBUTES else None


def _seconds(value: Value) -> Value:
    return Number(repr(value.value / 1000)) if isinstance(value, Number) else value


def _standing(name: Name, node: Comparison) -> Comparison:
    """A comparison with MLflow's words for how a run stands, each of which is some of ours."""
    said = {value.upper() for value in node.values if isinstance(value, str)}
    ours = tuple(sorted(mine for mine in STATUSES if told.status(mine) in said))
    if not ours or node.operator not in ("=", "!=", "IN", "NOT IN"):
        return Comparison(name, node.operator, node.values)
    return Comparison(name, "IN" if node.operator in ("=", "IN") else "NOT IN", ours)


def sorting(order_by: Sequence[str], words: Words) -> list[str]:
    """The orders as we write them, `-` for the greatest first. Raises `Wrong`."""
    orders = []
    for said in order_by:
        found = _ORDER.fullmatch(said)
        if found is None:
            raise Wrong(f"order_by {quote(said)} is not understood", "write `metrics.loss DESC`")
        key = found["key"].strip('`"')
        plain = f"{found['space']}.{key}" if found["space"] else key
        sign = "-" if (found["way"] or "").lower() == "desc" else ""
        orders.append(sign + (_column(found["space"] or "", key, words) or plain))
    return orders


def gathered(page: Callable[[Wanted], Page[Row]], wanted: Wanted, most: int) -> Page[Row]:
    """Up to `most` rows, which may be more than one page of ours has."""
    rows: list[Row] = []
    while True:
        found = page(replace(wanted, limit=min(MOST, most - len(rows))))
        rows += found.rows
        if found.next is None or len(rows) >= most:
            return Page(rows=rows, next=found.next)
        wanted = replace(wanted, cursor=found.next)


def reordered(rows: list[Run], orders: Sequence[str]) -> list[Run]:
    """Runs in the order of all of these; the store has put them into that of the first."""
    for order in reversed(orders):
        down = order.startswith("-")
        keyed = [(value(row, order.removeprefix("-")), row) for row in rows]
        having = [pair for pair in keyed if pair[0] is not None]
        having.sort(key=lambda pair: pair[0], reverse=down)
        rows = [row for _, row in having] + [row for at, row in keyed if at is None]
    return rows


def value(row: Run, order: str) -> Any:
    """What a run is sorted by: numbers before texts, `None` where it has no such value."""
    space, _, key = order.partition(".")
    if space in ("metrics", "metric"):
        summary = row.metrics.get(key)
        number = float(summary.last) if summary is not None else math.nan
        return None if math.isnan(number) else (0, number)
    if space in ("params", "param", "parameters", "tags", "tag"):
        text = (row.tags if space.startswith("tag") else row.params).get(key)
        return None if text is None else (1, text)
    found = getattr(row, key or space, None)
    if isinstance(found, str):
        return (1, found)
    return None if found is None else (0, found)
