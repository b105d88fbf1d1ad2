"""A filter's text as words: names, numbers, quoted texts, operators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

LONGEST: Final = 10_000
"""Characters of a filter."""

_WORD: Final = re.compile(
    r"""\s*(?:
        (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])|[+-]?(?:inf|nan)\b)
      | (?P<name>[^\W\d][\w./-]*)
      | (?P<sign><=|>=|!=|<>|==|[=<>(),])
      | '(?P<text>(?:[^']|'')*)'
      | "(?P<quoted>(?:[^"]|"")*)"
      | `(?P<key>(?:[^`]|``)*)`
      | (?P<end>\Z)
    )""",
    re.ASCII | re.VERBOSE | re.IGNORECASE,
)
_QUOTES: Final = {"text": "'", "quoted": '"', "key": "`"}


class Word(NamedTuple):
    """One word: its kind (`number`, `name`, `sign`, `text`, `quoted`, `key`, `end`), what it says
    without its quotes, and its place, counted from 1."""

    kind: str
    text: str
    at: int

    def is_a(self, *spelled: str) -> bool:
        """Whether it is one of these words or signs, given in capitals."""
        return self.kind in ("name", "sign") and self.text.upper() in spelled

    def shown(self) -> str:
        """It for an error message."""
        return "the end" if self.kind == "end" else quote(self.text)


def words(text: str) -> Iterator[Word]:
    """The words of a filter, the last being its end. Raises `Wrong`."""
    if len(text) > LONGEST:
        raise Wrong(f"the filter has {len(text):,} characters", f"the limit is {LONGEST:,}")
    place = 0
    while True:
        found = _WORD.match(text, place)
        if found is None:
            raise _unreadable(text, place)
        kind = str(found.lastgroup)
        mark = _QUOTES.get(kind)
        said = found[kind] if mark is None else found[kind].replace(mark * 2, mark)
        begin = found.start(kind) + (1 if mark is None else 0)
        yield Word(kind, said, begin)
        if kind == "end":
            return
        place = found.end()


def wrong(at: int, what: str, hint: str) -> Wrong:
    """The error about a place in a filter."""
    return Wrong(f"filter, character {at}: {what}", hint)


def _unreadable(text: str, place: int) -> Wrong:
    rest = text[place:].lstrip()
    at = len(text) - len(rest) + 1
    if rest[:1] in _QUOTES.values():
        return wrong(at, "a quotation that does not end", f"end it with {rest[0]}")
    return wrong(
        at, f"{quote(rest[:1])} means nothing here", "write texts in 'quotes', odd keys in `these`"
    )
