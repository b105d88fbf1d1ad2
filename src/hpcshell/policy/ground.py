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
from hpcshell.policy.room import Vector, fits, minus


class Ground:
    """`left`: how many promises may still be given. `first`: the first in line that cannot start.
    `barred`: nobody may pass it. `passing`: others may, in an order of their own."""

    def __init__(self, stock: Stock, policy: Policy, now: float, gpus: list[int]) -> None:
        self.free = stock.free
        self.gpus = gpus
        self.left = UNLIMITED if policy.promises is None else policy.promises
        self.first: Unit | None = None
        self.barred = False
        self.passing = False
        self.promises: dict[Unit, float] = {}
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

    def may_start(self, unit: Unit, shape: Shape) -> bool:
        """Whether the element may start now without putting off any that has been promised a
        start."""
        if self._places is not None:
            self._places.turn(unit)
        if self.barred or not fits(shape.need, self.free):
            return False
        if self._owed:
            self.pay()
        return self._places is None or self._places.fits_now(shape)

    def take(self, shape: Shape) -> tuple[int, ...]:
        """It holds what it asks for from now on; the gpus it gets."""
        need, length = shape.need, shape.length
        assert need is not None, "what does not fit takes nothing"
        self.free = minus(self.free, need)
        if self._places is None:
            self._taken.append((None if length is None else self._now + length, need))
        else:
            self._places.take(self._now, shape)
        gpus, self.gpus = tuple(self.gpus[: need[3]]), self.gpus[need[3] :]
        return gpus

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
            start = places.first(shape, self._since)
            if not self._policy.backfill and start is not None:
                self._since = start
            if start is not None and start <= self._horizon:
                places.take(start, shape)
                self.promises[unit] = start
        self._owed.clear()

    def stay(self, unit: Unit) -> None:
        """Whose turn it is keeps what it was promised, if it was."""
        start = None if self._places is None else self._places.stay()
        if start is not None:
            self.promises[unit] = start

    def settle(self) -> dict[Unit, float]:
        """All promises, those included that have not had their turn."""
        if self._places is not None:
            self.promises |= self._places.rest(self.left)
        return self.promises

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
