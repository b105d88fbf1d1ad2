"""Which features nodes must have, in the form of Slurm's `--constraint`.

    a&b       each node has both
    a|b       each node has one of them
    (a|b)&c   without parentheses, from left to right
    [a|b]     all nodes have a, or all nodes have b
    a*2&b     at least two of the nodes have a, all of them b
    [a*2&b*4] two nodes have a, four others b

Alternatives may come once; where they or counts come, the rest is joined by `&`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from hpcshell.core.errors import Wrong

Features = frozenset[str]
Test = Callable[[Features], bool]


class Term(NamedTuple):
    """What a node must have, as written, and whether it has."""

    words: str
    holds: Test


class Constraint(NamedTuple):
    """`each` holds for every node; of `alternatives` one and the same for all of them; of `counts`
    each for so many nodes, none of which counts twice."""

    each: tuple[Term, ...] = ()
    alternatives: tuple[Term, ...] = ()
    counts: tuple[tuple[Term, int], ...] = ()

    def may_hold(self, features: Features) -> bool:
        """Whether a node with these features may be one of the nodes."""
        return all(term.holds(features) for term in self.each) and (
            not self.alternatives or any(term.holds(features) for term in self.alternatives)
        )


_TOKEN: Final = re.compile(r"\s*(?:([\w.:+/-]+)|([&|()\[\]*]))")
_HINT: Final = "features are joined like this: 'a&b', 'a|b', '(a|b)&c', '[a|b]', '[a*2&b*4]'"


@lru_cache(maxsize=1 << 10)
def parse(words: str) -> Constraint:
    """A constraint from its words; "" holds for all nodes. Raises Wrong."""
    if not words.strip():
        return Constraint()
    return _Reader(words).everything()


class _Reader:
    """Reads one constraint from left to right; `here` is the token it is at, "" the end."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._tokens: list[str] = []
        at = 0
        while at < len(words.rstrip()):
            match = _TOKEN.match(words, at)
            if match is None:
                raise Wrong(f"{words[at:].split()[0]!r} has no meaning in a constraint", _HINT)
            self._tokens.append(match[1] or match[2])
            at = match.end()
        self._at = 0

    @property
    def here(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def wrong(self) -> Wrong:
        where = f"at {self.here!r}" if self.here else "at its end"
        return Wrong(f"constraint {self._words!r} is not understood {where}", _HINT)

    def everything(self) -> Constraint:
        """Items joined by & and |. Those of all nodes together only by &."""
        each: Term | None = None
        together: list[Constraint] = []
        operators = set()
        operator = "&"
        while True:
            constraint = self._item()
            if isinstance(constraint, Constraint):
                together.append(constraint)
            else:
                each = constraint if each is None else _joined(each, operator, constraint)
            if self.here not in ("&", "|"):
                break
            operator = self._next()
            operators.add(operator)
        if self.here or (together and "|" in operators):
            raise self.wrong()
        if sum(bool(part.alternatives) for part in together) > 1:
            raise self.wrong()
        return Constraint(
            each=tuple(filter(None, (each, *(term for part in together for term in part.each)))),
            alternatives=tuple(term for part in together for term in part.alternatives),
            counts=tuple(count for part in together for count in part.counts),
        )

    def _item(self) -> Term | Constraint:
        if self.here == "[":
            self._next()
            return self._brackets()
        term, count = self._counted()
        return Constraint(counts=((term, count),)) if count else term

    def _brackets(self) -> Constraint:
        """Alternatives without counts, or counts joined by &."""
        items = [self._counted()]
        operators = set()
        while self.here in ("&", "|"):
            operators.add(self._next())
            items.append(self._counted())
        self._expect("]")
        counted = [count > 0 for _, count in items]
        if all(counted) and operators <= {"&"}:
            return Constraint(counts=tuple(items))
        if not any(counted) and operators <= {"|"}:
            return Constraint(alternatives=tuple(term for term, _ in items))
        raise self.wrong()

    def _counted(self) -> tuple[Term, int]:
        """A term and its count, 0 without one."""
        term = self._term()
        if self.here != "*":
            return term, 0
        self._next()
        if not self.here.isdecimal() or not int(self.here):
            raise self.wrong()
        return term, int(self._next())

    def _term(self) -> Term:
        if self.here == "(":
            self._next()
            term = self._term()
            while self.here in ("&", "|"):
                term = _joined(term, self._next(), self._term())
            self._expect(")")
            return Term(f"({term.words})", term.holds)
        if not self.here or self.here in "&|()[]*":
            raise self.wrong()
        return _feature(self._next())

    def _expect(self, token: str) -> None:
        if self.here != token:
            raise self.wrong()
        self._next()

    def _next(self) -> str:
        token = self.here
        self._at += 1
        return token


def _feature(name: str) -> Term:
    return Term(name, lambda features: name in features)


def _joined(left: Term, operator: str, right: Term) -> Term:
    words = f"{left.words}{operator}{right.words}"
    if operator == "&":
        return Term(words, lambda features: left.holds(features) and right.holds(features))
    return Term(words, lambda features: left.holds(features) or right.holds(features))
