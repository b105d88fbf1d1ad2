"""What becomes of runs that make room for others, in two forward runs beside each other."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from hpcshell.policy.view import Unit


class Fate(NamedTuple):
    """A run makes room at the instant `at`: it ends (cancel), stands still (suspend), or goes back
    into the queue (requeue). `again`: when it goes on, or starts again; None: it does not, as far
    as was looked."""

    mode: str
    at: float
    again: float | None = None

    @property
    def lost(self) -> float:
        """Seconds until it runs again; `inf`: it does not."""
        return inf if self.again is None else self.again - self.at


class Fates(NamedTuple):
    """Of `elements` of a job what becomes in either run; None: there they make no room."""

    job: int
    elements: int
    before: Fate | None
    after: Fate | None

    @property
    def gain(self) -> float:
        """Seconds that they stand or wait less, in the second run."""
        lost = [0.0 if fate is None else fate.lost for fate in (self.before, self.after)]
        return 0.0 if lost[0] == lost[1] else lost[0] - lost[1]

    def differ(self, least: float) -> bool:
        """Whether they fare otherwise in the second run, by so many seconds at least."""
        if self.before is None or self.after is None or self.before.mode != self.after.mode:
            return True
        return abs(self.gain) >= least or abs(self.before.at - self.after.at) >= least


def fates_of(before: dict[Unit, Fate], after: dict[Unit, Fate], until: float) -> list[Fates]:
    """As far as `until`; the elements of a job that fare alike together, with the first instant at
    which one of them makes room and the last at which one runs again."""
    old, new = (_within(fates, until) for fates in (before, after))
    alike: dict[tuple[int, str, str], list[Unit]] = {}
    for unit in sorted({*old, *new}):
        alike.setdefault((unit[0], _mode(old, unit), _mode(new, unit)), []).append(unit)
    return [
        Fates(job, len(units), _together(old, units), _together(new, units))
        for (job, *_), units in alike.items()
    ]


def _mode(fates: dict[Unit, Fate], unit: Unit) -> str:
    return fates[unit].mode if unit in fates else ""


def _within(fates: dict[Unit, Fate], until: float) -> dict[Unit, Fate]:
    found = {unit: fate for unit, fate in fates.items() if fate.at <= until}
    for unit, fate in found.items():
        if fate.again is not None and fate.again > until:
            found[unit] = fate._replace(again=None)
    return found


def _together(fates: dict[Unit, Fate], units: Iterable[Unit]) -> Fate | None:
    found = [fates[unit] for unit in units if unit in fates]
    if not found:
        return None
    again = [fate.again for fate in found if fate.again is not None]
    return Fate(
        found[0].mode,
        min(fate.at for fate in found),
        max(again) if len(again) == len(found) else None,
    )
