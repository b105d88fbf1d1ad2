"""Several nodes as one room: what is free of each stands behind the totals in the vectors (`grid`).

What a request needs (`need`) has the first places alone: it is the sums, and where they are not
free nothing is. What it takes is chosen by its `place`, from what is free of every node; so what is
held, now or later, always names its nodes.

That something is there to choose never depends on how: a request has a place in what is free
exactly where there is one, and has one in whatever has more free.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import gcd
from operator import mul
from typing import Final

from msgspec.structs import replace

from hpcshell.core.records import Claim, Request, Resources, Share
from hpcshell.core.units import WHOLE
from hpcshell.policy.grid import Amount, Grid
from hpcshell.policy.host import Given, Host
from hpcshell.policy.place.choose import pick
from hpcshell.policy.place.constraint import Constraint, parse
from hpcshell.policy.place.deal import WAYS, Way
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.nodes import Demand, Node, NodeState
from hpcshell.policy.room import ALONE, Place, Room, Vector, fits

ANY: Final = Constraint()


class Cluster(Room):
    """`nodes` in their order; `way`: how they are chosen; `grid`: where they are in a vector."""

    __slots__ = ("_fleet", "_hosts", "grid", "way")

    def __init__(
        self,
        nodes: Sequence[Node],
        way: Way = WAYS["best_fit"],
        others: dict[str, int] | None = None,
    ) -> None:
        self.way = way
        self._fleet = Fleet(nodes)
        self._hosts = [Host(replace(node, domains=())) for node in nodes]
        self.grid = Grid(nodes, 4 + len(others or {}))
        cpus, memory, gpus = map(sum, zip(*self.grid.sizes, strict=True))
        super().__init__(Resources(cpus=cpus, memory=memory, gpus=gpus, others=others or {}))

    @property
    def nodes(self) -> list[Node]:
        """As they were given."""
        return self._fleet.nodes

    # -- what is asked for -----------------------------------------------------------------------

    def need(self, request: Request) -> Vector | None:
        """What `request` takes in all, but for what rounding adds; None when it names a resource
        that is not here, or cannot be met on any nodes."""
        if request.nodes == 0 and parse(request.constraint).counts:
            return None  # of how many nodes, nobody said
        return super().need(replace(self.held_by(request), exclusive=False))

    def held_by(self, request: Request) -> Request:
        """What a run of `request` holds in all; alone on nodes, at least that."""
        if request.nodes in (0, 1):
            return request
        counts = (request.cpus, request.memory, request.gpus)
        cpus, memory, gpus = (count * request.nodes for count in counts)
        return replace(request, cpus=cpus, memory=memory, gpus=gpus)

    def part(self, request: Request) -> Vector | None:
        """What `request` takes while nobody is on any node; None: it does not fit."""
        return self.place(request)(self.size) if fits(self.need(request), self.size) else None

    def place(self, request: Request) -> Place:
        """Chooses nodes, and what of them."""
        if request.nodes == 0:
            return partial(self._dealt, request, parse(request.constraint))
        demand = Demand(
            nodes=request.nodes,
            cpus=request.cpus,
            memory=request.memory,
            gpus=request.gpus * WHOLE,
            constraint=request.constraint,
            exclusive=request.exclusive,
        )
        return partial(self._picked, request, demand)

    def _picked(self, request: Request, demand: Demand, free: Vector) -> Vector | None:
        """As much of each of so many nodes."""
        self._suppose(free)
        chosen = pick(self._fleet, demand, self.way.policy)
        if chosen is None:
            return None
        each = (request.cpus, request.memory, request.gpus)
        return self._taking(request, {one.number: each for one in chosen})

    def _suppose(self, free: Vector) -> None:
        """Let the fleet, which remembers what it last looked at, have so much free."""
        fleet = self._fleet
        for number, (cpus, memory, gpus) in enumerate(self.grid.amounts(free)):
            known = fleet.free[number]
            if known.cpus != cpus or known.memory != memory or known.gpus.count(WHOLE) != gpus:
                fleet.suppose(number, max(0, cpus), max(0, memory), max(0, gpus))

    def _dealt(self, request: Request, constraint: Constraint, free: Vector) -> Vector | None:
        """Units of it on as many nodes as it takes."""
        asked = (request.cpus, request.memory, request.gpus)
        units = gcd(request.cpus, request.gpus) or 1
        room = self._units(asked, units, free)
        if request.exclusive:
            idle = zip(room, self.grid.amounts(free), self.grid.sizes, strict=True)
            room = [count if amount == size else 0 for count, amount, size in idle]
        for able in self._able(constraint):
            mine = room if able is None else list(map(mul, room, able))
            if (dealt := self.way.deal(mine, units)) is not None:
                parts = {number: _part(asked, count, units) for number, count in dealt}
                return self._taking(request, parts)
        return None

    def _units(self, asked: Amount, units: int, free: Vector) -> list[int]:
        """How many of the units there is room for on each node, whatever else is asked of it."""
        rooms: list[Vector] = []
        for kind, column in self.grid.columns(free):
            want = asked[kind]
            if want == units:
                rooms.append(column)
            elif want:
                rooms.append(tuple([has * units // want for has in column]))
        if not rooms:
            return [units] * len(self.nodes)
        least = map(min, *rooms) if len(rooms) > 1 else rooms[0]
        return [count if count > 0 else 0 for count in least]

    def _able(self, constraint: Constraint) -> Iterator[list[bool] | None]:
        """For each of the alternatives, which nodes may be taken; None: all."""
        nodes = self.nodes
        if constraint == ANY and all(node.state is NodeState.UP for node in nodes):
            yield None
            return
        may = [node.state is NodeState.UP and constraint.may_hold(node.features) for node in nodes]
        for term in constraint.alternatives:
            held = (term.holds(node.features) for node in nodes)
            yield [one and has for one, has in zip(may, held, strict=True)]
        if not constraint.alternatives:
            yield may

    def _taking(self, request: Request, parts: dict[int, Amount]) -> Vector:
        """The vector of a run with these parts of nodes, or with all of them to itself."""
        if request.exclusive:
            parts = {number: self.grid.sizes[number] for number in parts}
        return self.grid.vector(self._others(request.others), parts)

    def _others(self, others: dict[str, int]) -> list[int]:
        return [others.get(name, 0) for name in self.names]

    # -- what is held ----------------------------------------------------------------------------

    def within(self, need: Vector, request: Request) -> Vector:
        """Those that start together are on one node."""
        number = next(at for at, amount in enumerate(self.grid.amounts(need)) if any(amount))
        return self._taking(request, {number: (request.cpus, request.memory, request.gpus)})

    def given(self, need: Vector, gpus: list[int], cores: tuple[int, ...] = ()) -> Given:
        """Cards of each node, near each other; numbered through all nodes. And what of which
        node."""
        chosen: list[int] = []
        for number, (_, _, count) in enumerate(self.grid.amounts(need)) if need[3] else ():
            if count:
                mine = self.grid.cards_of(number, gpus)
                cards = self._hosts[number].give(mine, (), 0, count).gpus
                chosen += [self.grid.cards[number] + card for card in cards]
        return Given(tuple(chosen), (), self.shares(need, chosen))

    def shares(self, need: Vector, gpus: Sequence[int]) -> tuple[Share, ...]:
        """What `need` is of each node that it takes any of."""
        return tuple(
            Share(
                node=self.nodes[number].name,
                cpus=cpus,
                memory=memory,
                gpus=self.grid.cards_of(number, gpus) if cards else (),
            )
            for number, (cpus, memory, cards) in enumerate(self.grid.amounts(need))
            if cpus or memory or cards
        )

    def _vector(self, claim: Claim) -> Vector:
        still = claim.suspended is not None
        parts = {
            self._fleet.number[one.node]: (0 if still else one.cpus, one.memory, len(one.gpus))
            for one in claim.nodes
        }
        vector = self.grid.vector(self._others(claim.others), parts)
        return (0, *vector[1:]) if still else vector

    def _whole(self) -> Vector:
        others = [self.total.others[name] for name in self.names]
        return (ALONE, *self.grid.vector(others, dict(enumerate(self.grid.sizes)))[1:])


def _part(asked: Amount, count: int, units: int) -> Amount:
    """What `count` of the units are, rounded up."""
    cpus, memory, gpus = (-(-amount * count // units) for amount in asked)
    return cpus, memory, gpus
