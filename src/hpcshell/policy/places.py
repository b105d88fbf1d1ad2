"""The places of one decision: who holds what from when, promises of earlier decisions included.

A place that was promised rests on when runs end, and a run may overstay, or be given more time; or
somebody comes in that goes before it. So promises are recalled in the order of the line: each as
it was given or, where it does not fit beside what runs and what goes before it any more, at the
first instant after that. Nobody is put off for the sake of what comes after it, and nobody for
longer than what goes before it makes it wait.

Then come the turns, in the same order. Whose turn it is gives its place back and takes the first
one that disturbs nobody, its own or an earlier one. Only what has no place yet, or would be put
off longer than what goes before it asks for, may take what others after it have been promised: they
are recalled once more.
"""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import NamedTuple

from hpcshell.policy.line import Shape
from hpcshell.policy.profile import Profile
from hpcshell.policy.view import Unit


class Place(NamedTuple):
    """Of one who has been promised something: `promised`, and the `start` that is left of it."""

    shape: Shape
    promised: float
    start: float


class Places:
    """`profile`: what is left by what runs and by all who have had their turn.

    `_kept` are the promises of those who have not, first in line first; `_beside` is what they
    leave of `profile` (None: there are none, or they are to be recalled). `_mine` is the place that
    whose turn it is has given back. `_since` and `_since_beside` are from when each shape is worth
    looking for: what is taken only ever takes room away.
    """

    def __init__(self, profile: Profile, now: float) -> None:
        self.profile = profile
        self._now = now
        self._kept: dict[Unit, Place] = {}
        self._beside: Profile | None = None
        self._mine: Place | None = None
        self._since: dict[Shape, float] = {}
        self._since_beside: dict[Shape, float] = {}

    def keep(self, unit: Unit, shape: Shape, promised: float) -> None:
        """An earlier decision's promise; the first in line is to be told of first."""
        self._kept[unit] = Place(shape, max(promised, self._now), promised)

    def turn(self, unit: Unit) -> None:
        """It is this element's turn."""
        self._mine = None
        if unit not in self._kept:
            return
        beside = self._recalled()
        mine = self._mine = self._kept.pop(unit, None)
        if not self._kept:
            self._beside = None
        elif mine is not None and mine.shape.need is not None:
            beside.give_back(mine.start, mine.shape.length, mine.shape.need)

    def fits_now(self, shape: Shape) -> bool:
        """Whether it may have its place now."""
        if not self.profile.fits(self._now, shape.length, shape.need):
            return False
        mine, beside = self._mine, self._beside
        due = mine is None or mine.promised <= self._now
        return due or beside is None or beside.fits(self._now, shape.length, shape.need)

    def first(self, shape: Shape, earliest: float = -inf) -> float | None:
        """The first instant, no earlier than `earliest`, at which it may have its place; None:
        never."""
        mine = self._mine
        if earliest > self._now:
            return self.profile.first(earliest, shape.length, shape.need)
        if mine is None or self._beside is None:
            since = self._since.get(shape, self._now)
            start = self.profile.earliest(shape.length, shape.need, since)
            if start is not None:
                self._since[shape] = start
            return start
        start = self._undisturbing(shape, mine, self._beside)
        if start is None or start > mine.promised:
            return self.profile.first(mine.promised, shape.length, shape.need)
        return start

    def take(self, start: float, shape: Shape) -> None:
        """Whose turn it is has its place from `start` on."""
        assert shape.need is not None, "what never fits has no place"
        self.profile.take(start, shape.length, shape.need)
        if self._beside is None:
            return
        if self._beside.fits(start, shape.length, shape.need):
            self._beside.take(start, shape.length, shape.need)
        else:
            self._beside = None
        if self._mine is not None and start != self._mine.start:
            self._since_beside.clear()

    def stay(self) -> float | None:
        """Whose turn it is has the place again that it has given back; None: it had none."""
        if self._mine is not None:
            self.take(self._mine.start, self._mine.shape)
        return None if self._mine is None else self._mine.start

    def lapse(self) -> None:
        """No promise is left for those who have not had their turn."""
        self._kept.clear()
        self._beside = None

    def lapse_of(self, job: int) -> None:
        """No more elements of this job may go: the promises they had stand in the way."""
        gone = [unit for unit in self._kept if unit[0] == job]
        for unit in gone:
            del self._kept[unit]
        if gone:
            self._beside = None

    def rest(self, most: int) -> dict[Unit, float]:
        """The promises of those who have not had their turn, of so many at most."""
        self._kept = dict(islice(self._kept.items(), most))
        if any(place.start > place.promised for place in self._kept.values()):
            self._beside = None  # what went before may have left them better places since
        if self._kept:
            self._recalled()
        return {unit: place.start for unit, place in self._kept.items()}

    def _recalled(self) -> Profile:
        """`_beside`, made anew if it must be."""
        if self._beside is not None:
            return self._beside
        beside = self._beside = self.profile.copy()
        self._since_beside.clear()
        kept, self._kept = self._kept, {}
        for unit, (shape, promised, _) in kept.items():
            start = beside.first(promised, shape.length, shape.need)
            if start is not None and shape.need is not None:
                self._kept[unit] = Place(shape, promised, start)
                beside.take(start, shape.length, shape.need)
        return beside

    def _undisturbing(self, shape: Shape, mine: Place, beside: Profile) -> float | None:
        """The first place that is nobody's; what was given back counts from before it began."""
        since = self._since_beside.get(shape, self._now)
        reach = inf if shape.length is None else shape.length + beside.resolution
        since = min(since, mine.start - reach)
        start = beside.earliest(shape.length, shape.need, since)
        if start is not None:
            self._since_beside[shape] = start
        return start
