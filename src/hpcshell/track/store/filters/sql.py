"""Filters as conditions of SQL.

A comparison with what is not there is false, whatever the operator. Parameters are compared as
numbers with numbers and as texts with texts.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    and_,
    exists,
    false,
    literal,
    not_,
    or_,
    select,
)

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.track.store import texts
from hpcshell.track.store.filters.parse import parse
from hpcshell.track.store.filters.patterns import alike, alike_in_any_case
from hpcshell.track.store.filters.tree import (
    Comparison,
    Missing,
    Node,
    Number,
    Several,
    Value,
)
from hpcshell.track.store.filters.vocabulary import (
    Keyed,
    Term,
    Vocabulary,
    column,
    head,
    is_instant,
    is_text,
    term,
)
from hpcshell.track.store.tables import HEAD, jobs, runs
from hpcshell.track.words import status_of

LONGEST_PATTERN: Final = 200
MOST_WILD: Final = 10
"""Per cent signs of a pattern: each more makes a search longer."""

Condition = ColumnElement[bool]

_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


_MANY: Final = frozenset({"<", "<=", ">", ">=", "!=", "NOT IN", "NOT LIKE", "NOT ILIKE"})
"""What so many rows are likely to be that they are better tried one after the other until a page is
full; the rows of the others are looked up by the index, once."""


def condition(vocabulary: Vocabulary, filter: str) -> Condition | None:
    """What the filter means; `None`: all rows. Raises `Wrong`."""
    return of_tree(vocabulary, parse(filter)) if filter.strip() else None


def of_tree(vocabulary: Vocabulary, node: Node) -> Condition:
    """The same for a tree."""
    if isinstance(node, Several):
        parts = [of_tree(vocabulary, part) for part in node.parts]
        return and_(*parts) if node.word == "AND" else or_(*parts)
    named = term(vocabulary, node.name.space, node.name.key)
    if named.space in vocabulary.keyed:
        return _of_key(vocabulary, vocabulary.keyed[named.space], named, node)
    its = column(vocabulary, named)
    if named.space != "job":
        return _of_column(its, named, node)
    if isinstance(node, Missing) and node.missing:
        return not_(_of_job(its.is_not(None)))
    return _of_job(_of_column(its, named, node))


def _of_job(said: Condition) -> Condition:
    return exists().where(jobs.c.key == runs.c.job_key, said).correlate(runs)


# ------------------------------------------------------------------------------------- columns


def _of_column(its: ColumnElement[Any], named: Term, node: Comparison | Missing) -> Condition:
    if isinstance(node, Missing):
        return its.is_(None) if node.missing else its.is_not(None)
    if not is_text(its):
        return _of_numbers(its, [_number(named, value) for value in node.values], node.operator)
    written = [_text(named, value, node.operator) for value in node.values]
    if its is runs.c.status and "LIKE" not in node.operator:
        written = [status_of(word) for word in written]
    return _of_texts(its, written, node.operator)


def _number(named: Term, value: Value) -> int | float:
    if isinstance(value, Number):
        return value.value
    if not is_instant(named):
        raise Wrong(
            f"filter: {named.key} is a number and is compared with the text {quote(value)}",
            "leave the quotes out",
        )
    try:
        return datetime.fromisoformat(value).timestamp()  # without a zone it is of that of here
    except (ValueError, OverflowError, OSError):
        raise Wrong(
            f"filter: {named.key} is an instant and is compared with the text {quote(value)}",
            "write '2026-11-27', '2026-11-27 14:30', '2026-11-27T14:30Z', or Unix seconds",
        ) from None


def _text(named: Term, value: Value, sign: str) -> str:
    if isinstance(value, str):
        return texts.kept(value, "filter")
    if sign in ("=", "!=", "IN", "NOT IN"):
        return value.written
    raise Wrong(
        f"filter: {named.key} is a text and is compared with the number {value.written}",
        f"write it in quotes: '{value.written}'",
    )


def _of_numbers(its: ColumnElement[Any], values: Sequence[int | float], sign: str) -> Condition:
    if "LIKE" in sign:
        raise Wrong("filter: a number has no pattern", "there are = != < <= > >= IN for numbers")
    if sign in ("IN", "NOT IN"):
        return _among(its, [value for value in values if not math.isnan(value)], sign)
    value = values[0]
    if math.isnan(value):
        return its.is_not(None) if sign == "!=" else false()
    return _compared(its, value, sign)


def _compared(its: ColumnElement[Any], value: int | float, sign: str) -> Condition:
    said: Condition = _COMPARE[sign](its, _exact(its, value))
    return said


def _among(its: ColumnElement[Any], values: Sequence[int | float], sign: str) -> Condition:
    """Whole numbers apart from the others: in one list with them a database would round them."""
    exact = [_exact(its, value) for value in values]
    lists = [
        [each for each in exact if isinstance(each.type, kind)] for kind in (BigInteger, Double)
    ]
    if sign == "IN":
        return or_(false(), *[its.in_(each) for each in lists if each])
    return and_(its.is_not(None), *[its.not_in(each) for each in lists if each])


def _exact(its: ColumnElement[Any], value: int | float) -> ColumnElement[Any]:
    """By the value's own type: the column's would round it."""
    if isinstance(value, int) and not isinstance(its.type, Double):
        return literal(value, BigInteger())
    return literal(float(value), Double())


def _of_texts(its: ColumnElement[Any], values: Sequence[str], sign: str) -> Condition:
    if sign == "IN":
        return its.in_(values)
    if sign == "NOT IN":
        return its.not_in(values)
    if "LIKE" in sign:
        return _like(its, values[0], sign)
    said: Condition = _COMPARE[sign](its, values[0])
    return said


def _like(its: ColumnElement[Any], pattern: str, sign: str) -> Condition:
    """Only LIKE heeds the case of letters, and ILIKE knows that of ASCII's."""
    if len(pattern) > LONGEST_PATTERN or pattern.count("%") > MOST_WILD:
        raise Wrong(
            f"filter: the pattern {quote(pattern)} is too long or has too many %",
            f"at most {LONGEST_PATTERN:,} characters and {MOST_WILD} %",
        )
    wild = alike_in_any_case(its, pattern) if "ILIKE" in sign else alike(its, pattern)
    return not_(wild) if sign.startswith("NOT") else wild


