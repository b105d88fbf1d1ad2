"""What one decision has to give: the machine as all may use it, or what a reservation sets apart.

`free` is what is left as the decision goes. There are no places until a promise, or something that
is to come, makes it matter when things become free.
"""

from __future__ import annotations

from math import inf

from hpcshell.policy.holdings import Unit
from hpcshell.policy.line import UNLIMITED, Shape
from hpcshell.policy.places import Places
from hpcshell.policy.plan import Policy
from hpcshell.policy.profile import Profile
from hpcshell.policy.reserve import Stock
from hpcshell.policy.room import Vector, fits, minus, plus
from hpcshell.policy.spots import Spot


class Ground:
    """`left`: how many promises may still be given. `first`: the first in line that cannot start.
    `barred`: nobody may pass it, but what has begun may go on; `kept`: not even that, since room is
    to be made for it. `coming`: what comes free where room is being made already, and the first
    instant of that. `passing`: others may, in an order of their own. `spots`: what is promised,
    where there was a choice."""

    def __init__(self, stock: Stock, policy: Policy, now: float, gpus: list[int]) -> None:
        self.free = stock.free
        self.gpus = gpus
        self.left = UNLIMITED if policy.promises is None else policy.promises
        self.first: Unit | None = None
        self.barred = False
        self.kept = False
        self.coming: Spot | None = None
        self.passing = False
        self.promises: dict[Unit, float] = {}
        self.spots: dict[Unit, Vector] = {}
        self._lead: Shape | None = None
        self._stock = stock
        self._policy = policy
        self._now = now
        self._horizon = inf if policy.window is None else now + policy.window
        self._owed: list[tuple[Unit, Shape]] = []
        self._taken: list[tuple[float | None, Vector]] = []
        self._since = -inf
        self._places: Places | None = None
        if stock.changes:
            self.places()

    def may_start(self, unit: Unit, shape: Shape, *, on: bool = False) -> Vector | None:
        """What the element may take now, to start or to go `on`, without putting off any that has
        been promised a start; None: it may not."""
        if self._places is not None:
            self._places.turn(unit)
        need = shape.need
        if self.kept or (self.barred and not on) or not fits(need, self.free):
            return None
        if shape.place is not None and (need := shape.place(self.free)) is None:
            return None
        if self._owed:
            self.pay()
        if self._places is not None:
            need = self._places.fits_now(shape)
        return None if need is None or self._in_the_way(unit, shape, need) else need

    def _in_the_way(self, unit: Unit, shape: Shape, need: Vector) -> bool:
        """Whether it may still hold some of what is meant for the first in line once that has been
        made room for. That runs are expected to be over by then is not enough: if they were not,
        the room would have been made in vain, and so again and again."""
        if self.coming is None or self._lead is None or self.first == unit:
            return False
        freed, limit = self.coming, shape.request.time_limit
        if limit is not None and self._now + limit <= freed.start:
            return False
        then = plus(self.free, freed.need)
        return self._lead.taken(then) is not None and self._lead.taken(minus(then, need)) is None

    def take(self, need: Vector, length: float | None) -> None:
        """This is held from now on, for so long."""
        self.free = minus(self.free, need)
        if self._places is None:
            self._taken.append((None if length is None else self._now + length, need))
        else:
            self._places.take(Spot(self._now, need), length)

    def lead(self, unit: Unit, shape: Shape) -> None:
        """This is the first in line, and cannot start."""
        self.first, self._lead = unit, shape

    def may_owe(self, unit: Unit, *, promised: bool) -> bool:
        """Whether what cannot start is to be promised a start, if it was `promised` one before or
        not. Whom room is to be made for starts as soon as it is there: promised a later start now,
        it would then wait for what others have been promised until that."""
        return self.left > 0 and (promised or not self.kept or self.first != unit)

    def owe(self, unit: Unit, shape: Shape) -> None:
        """Promise the element a start."""
        self.left -= 1
        self._owed.append((unit, shape))
        if self._places is not None:
            self.pay()
            if self.left <= 0:
                self._places.lapse()

    def pay(self) -> None:
        """Work out the promises that are owed, in order."""
        places = self.places()
        for unit, shape in self._owed:
            spot = places.first(shape, self._since)
            if spot is None:
                continue
            if not self._policy.backfill:
                self._since = spot.start
            if spot.start <= self._horizon:
                places.take(spot, shape.length)
                self._promise(unit, shape, spot.start, spot.need)
        self._owed.clear()

    def stay(self, unit: Unit) -> None:
        """Whose turn it is keeps what it was promised, if it was."""
        place = None if self._places is None else self._places.stay()
        if place is not None:
            self._promise(unit, place.shape, place.start, place.need)

    def settle(self) -> dict[Unit, float]:
        """All promises, those included that have not had their turn."""
        if self._places is not None:
            for unit, place in self._places.rest(self.left).items():
                self._promise(unit, place.shape, place.start, place.need)
        return self.promises

    def _promise(self, unit: Unit, shape: Shape, start: float, need: Vector | None) -> None:
        self.promises[unit] = start
        if shape.place is not None and need is not None:
            self.spots[unit] = need

    def lapse_of(self, job: int) -> None:
        """No more elements of this job may go: the promises they had stand in the way."""
        if self._places is not None:
            self._places.lapse_of(job)

    def places(self) -> Places:
        """The places, with all that this decision has started so far."""
        if self._places is None:
            stock = self._stock
            profile = Profile(
                self._now, self.free, stock.held() + self._taken, self._policy.resolution
            )
            for start, length, vector in stock.later:
                profile.take(max(start, self._now), length, vector)
            self._places = Places(profile, self._now)
        return self._places
