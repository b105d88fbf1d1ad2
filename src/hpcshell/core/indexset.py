"""Sets of array indices kept as arithmetic ranges, so that a million elements cost a few bytes.

Text form, as every scheduler writes it: `0-99:2,200`. Ranges are disjoint and ascending.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote

MAX_ELEMENTS: Final = 1_000_000
MAX_INDEX: Final = 4_000_001
_PART: Final = r"([0-9]{1,18})(?:-([0-9]{1,18})(?::([0-9]{1,18}))?)?\Z"
_MANY_PARTS: Final = 100


class IndexSet:
    """An immutable set of non-negative integers: `range`s that are disjoint and ascending."""

    __slots__ = ("_count", "ranges")

    def __init__(self, ranges: tuple[range, ...] = (), count: int = -1) -> None:
        """`count` spares the addition to those who know how many members there are."""
        self.ranges = ranges
        self._count = count if count >= 0 else sum(len(part) for part in ranges)

    @classmethod
    def of(cls, indices: Iterable[int]) -> IndexSet:
        """The set of these indices; runs with an even step become one range."""
        parts: list[range] = []
        for index in sorted(set(indices)):
            last = parts[-1] if parts else None
            if last is not None and len(last) == 1:
                parts[-1] = range(last[0], index + 1, index - last[0])
            elif last is not None and index - last[-1] == last.step:
                parts[-1] = range(last.start, index + 1, last.step)
            else:
                parts.append(range(index, index + 1))
        return cls(tuple(parts))

    @classmethod
    def parse(cls, text: str) -> IndexSet:
        """Read `0-99:2,200`. Raises `Wrong` for anything else, duplicates and excess included."""
        parts = [_parse_part(part, text) for part in text.split(",")]
        parts.sort(key=lambda part: part.start)
        if any(left[-1] >= right[0] for left, right in pairwise(parts)):
            return _interleaved(parts, text)
        if len(parts) > _MANY_PARTS and sum(map(len, parts)) <= MAX_ELEMENTS:
            return cls.of(index for part in parts for index in part)
        return _bounded(cls(tuple(parts)), text)

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return self._count > 0

    def __contains__(self, index: int) -> bool:
        return any(index in part for part in self.ranges)

    def __iter__(self) -> Iterator[int]:
        for part in self.ranges:
            yield from part

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IndexSet) and (
            self._count == other._count and all(a == b for a, b in zip(self, other, strict=True))
        )

    def __hash__(self) -> int:
        return hash((self._count, self.ranges[0][0] if self.ranges else None))

    def __repr__(self) -> str:
        return f"IndexSet({str(self)!r})"

    def __str__(self) -> str:
        return ",".join(_format_part(part) for part in self.ranges)

    @property
    def first(self) -> int:
        return self.ranges[0][0]

    @property
    def last(self) -> int:
        return self.ranges[-1][-1]

    @property
    def rest(self) -> IndexSet:
        """The set less its first member."""
        head = self.ranges[0][1:]
        return IndexSet((head, *self.ranges[1:]) if head else self.ranges[1:], self._count - 1)

    def without(self, index: int) -> IndexSet:
        """The set less one member; taking the first member is O(number of ranges)."""
        for place, part in enumerate(self.ranges):
            if index in part:
                at = part.index(index)
                rest = tuple(piece for piece in (part[:at], part[at + 1 :]) if len(piece))
                return IndexSet(self.ranges[:place] + rest + self.ranges[place + 1 :])
        raise KeyError(index)

    def minus(self, others: Iterable[int]) -> IndexSet:
        """The set less all of `others`."""
        gone = set(others)
        if not gone:
            return self
        kept: list[range] = []
        for part in self.ranges:
            kept.extend(_cut(part, sorted(index for index in gone if index in part)))
        return IndexSet(tuple(kept))

    def within(self, wanted: IndexSet) -> IndexSet:
        """The members that are also in `wanted`."""
        if len(self) <= len(wanted):
            return IndexSet.of(index for index in self if index in wanted)
        return IndexSet.of(index for index in wanted if index in self)


def _cut(part: range, gone: list[int]) -> Iterator[range]:
    begin = 0
    for index in gone:
        at = part.index(index)
        if at > begin:
            yield part[begin:at]
        begin = at + 1
    if begin < len(part):
        yield part[begin:]


def _parse_part(part: str, text: str) -> range:
    match = re.match(_PART, part.strip())
    if match is None:
        raise Wrong(
            f"array {quote(text)}: {quote(part)} is no index or range",
            "write 0-9, 0-99:2 or 1,3,5-8",
        )
    start = int(match[1])
    end = int(match[2]) if match[2] is not None else start
    step = int(match[3]) if match[3] is not None else 1
    if end < start:
        raise Wrong(
            f"array {quote(text)}: the range {part.strip()} runs backwards", f"write {end}-{start}"
        )
    if step < 1:
        raise Wrong(f"array {quote(text)}: a step of {step}", "the least is 1, as in 0-9:1")
    if end > MAX_INDEX:
        raise Wrong(
            f"array {quote(text)}: index {end} is over the limit",
            f"the largest index is {MAX_INDEX}",
        )
    return range(start, end + 1, step)[: (end - start) // step + 1]


def _interleaved(parts: list[range], text: str) -> IndexSet:
    if sum(len(part) for part in parts) > MAX_ELEMENTS:
        raise _too_many(text)
    members = [index for part in parts for index in part]
    if len(set(members)) != len(members):
        raise Wrong(f"array {quote(text)}: an index is named twice", "name every index once")
    return IndexSet.of(members)


def _bounded(indices: IndexSet, text: str) -> IndexSet:
    if len(indices) > MAX_ELEMENTS:
        raise _too_many(text)
    return indices


def _too_many(text: str) -> Wrong:
    return Wrong(
        f"array {quote(text)}: more than {MAX_ELEMENTS:,} elements",
        "split it over several submissions",
    )


def _format_part(part: range) -> str:
    if len(part) == 1:
        return str(part[0])
    if part.step == 1:
        return f"{part[0]}-{part[-1]}"
    if len(part) == 2:
        return f"{part[0]},{part[1]}"
    return f"{part[0]}-{part[-1]}:{part.step}"
