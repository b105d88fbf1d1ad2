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
from hpcshell.policy.room import Vector
from hpcshell.policy.spots import Spot, earliest, first, spot_at
from hpcshell.policy.view import Unit


class Place(NamedTuple):
    """Of one who has been promised something: `promised`, and the `start` that is left of it, at
    which `need` is taken (None: that is not chosen yet)."""

    shape: Shape
    promised: float
    start: float
    need: Vector | None


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

    def keep(self, unit: Unit, shape: Shape, promised: float, need: Vector | None) -> None:
        """An earlier decision's promise, of `need`; the first in line is to be told of first."""
        self._kept[unit] = Place(shape, max(promised, self._now), promised, need)

    def turn(self, unit: Unit) -> None:
        """It is this element's turn."""
        self._mine = None
        if unit not in self._kept:
            return
        beside = self._recalled()
        mine = self._mine = self._kept.pop(unit, None)
        if not self._kept:
            self._beside = None
        elif mine is not None and mine.need is not None:
            beside.give_back(mine.start, mine.shape.length, mine.need)

    def fits_now(self, shape: Shape) -> Vector | None:
        """What it may take now; None: it may not have its place yet."""
        need = spot_at(self.profile, self._now, shape)
        if need is None:
            return None
        if self.at_hand is self.profile:
            return self._undisturbed(self._now, shape, need)
        return spot_at(self.at_hand, self._now, shape)

    @property
    def at_hand(self) -> Profile:
        """What whose turn it is may start in now: not in what others are promised, as long as its
        own promise is still to come."""
        mine, beside = self._mine, self._beside
        if beside is None or mine is None or mine.promised <= self._now:
            return self.profile
        return beside

    def first(self, shape: Shape, since: float = -inf) -> Spot | None:
        """The first spot, no earlier than `since`, that it may have; None: never."""
        mine = self._mine
        if since > self._now:
            return first(self.profile, shape, since)
        if mine is None or self._beside is None:
            spot = earliest(self.profile, shape, self._since.get(shape, self._now))
            if spot is None:
                return None
            self._since[shape] = spot.start
            return spot._replace(need=self._undisturbed(spot.start, shape, spot.need))
        spot = self._undisturbing(shape, mine, self._beside)
        if spot is None or spot.start > mine.promised:
            return first(self.profile, shape, mine.promised)
        return spot

    def take(self, spot: Spot, length: float | None) -> None:
        """Whose turn it is has this place for so long."""
        start, need = spot
        self.profile.take(start, length, need)
        if self._beside is None:
            return
        if self._beside.fits(start, length, need):
            self._beside.take(start, length, need)
        else:
            self._beside = None
        if self._mine is not None and start != self._mine.start:
            self._since_beside.clear()

    def stay(self) -> Place | None:
        """Whose turn it is has the place again that it has given back; None: it had none."""
        mine = self._mine
        if mine is None or mine.need is None:
            return None
        self.take(Spot(mine.start, mine.need), mine.shape.length)
        return mine

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

    def rest(self, most: int) -> dict[Unit, Place]:
        """The promises of those who have not had their turn, of so many at most."""
        self._kept = dict(islice(self._kept.items(), most))
        if any(place.start > place.promised for place in self._kept.values()):
            self._beside = None  # what went before may have left them better places since
        if self._kept:
            self._recalled()
        return self._kept

    def _recalled(self) -> Profile:
        """`_beside`, made anew if it must be."""
        if self._beside is not None:
            return self._beside
        beside = self._beside = self.profile.copy()
        self._since_beside.clear()
        kept, self._kept = self._kept, {}
        for unit, (shape, promised, _, need) in kept.items():
            spot = _again(beside, shape, promised, need)
            if spot is not None:
                self._kept[unit] = Place(shape, promised, *spot)
                beside.take(spot.start, shape.length, spot.need)
        return beside

    def _undisturbed(self, start: float, shape: Shape, need: Vector) -> Vector:
        """What it takes from then on, though it may be what others were promised: nothing of that,
        where there is a choice, instead of `need`."""
        if shape.place is None or self._beside is None:
            return need
        return spot_at(self._beside, start, shape) or need

    def _undisturbing(self, shape: Shape, mine: Place, beside: Profile) -> Spot | None:
        """The first place that is nobody's; what was given back counts from before it began."""
        since = self._since_beside.get(shape, self._now)
        reach = inf if shape.length is None else shape.length + beside.resolution
        since = min(since, mine.start - reach)
        spot = earliest(beside, shape, since)
        if spot is not None:
            self._since_beside[shape] = spot.start
        return spot


def _again(profile: Profile, shape: Shape, promised: float, need: Vector | None) -> Spot | None:
    """What was promised or, where that is not free any more, the first spot after it."""
    chosen = need is not None and shape.place is not None
    if chosen and need is not None and profile.fits(promised, shape.length, need):
        return Spot(promised, need)
    return first(profile, shape, promised)
