"""Ways to have a store fail in the middle of something."""

from __future__ import annotations

from hpcshell.store.change import OnWrite
from hpcshell.store.faults import disk_error


class Torn(BaseException):
    """The process would have died here."""


def torn_at(number: int, when: str = "before") -> OnWrite:
    """Stop before or after the write of this number."""

    def on_write(moment: str, count: int, kind: str) -> None:
        if moment == when and count == number:
            raise Torn

    return on_write


class Disk:
    """A hook that lets the disk fail at the n-th write from now on, once."""

    def __init__(self) -> None:
        self._left = 0
        self._name = ""

    def fail(self, left: int, name: str) -> None:
        """The `left`-th write from now on (1: the next) fails in the way of this name."""
        self._left, self._name = left, name

    def mend(self) -> None:
        """No more failures."""
        self._left = 0

    def __call__(self, when: str, number: int, kind: str) -> None:
        if when == "before" and self._left:
            self._left -= 1
            if not self._left:
                raise disk_error(self._name)
