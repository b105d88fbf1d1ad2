"""One page of a list, by whatever it is sorted: the numbers of its rows.

A list has phases, each with rows that have a value of one kind in the order of that value, the last
with those that have none. So each is one walk along an index, and a page is at most a few of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    or_,
    select,
)
from sqlalchemy.sql.selectable import FromClause

from hpcshell.track.store import paging
from hpcshell.track.store.deadlines import SECONDS, deadline
from hpcshell.track.store.filters.sql import condition
from hpcshell.track.store.filters.vocabulary import (
    Keyed,
    Term,
    Vocabulary,
    column,
    head,
    term,
    with_jobs,
)
from hpcshell.track.store.paging import Place, Wanted
from hpcshell.track.store.tables import jobs

_AS_MADE = ("created_at", "id", "seq")
"""What is sorted by the number of the row itself."""


class Phase(NamedTuple):
    """Rows of one kind: their tables, what they are sorted by (`None`: their number alone)."""

    source: FromClause
    value: ColumnElement[Any] | None
    where: tuple[ColumnElement[Any], ...] = ()


def page(
    connection: Connection, vocabulary: Vocabulary, wanted: Wanted
) -> tuple[list[int], str | None]:
    """The numbers of the rows in their order, and the next page's cursor. Raises `Wrong`."""
    limit = paging.limited(wanted)
    after = paging.read(connection, vocabulary.kind, wanted)
    found: list[Place] = []
    with deadline(connection, SECONDS):
        for number, statement in _statements(vocabulary, wanted, after):
            rows = connection.execute(statement, {"most": limit + 1 - len(found)})
            found += [Place(number, value, id) for id, value in rows]
            if len(found) > limit:
                break
    ids = [place.id for place in found[:limit]]
    if len(found) <= limit:
        return ids, None
    return ids, paging.written(connection, vocabulary.kind, wanted, found[limit - 1])


def _statements(
    vocabulary: Vocabulary, wanted: Wanted, after: Place | None
) -> Iterator[tuple[int, Select[Any]]]:
    """Each phase that is to be looked at, numbered."""
    down = wanted.sort.startswith("-")
    scope = _scope(vocabulary, wanted)
    for number, phase in enumerate(_phases(vocabulary, wanted.sort.removeprefix("-"))):
        if after is not None and number < after.phase:
            continue
        begin = after if after is not None and number == after.phase else None
        yield number, _statement(vocabulary.id, phase, scope, begin, down)


def _statement(
    id: Column[int],
    phase: Phase,
    scope: list[ColumnElement[Any]],
    after: Place | None,
    down: bool,
) -> Select[Any]:
    value = id if phase.value is None else phase.value
    statement = select(id, value).select_from(phase.source).where(*scope, *phase.where)
    if after is not None:
        statement = statement.where(_beyond(id, phase.value, after, down))
    order = [id] if phase.value is None else [phase.value, id]
    by = [each.desc() if down else each.asc() for each in order]
    return statement.order_by(*by).limit(bindparam("most"))


def _beyond(
    id: Column[int], value: ColumnElement[Any] | None, after: Place, down: bool
) -> ColumnElement[Any]:
    """The rows after a place. The first part says to a planner where in the index to begin."""
    later = id < after.id if down else id > after.id
    if value is None:
        return later
    if down:
        return and_(value <= after.value, or_(value < after.value, later))
    return and_(value >= after.value, or_(value > after.value, later))


def _scope(vocabulary: Vocabulary, wanted: Wanted) -> list[ColumnElement[Any]]:
    table = vocabulary.table
    scope: list[ColumnElement[Any]] = []
    if wanted.deleted != "all":
        gone = table.c.deleted_at
        scope.append(gone.is_(None) if wanted.deleted == "live" else gone.is_not(None))
    if wanted.experiments:
        own = table.c["experiment_id" if "experiment_id" in table.c else "id"]
        one = len(wanted.experiments) == 1
        scope.append(own == wanted.experiments[0] if one else own.in_(wanted.experiments))
    if (filtered := condition(vocabulary, wanted.filter)) is not None:
        scope.append(filtered)
    return scope


# -------------------------------------------------------------------------------------- phases


def _phases(vocabulary: Vocabulary, sort: str) -> list[Phase]:
    table = vocabulary.table
    if sort in _AS_MADE:
        return [Phase(table, None)]
    space, dot, key = sort.partition(".")
    named = term(vocabulary, space, key) if dot else term(vocabulary, "attributes", sort)
    if named.space in vocabulary.keyed:
        return _by_key(vocabulary, vocabulary.keyed[named.space], named)
    by = column(vocabulary, named)
    if named.space == "job":
        having = Phase(with_jobs(table), head(by), (by.is_not(None),))
        none = table.c.job_key.is_(None) | table.c.job_key.in_(
            select(jobs.c.key).where(by.is_(None))
        )
        return [having, Phase(table, None, (none,))]
    if not getattr(by, "nullable", False):  # what is reckoned is always there
        return [Phase(table, head(by))]
    return [
        Phase(table, head(by), (by.is_not(None),)),
        Phase(table, None, (by.is_(None),)),
    ]


def _by_key(vocabulary: Vocabulary, keyed: Keyed, named: Term) -> list[Phase]:
    """Numbers, then texts, then the rows that have no such key."""
    owned = keyed.table.c
    source = keyed.table.join(vocabulary.table, owned[keyed.owner] == vocabulary.owner)
    its = owned.key == named.key
    phases = []
    missing = its
    if keyed.number is not None:
        number = owned[keyed.number]
        phases.append(Phase(source, number, (its, number.is_not(None))))
        missing = its if keyed.text is not None else and_(its, number.is_not(None))
    if keyed.text is not None:
        alone = () if keyed.number is None else (owned[keyed.number].is_(None),)
        phases.append(Phase(source, head(owned[keyed.text]), (its, *alone)))
    having = select(owned[keyed.owner]).where(missing)
    return [*phases, Phase(vocabulary.table, None, (vocabulary.owner.not_in(having),))]