# ---------------------------------------------------------------------------------------- keys


def _of_key(
    vocabulary: Vocabulary, keyed: Keyed, named: Term, node: Comparison | Missing
) -> Condition:
    owned = keyed.table.c
    owner = owned[keyed.owner]
    having = select(owner).where(owned.key == named.key)
    if isinstance(node, Missing):
        whose = vocabulary.owner
        return whose.not_in(having) if node.missing else whose.in_(having)
    said = _of_value(keyed, named, node)
    if node.operator in _MANY:
        return exists(having.where(owner == vocabulary.owner, said).correlate(vocabulary.table))
    return vocabulary.owner.in_(having.where(said))


def _of_value(keyed: Keyed, named: Term, node: Comparison) -> Condition:
    """The rows of a key by their values."""
    if keyed.text is None:
        numbers = [_number(named, value) for value in node.values]
        return _of_kept_number(keyed, numbers, node.operator)
    if keyed.number is None or all(isinstance(value, str) for value in node.values):
        written = [_text(named, value, node.operator) for value in node.values]
        return _of_kept_text(keyed, written, node.operator)
    numbers = [value.value for value in node.values if isinstance(value, Number)]
    if any(map(math.isnan, numbers)):
        raise Wrong("filter: NaN as a parameter is a text", "write it in quotes: 'NaN'")
    said = _of_kept_number(keyed, numbers, node.operator)
    written = [value for value in node.values if isinstance(value, str)]
    if not written:  # more than one value, of both kinds, has IN alone
        return said
    besides = _of_kept_text(keyed, [texts.kept(each, "filter") for each in written], node.operator)
    return or_(said, besides) if node.operator == "IN" else and_(said, besides)


def _of_kept_number(keyed: Keyed, values: Sequence[int | float], sign: str) -> Condition:
    """NULL is NaN, or no number: different from all numbers, and neither more nor less."""
    its = keyed.table.c[str(keyed.number)]
    nan = any(map(math.isnan, values))
    if nan and sign in ("=", "!="):
        return its.is_(None) if sign == "=" else its.is_not(None)
    said = _of_numbers(its, values, sign)
    if sign in ("!=", "NOT IN") and not nan:
        return or_(its.is_(None), said)
    return or_(its.is_(None), said) if sign == "IN" and nan else said


def _of_kept_text(keyed: Keyed, values: Sequence[str], sign: str) -> Condition:
    its = keyed.table.c[str(keyed.text)]
    said = _of_texts(its, values, sign)
    if sign in ("=", "IN"):  # by the index, which has only the first characters
        heads = [value[:HEAD] for value in values]
        found = head(its) == heads[0] if len(heads) == 1 else head(its).in_(heads)
        whole = all(len(value) < HEAD for value in values)
        return found if whole else and_(found, said)
    return said
