"""Reading filters: comparisons joined by AND and OR, AND first, with parentheses.

    parse("metrics.loss < 0.5 and (tags.team = 'a' or tags.team is null)")

MLflow's searches are among what is read.
"""

from __future__ import annotations

from typing import Final, Literal, cast

from hpcshell.core.errors import Wrong
from hpcshell.track.store.filters.tree import (
    Comparison,
    Missing,
    Name,
    Node,
    Number,
    Operator,
    Several,
    Value,
)
from hpcshell.track.store.filters.words import Word, words, wrong

DEEPEST: Final = 20
"""Parentheses in parentheses."""
MOST: Final = 50
"""Comparisons of a filter."""
MOST_VALUES: Final = 1000
"""Values of an IN."""

_SIGNS: Final = {"=": "=", "==": "=", "!=": "!=", "<>": "!="} | {
    sign: sign for sign in ("<", "<=", ">", ">=")
}
_EXAMPLE: Final = "as in: metrics.loss < 0.5 and params.lr = '0.1'"


def parse(text: str) -> Node:
    """The tree of a filter. Raises `Wrong`, which says where."""
    return _Reader(text).whole()


class _Reader:
    """Looks one word ahead."""

    def __init__(self, text: str) -> None:
        self._words = words(text)
        self._next = next(self._words)
        self._comparisons = 0

    def whole(self) -> Node:
        node = self._several("OR", 0)
        if self._next.kind != "end":
            raise self._expected("AND, OR or the end", _EXAMPLE)
        return node

    def _several(self, word: Literal["AND", "OR"], depth: int) -> Node:
        parts = [self._part(word, depth)]
        while self._next.is_a(word):
            self._take()
            parts.append(self._part(word, depth))
        return parts[0] if len(parts) == 1 else Several(word, tuple(parts))

    def _part(self, word: Literal["AND", "OR"], depth: int) -> Node:
        if word == "OR":
            return self._several("AND", depth)
        if not self._next.is_a("("):
            return self._comparison()
        if depth == DEEPEST:
            raise wrong(self._next.at, "too many parentheses", f"at most {DEEPEST} in each other")
        self._take()
        node = self._several("OR", depth + 1)
        self._sign(")")
        return node

    def _comparison(self) -> Node:
        self._comparisons += 1
        if self._comparisons > MOST:
            raise wrong(
                self._next.at,
                "too many comparisons",
                f"at most {MOST} in a filter; IN takes many values of one name",
            )
        name = self._name()
        if self._next.is_a("IS"):
            return self._missing(name)
        front = "NOT " if self._next.is_a("NOT") else ""
        if front:
            self._take()
        if self._next.is_a("IN"):
            self._take()
            return Comparison(name, cast(Operator, f"{front}IN"), self._values())
        if self._next.is_a("LIKE", "ILIKE"):
            operator = front + self._take().text.upper()
            return Comparison(name, cast(Operator, operator), (self._pattern(),))
        if front or self._next.text not in _SIGNS or self._next.kind != "sign":
            raise self._expected(
                "a comparison", "there are = != < <= > >= LIKE ILIKE IN NOT IN IS NULL"
            )
        operator = _SIGNS[self._take().text]
        return Comparison(name, cast(Operator, operator), (self._value(),))

    def _missing(self, name: Name) -> Missing:
        self._take()
        there = self._next.is_a("NOT")
        if there:
            self._take()
        if not self._next.is_a("NULL"):
            raise self._expected("NULL", "write IS NULL or IS NOT NULL")
        self._take()
        return Missing(name, not there)

    def _name(self) -> Name:
        if self._next.kind != "name":
            raise self._expected("the name of a column", _EXAMPLE)
        word = self._take()
        space, dot, key = word.text.partition(".")
        if not dot:
            return Name("attributes", space)
        if key:
            return Name(space, key)
        if self._next.kind not in ("quoted", "key", "text") or not self._next.text:
            raise self._expected(f"a key after {space}.", f"write {space}.KEY or {space}.`KEY`")
        return Name(space, self._take().text)

    def _values(self) -> tuple[Value, ...]:
        self._sign("(")
        values = [self._value()]
        while self._next.is_a(","):
            self._take()
            values.append(self._value())
            if len(values) > MOST_VALUES:
                raise wrong(self._next.at, "too many values", f"IN takes at most {MOST_VALUES}")
        self._sign(")")
        return tuple(values)

    def _value(self) -> Value:
        if self._next.kind in ("text", "quoted"):
            return self._take().text
        if self._next.kind == "number":
            return Number(self._take().text)
        raise self._expected("a number or a text", "write texts in quotes: 'adam'")

    def _pattern(self) -> str:
        value = self._value()
        if isinstance(value, Number):
            raise self._expected("a pattern", "write it in quotes: LIKE 'adam%'")
        return value

    def _sign(self, sign: str) -> None:
        if not self._next.is_a(sign):
            raise self._expected(sign, _EXAMPLE)
        self._take()

    def _take(self) -> Word:
        word = self._next
        if word.kind != "end":
            self._next = next(self._words)
        return word

    def _expected(self, what: str, hint: str) -> Wrong:
        return wrong(self._next.at, f"expected {what}, found {self._next.shown()}", hint)
