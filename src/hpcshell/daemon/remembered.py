"""What looks have found, to be found again at no cost until something happens.

    ids = engine.remembered.get(("queue", asked), lambda: [...])

Fifty readers of a long queue ask for the same order of it, whichever page of it they want.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

T = TypeVar("T")

MOST: Final = 8
"""So many things at a time: each may be a list of all jobs."""


class Remembered:
    """Only what nothing but a change makes another."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}

    def get(self, key: Hashable, find: Callable[[], T]) -> T:
        """What `find` finds, or found since something happened."""
        if key in self._found:
            known: T = self._found[key]
            return known
        found = find()
        if len(self._found) >= MOST:
            del self._found[next(iter(self._found))]
        self._found[key] = found
        return found

    def forget(self) -> None:
        """Something has happened."""
        self._found.clear()
