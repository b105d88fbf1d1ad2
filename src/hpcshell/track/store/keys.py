"""Which metrics, parameters and tags there are: for whoever names one that is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from hpcshell.core.errors import NotFound
from hpcshell.core.words import nearest, quote
from hpcshell.track.store import texts
from hpcshell.track.store.filters.parse import parse
from hpcshell.track.store.filters.tree import Node, Several
from hpcshell.track.store.filters.vocabulary import RUNS, Term, term
from hpcshell.track.store.tables import runs

LOOKED_AT: Final = 100_000
"""Rows that are looked through for what was meant."""
_NAMED: Final = 8
_NOUNS: Final = {"metrics": "metric", "params": "parameter", "tags": "tag"}


def require(
    connection: Connection,
    space: str,
    key: str,
    *,
    experiments: Sequence[int] = (),
    run_ids: Sequence[str] = (),
) -> None:
    """Raises `NotFound`, with what is like it, unless a run has this key: one of these experiments
    or of these ids, where there are any. `space`: `metrics`, `params` or `tags`."""
    its = RUNS.keyed[space].table.c
    scope = _within(its, experiments, run_ids)
    texts.key(key, _NOUNS[space])
    if connection.execute(scope(select(its.key).where(its.key == key).limit(1))).first():
        return
    some = scope(select(its.key).limit(LOOKED_AT)).subquery()
    known = sorted(connection.scalars(select(some.c.key).distinct()))
    raise NotFound(f"no run here has a {_NOUNS[space]} {quote(key)}", _hint(key, known))


def require_sorting(connection: Connection, sort: str, experiments: Sequence[int] = ()) -> None:
    """The same for the key that runs are sorted by, where it is one. Raises `Wrong`, too."""
    space, dot, key = sort.removeprefix("-").partition(".")
    if dot and (named := term(RUNS, space, key)).space in RUNS.keyed:
        require(connection, named.space, named.key, experiments=experiments)


def require_filter(connection: Connection, filter: str, experiments: Sequence[int] = ()) -> None:
    """The same for the keys of a filter."""
    for named in _terms(parse(filter)) if filter.strip() else ():
        if named.space in RUNS.keyed:
            require(connection, named.space, named.key, experiments=experiments)


def _terms(node: Node) -> Iterator[Term]:
    if isinstance(node, Several):
        for part in node.parts:
            yield from _terms(part)
    else:
        yield term(RUNS, node.name.space, node.name.key)


def _within(its: Any, experiments: Sequence[int], run_ids: Sequence[str]) -> Any:
    def scope(statement: Select[Any]) -> Select[Any]:
        if run_ids:
            return statement.where(its.run_id.in_(run_ids))
        if experiments:
            own = select(runs.c.run_id).where(runs.c.experiment_id.in_(experiments))
            return statement.where(its.run_id.in_(own))
        return statement

    return scope


def _hint(key: str, known: Sequence[str]) -> str:
    if near := nearest(key, known):
        return f"did you mean {near}?"
    if not known:
        return "none has been recorded yet"
    more = f" and {len(known) - _NAMED:,} more" if len(known) > _NAMED else ""
    return "there are " + ", ".join(known[:_NAMED]) + more
