"""Several nodes as one room: what is free of each stands behind the totals in the vectors.

After the places of `Room` come the cpus of all nodes in their order, then their memory and their
gpus, as far as any node has some. What a request needs (`need`) has the first places alone: it is
the sums, and where they are not free nothing is. What it takes is chosen by its `place`, from what
is free of every node; so what is held, now or later, always names its nodes.

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
from hpcshell.policy.host import Given, Host
from hpcshell.policy.place.choose import pick
from hpcshell.policy.place.constraint import Constraint, parse
from hpcshell.policy.place.deal import WAYS, Way
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.nodes import WHOLE, Demand, Node, NodeState
from hpcshell.policy.room import Place, Room, Vector, fits

Amount = tuple[int, int, int]
"""CPUs, bytes and gpus of one node."""
NOTHING: Final = (0, 0, 0)
ANY: Final = Constraint()


class Cluster(Room):
    """`nodes` in their order; `way`: how they are chosen."""

    __slots__ = ("_columns", "_fleet", "_hosts", "_sizes", "number", "way")

    def __init__(
        self,
        nodes: Sequence[Node],
        way: Way = WAYS["best_fit"],
        others: dict[str, int] | None = None,
    ) -> None:
        self._fleet = Fleet(nodes)
        self._hosts = [Host(replace(node, domains=())) for node in nodes]
        self._sizes: list[Amount] = [(node.cpus, node.memory, len(node.gpus)) for node in nodes]
        self._columns = [kind for kind in range(3) if any(size[kind] for size in self._sizes)]
        self.number = self._fleet.number
        self.way = way
        sums = [sum(size[kind] for size in self._sizes) for kind in range(3)]
        super().__init__(Resources(cpus=sums[0], memory=sums[1], gpus=sums[2], others=others or {}))

    @property
    def nodes(self) -> list[Node]:
        return self._fleet.nodes

    # -- what is asked for -----------------------------------------------------------------------

    def need(self, request: Request) -> Vector | None:
        """What `request` takes in all, but for what rounding adds; None when it names a resource
        that is not here, or cannot be met on any nodes."""
        if request.nodes == 0 and parse(request.constraint).counts:
            return None  # of how many nodes, nobody said
        held = self.held_by(request)
        return super().need(replace(held, exclusive=False))

    def held_by(self, request: Request) -> Request:
        """What a run of `request` holds in all; alone on nodes, at least that."""
        if request.nodes in (0, 1):
            return request
        counts = (request.cpus, request.memory, request.gpus)
        cpus, memory, gpus = (count * request.nodes for count in counts)
        return replace(request, cpus=cpus, memory=memory, gpus=gpus)

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

    def part(self, request: Request) -> Vector | None:
        """What `request` takes while nobody is on any node; None: it does not fit."""
        return self.place(request)(self.size) if fits(self.need(request), self.size) else None

    def _picked(self, request: Request, demand: Demand, free: Vector) -> Vector | None:
        """As much of each of so many nodes."""
        self._suppose(free)
        chosen = pick(self._fleet, demand, self.way.policy)
        if chosen is None:
            return None
        each = (request.cpus, request.memory, request.gpus)
        return self._vector_of(
            request.others,
            {one.number: self._sizes[one.number] if demand.exclusive else each for one in chosen},
        )

    def _dealt(self, request: Request, constraint: Constraint, free: Vector) -> Vector | None:
        """Units of it on as many nodes as it takes."""
        asked = (request.cpus, request.memory, request.gpus)
        units = gcd(request.cpus, request.gpus) or 1
        room = self._units(asked, units, free)
        if request.exclusive:
            idle = zip(room, self._amounts(free), self._sizes, strict=True)
            room = [count if amount == size else 0 for count, amount, size in idle]
        for able in self._able(constraint):
            mine = room if able is None else list(map(mul, room, able))
            if (dealt := self.way.deal(mine, units)) is None:
                continue
            if request.exclusive:
                shares = {number: self._sizes[number] for number, _ in dealt}
            else:
                shares = {number: _part(asked, count, units) for number, count in dealt}
            return self._vector_of(request.others, shares)
        return None

    def _units(self, asked: Amount, units: int, free: Vector) -> list[int]:
        """How many of the units there is room for on each node, whatever else is asked of it."""
        first, number = 4 + len(self.names), len(self._sizes)
        rooms = []
        for kind in self._columns:
            has, want = free[first : first + number], asked[kind]
            first += number
            if want == units:
                rooms.append(has)
            elif want:
                rooms.append(tuple([count * units // want for count in has]))
        least = map(min, *rooms) if len(rooms) > 1 else rooms[0] if rooms else (units,) * number
        return [count if count > 0 else 0 for count in least]

    def _able(self, constraint: Constraint) -> Iterator[list[bool] | None]:
        """For each of the alternatives, which nodes may be taken; None: all."""
        if constraint == ANY and all(node.state is NodeState.UP for node in self.nodes):
            yield None
            return
        may = [
            node.state is NodeState.UP and constraint.may_hold(node.features) for node in self.nodes
        ]
        for term in constraint.alternatives or (None,):
            features = (node.features for node in self.nodes)
            yield [
                one and (term is None or term.holds(has))
                for one, has in zip(may, features, strict=True)
            ]

    # -- what is held ----------------------------------------------------------------------------

    def within(self, need: Vector, request: Request) -> Vector:
        """Those that start together are on one node."""
        number = next(at for at, amount in enumerate(self._amounts(need)) if any(amount))
        asked = (request.cpus, request.memory, request.gpus)
        return self._vector_of(request.others, {number: asked})

    def given(self, need: Vector, gpus: list[int], cores: tuple[int, ...] = ()) -> Given:
        """Cards of each node, near each other; numbered through all nodes."""
        chosen: list[int] = []
        if need[3]:
            first = 0
            for (_, _, count), (_, _, size), host in zip(
                self._amounts(need), self._sizes, self._hosts, strict=True
            ):
                if count:
                    mine = [gpu - first for gpu in gpus if first <= gpu < first + size]
                    chosen += [first + card for card in host.give(mine, (), 0, count).gpus]
                first += size
        return Given(tuple(chosen))

    def shares(self, need: Vector, gpus: tuple[int, ...]) -> tuple[Share, ...]:
        """What `need` is of each node that it takes any of."""
        found, first = [], 0
        for node, size, amount in zip(
            self._fleet.nodes, self._sizes, self._amounts(need), strict=True
        ):
            if any(amount):
                cards = tuple(gpu - first for gpu in gpus if first <= gpu < first + size[2])
                found.append(Share(node=node.name, cpus=amount[0], memory=amount[1], gpus=cards))
            first += size[2]
        return tuple(found)

    def on(self, name: str) -> list[int]:
        """The runs that hold any of the node."""
        claims = self.claims.items()
        return [run for run, claim in claims if any(one.node == name for one in claim.nodes)]

    def all_of(self, claim: Claim, name: str) -> Claim | None:
        """The claim, of all that is free of the node; None: nothing is."""
        number = self.number[name]
        amount = self._amounts(self.free)[number]
        if not any(amount):
            return None
        first = sum(size[2] for size in self._sizes[:number])
        gpus = tuple(gpu for gpu in self.gpus if first <= gpu < first + self._sizes[number][2])
        return self._filled(claim, self._vector_of({}, {number: amount}), gpus)

    def any_of(self, claim: Claim) -> Claim | None:
        """The claim, of its cpus on any nodes; None: it is of none."""
        if not claim.cpus:
            return None
        need = self.place(Request(cpus=claim.cpus, nodes=0))(self.free)
        return None if need is None else self._filled(claim, need, ())

    def _filled(self, claim: Claim, need: Vector, gpus: tuple[int, ...]) -> Claim:
        nodes = self.shares(need, gpus)
        return replace(claim, cpus=need[1], memory=need[2], gpus=gpus, nodes=nodes)

    def _vector(self, claim: Claim) -> Vector:
        still = claim.suspended is not None
        shares = {
            self.number[one.node]: (0 if still else one.cpus, one.memory, len(one.gpus))
            for one in claim.nodes
        }
        vector = self._vector_of(claim.others, shares)
        return (0, *vector[1:]) if still else vector

    # -- vectors ---------------------------------------------------------------------------------

    def _whole(self) -> Vector:
        sizes = dict(enumerate(self._sizes))
        return (super()._whole()[0], *self._vector_of(self.total.others, sizes)[1:])

    def _vector_of(self, others: dict[str, int], shares: dict[int, Amount]) -> Vector:
        """Of what is held of which node."""
        number = len(self._sizes)
        columns = [0] * (number * len(self._columns))
        sums = [0, 0, 0]
        for place, kind in enumerate(self._columns):
            for node, amount in shares.items():
                columns[place * number + node] = amount[kind]
                sums[kind] += amount[kind]
        return (1, *sums, *(others.get(name, 0) for name in self.names), *columns)

    def _amounts(self, vector: Vector) -> list[Amount]:
        """What a vector has of each node."""
        first, number = 4 + len(self.names), len(self._sizes)
        kinds: list[Sequence[int]] = [(0,) * number] * 3
        for kind in self._columns:
            kinds[kind] = vector[first : first + number]
            first += number
        return list(zip(*kinds, strict=True))

    def _suppose(self, free: Vector) -> None:
        """Let the fleet, which only remembers, have so much free."""
        fleet = self._fleet
        for number, (cpus, memory, gpus) in enumerate(self._amounts(free)):
            known = fleet.free[number]
            if known.cpus != cpus or known.memory != memory or known.gpus.count(WHOLE) != gpus:
                fleet.suppose(number, max(0, cpus), max(0, memory), max(0, gpus))


def _part(asked: Amount, count: int, units: int) -> Amount:
    """What `count` of the units are, rounded up."""
    cpus, memory, gpus = (-(-amount * count // units) for amount in asked)
    return cpus, memory, gpus
