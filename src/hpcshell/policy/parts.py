"""The parts of the machine that a decision gives from: what everybody may use, and what each
reservation sets apart."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from hpcshell.core.records import WHOLE
from hpcshell.policy.ground import Ground
from hpcshell.policy.line import Shape
from hpcshell.policy.plan import Policy
from hpcshell.policy.reserve import Stock
from hpcshell.policy.room import fits
from hpcshell.policy.setapart import coming
from hpcshell.policy.spots import Spot
from hpcshell.policy.view import View


class Parts:
    """`public` is there from the start, the others when somebody asks for them."""

    def __init__(self, view: View, policy: Policy, now: float) -> None:
        self._view = view
        self._policy = policy
        self._now = now
        self._pools: dict[str, Ground] = {}
        self.public = self._public()

    def __iter__(self) -> Iterator[Ground]:
        return iter((self.public, *self._pools.values()))

    def is_open(self, shape: Shape) -> bool:
        """Whether there is anything that requests of this shape are to be met from."""
        return not shape.pool or shape.pool in self._view.book.known

    def of(self, shape: Shape) -> Ground:
        """What a request of this shape is to be met from. What may run outside its reservation, and
        never could run inside, is met from what everybody may use."""
        if not shape.pool or (self._flex(shape) and not self._meets(shape, -inf)):
            return self.public
        return self.pool(shape.pool)

    def pool(self, name: str) -> Ground:
        """What a reservation sets apart; with no name, what everybody may use."""
        if not name:
            return self.public
        if (found := self._pools.get(name)) is None:
            view = self._view
            stock = view.book.within(name, self._now, view.room.free, view.inside())
            gpus = view.room.gpus[::-1][stock.skip :][: max(0, stock.free[3] // WHOLE)]
            found = self._pools[name] = Ground(stock, self._policy, self._now, gpus)
        return found

    def bends(self, shape: Shape) -> bool:
        """Whether what is met from its reservation may also be met from what everybody may use."""
        return self._flex(shape) and self.of(shape) is not self.public

    def possible(self, shape: Shape, ground: Ground) -> bool:
        """Whether a request of this shape can be met at all, sooner or later."""
        if ground is self.public:
            return shape.possible(self._view.room)
        return self._meets(shape, self._now)

    def any_free(self, shape: Shape) -> bool:
        """Whether as much as it asks for is free where it may be met from."""
        if fits(shape.need, self.of(shape).free):
            return True
        return self.bends(shape) and fits(shape.need, self.public.free)

    def _public(self) -> Ground:
        view = self._view
        if not view.book.known:
            stock = Stock(view.room.free, view.ends, [])
        else:
            stock = view.book.public(self._now, view.room.free, view.inside())
        gpus = view.room.gpus[: max(0, stock.free[3] // WHOLE)]
        ground = Ground(stock, self._policy, self._now, gpus)
        if view.leaving:  # somebody's room is being made: it is promised even where nothing else is
            ground.left = max(1, ground.left)
            if view.queue.regime.preempting:
                ground.coming = Spot(min(view.leaving.values()), coming(view))
        return ground

    def _flex(self, shape: Shape) -> bool:
        known = self._view.book.known
        return shape.pool in known and known[shape.pool].flex

    def _meets(self, shape: Shape, now: float) -> bool:
        """Whether the reservation that the shape is for is large and long enough for it."""
        book = self._view.book
        return book.meets(book.known[shape.pool], shape.need, shape.length, now)
