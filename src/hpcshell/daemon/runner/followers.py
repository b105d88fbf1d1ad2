"""Runs that are kept to follow others, each in the place of one that is alive or kept itself."""

from __future__ import annotations

from hpcshell.daemon.runner import wire


class Followers:
    """In memory alone: whoever lent them has them on record, and asks the next runner again."""

    def __init__(self) -> None:
        self._after: dict[int, wire.Start] = {}
        self._kept: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._after)

    def __contains__(self, run: int) -> bool:
        """Whether this run is kept."""
        return run in self._kept

    def keep(self, order: wire.Start) -> None:
        """Keep a run until the one it follows is over."""
        self._after[order.after] = order
        self._kept.add(order.run)

    def forget(self, run: int) -> None:
        """Do not keep this run: it starts in its own right."""
        self._kept.discard(run)
        self._after = {over: order for over, order in self._after.items() if order.run != run}

    def of(self, run: int) -> wire.Start | None:
        """The run that follows this one, which is over; it is kept no longer."""
        order = self._after.pop(run, None)
        if order is not None:
            self._kept.discard(order.run)
        return order

    def line_of(self, run: int) -> list[int]:
        """All that follow this one, one after the other; they are kept no longer."""
        line: list[int] = []
        while (order := self.of(run)) is not None:
            line.append(run := order.run)
        return line

    def give_back(self) -> list[int]:
        """All that are kept; none is, any longer."""
        runs = sorted(self._kept)
        self._after.clear()
        self._kept.clear()
        return runs
