"""What is asked of a card's driver, whoever's it is."""

from __future__ import annotations

from typing import Protocol

from hpcshell.core.errors import Broken
from hpcshell.core.gpus import Card, Reading


class GpusMissing(Broken):
    """No card can be asked: what is missing, and what to do about it."""


class GPUProvider(Protocol):
    """Three functions about the cards of this machine. Any of them may hang as long as it likes,
    and raises `GpusMissing` where the driver as a whole does not answer."""

    name: str
    driver: str
    """The driver's version, "" where it has none."""
    trouble: str
    """Why the cards last told of may not be all, else ""."""

    def cards(self) -> tuple[Card, ...]:
        """The cards there are now, in the order of the bus, and those that were there and are
        lost."""

    def readings(self) -> tuple[Reading, ...]:
        """What each of the cards last told of says now, in their order. Of tenants only pid and
        memory are known. What is wrong with one is told of that one alone."""

    def links(self) -> tuple[tuple[int, ...], ...]:
        """The groups of cards joined by links of their own, by their number among those last told
        of."""

    def close(self) -> None:
        """Let go of the driver."""
