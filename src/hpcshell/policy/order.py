"""A collection that stays in order while it changes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

CHUNK: Final = 512


class Sorted(Generic[T]):
    """Distinct values in ascending order: adding and removing cost the logarithm of the size.

    A list of short lists, so that no change moves more than one of them.
    """

    __slots__ = ("_chunks", "_lasts")

    def __init__(self, ascending: Iterable[T] = ()) -> None:
        values = list(ascending)
        self._chunks = [values[at : at + CHUNK] for at in range(0, len(values), CHUNK)]
        self._lasts: list[Any] = [chunk[-1] for chunk in self._chunks]

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def __len__(self) -> int:
        return sum(map(len, self._chunks))

    def __iter__(self) -> Iterator[T]:
        for chunk in self._chunks:
            yield from chunk

    def __contains__(self, value: T) -> bool:
        place = bisect_left(self._lasts, value)
        if place == len(self._chunks):
            return False
        chunk: list[Any] = self._chunks[place]
        return bool(chunk[bisect_left(chunk, value)] == value)

    @property
    def first(self) -> T:
        return self._chunks[0][0]

    def add(self, value: T) -> None:
        """Put `value` in its place; it must not be there yet."""
        lasts = self._lasts
        if not lasts:
            self._chunks.append([])
            lasts.append(value)
        last = len(lasts) - 1
        place = last if lasts[last] < value else bisect_left(lasts, value)  # mostly it is the last
        chunk: list[Any] = self._chunks[place]
        insort(chunk, value)
        if len(chunk) > 2 * CHUNK:
            self._chunks.insert(place + 1, chunk[CHUNK:])
            self._lasts.insert(place + 1, chunk[-1])
            del chunk[CHUNK:]
        self._lasts[place] = chunk[-1]

    def remove(self, value: T) -> None:
        """Take `value` out. Raises `KeyError` when it is not there."""
        place = bisect_left(self._lasts, value)
        chunk: list[Any] = self._chunks[place] if place < len(self._chunks) else []
        at = bisect_left(chunk, value)
        if at == len(chunk) or chunk[at] != value:
            raise KeyError(value)
        del chunk[at]
        if chunk:
            self._lasts[place] = chunk[-1]
        else:
            del self._chunks[place], self._lasts[place]

    def discard(self, value: T) -> None:
        """Take `value` out if it is there."""
        if value in self:
            self.remove(value)
