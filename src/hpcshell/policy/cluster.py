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

from hpcshell.core.records import WHOLE, Claim, Request, Resources, Share
from hpcshell.policy.grid import Amount, Grid, part_of
from hpcshell.policy.host import Given, Host, named
from hpcshell.policy.place.choose import pick
from hpcshell.policy.place.constraint import Constraint, parse
from hpcshell.policy.place.deal import WAYS, Way
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.nodes import Demand, Node, NodeState
from hpcshell.policy.room import ALONE, Place, Room, Vector, cards_held, fits, in_order

ANY: Final = Constraint()


class Cluster(Room):
    """`nodes` in their order; `way`: how they are chosen; `grid`: where they are in a vector."""

    __slots__ = ("_fleet", "_hosts", "grid", "way")
    several = True

    def __init__(
        self,
        nodes: Sequence[Node],
        way: Way = WAYS["best_fit"],
        others: dict[str, int] | None = None,
    ) -> None:
        self.way = way
        self._fleet = Fleet(nodes)
        self._hosts = [Host(replace(node, domains=()) if node.domains else node) for node in nodes]
        super().__init__(
            Resources(
                cpus=sum(node.cpus for node in nodes),
                memory=sum(node.memory for node in nodes),
                gpus=sum(len(node.gpus) for node in nodes),
                others=others or {},
            )
        )

    def set_total(self, total: Resources) -> None:
        """The same nodes, of which other things count."""
        self.grid = Grid(self.nodes, 4 + len(total.others), by_card=self.by_card)
        super().set_total(total)

    @property
    def nodes(self) -> list[Node]:
        """As they were given."""
        return self._fleet.nodes

    def set_state(self, name: str, state: NodeState) -> None:
        """The node is drained, has failed, or takes work again. What it holds it keeps."""
        self._fleet.set_state(name, state)

    # -- what is asked for -----------------------------------------------------------------------

    def need(self, request: Request) -> Vector | None:
        """What `request` takes in all, but for what rounding adds; None when it names a resource
        that is not here, or cannot be met on any nodes."""
        if request.nodes == 0 and parse(request.constraint).counts:
            return None  # of how many nodes, nobody said
        need = super().need(replace(self.held_by(request), exclusive=False))
        return None if need is None else need[: self.grid.first]

    def held_by(self, request: Request) -> Request:
        """What a run of `request` holds in all; alone on nodes, at least that."""
        if request.nodes in (0, 1):
            return request
        counts = (request.cpus, request.memory, request.gpu_hundredths)
        cpus, memory, hundredths = (count * request.nodes for count in counts)
        gpus, share = divmod(hundredths, WHOLE)
        return replace(request, cpus=cpus, memory=memory, gpus=gpus, gpu_share=share)

    def part(self, request: Request) -> Vector | None:
        """What `request` takes while nobody is on any node; None: it does not fit."""
        return self.place(request)(self.size) if fits(self.need(request), self.size) else None

    def place(self, request: Request) -> Place:
        """Chooses nodes, and what of them."""
        if request.nodes == 0 and not request.picks_cards:
            return partial(self._dealt, request, parse(request.constraint))
        demand = Demand(
            nodes=max(1, request.nodes),
            cpus=request.cpus,
            memory=request.memory,
            gpus=request.gpu_hundredths,
            gpu_type=request.gpu_type,
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
        each = (request.cpus, request.memory, request.gpu_hundredths)
        return self._taking(request, {one.number: each for one in chosen}, free)

    def _suppose(self, free: Vector) -> None:
        """Let the fleet, which remembers what it last looked at, have so much free."""
        fleet, cards = self._fleet, self.each_card(free)
        for number, (cpus, memory, gpus) in enumerate(self.grid.amounts(free)):
            known = fleet.free[number]
            if self.by_card:
                mine = self.grid.of_node(number, cards)
                alike = known.gpus == mine
            else:
                count = max(0, gpus // WHOLE)
                alike = known.gpus.count(WHOLE) == count
                mine = (WHOLE,) * count + (0,) * (len(known.gpus) - count)
            if known.cpus != cpus or known.memory != memory or not alike:
                fleet.suppose(number, max(0, cpus), max(0, memory), mine)

    def _dealt(self, request: Request, constraint: Constraint, free: Vector) -> Vector | None:
        """Units of it on as many nodes as it takes."""
        asked = (request.cpus, request.memory, request.gpus)
        units = gcd(request.cpus, request.gpus) or 1
        room = self.grid.units(asked, units, free)
        if request.exclusive:
            idle = zip(room, self.grid.amounts(free), self.grid.sizes, strict=True)
            room = [count if amount == size else 0 for count, amount, size in idle]
        for able in self._able(constraint):
            mine = room if able is None else list(map(mul, room, able))
            if (dealt := self.way.deal(mine, units)) is not None:
                parts = {number: part_of(asked, count, units) for number, count in dealt}
                return self._taking(request, parts, free)
        return None

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

    def _taking(self, request: Request, parts: dict[int, Amount], free: Vector) -> Vector:
        """The vector of a run with these parts of nodes, or with all of them to itself."""
        if request.exclusive:
            parts = {number: self.grid.sizes[number] for number in parts}
        taken = self._cards_for(parts, free) if self.by_card else {}
        return self.grid.vector(in_order(request.others, self.names), parts, taken)

    def _cards_for(self, parts: dict[int, Amount], free: Vector) -> dict[int, int]:
        """Which cards of each node, and how much of them."""
        cards, which = self.each_card(free), self.way.policy.cards
        found: dict[int, int] = {}
        for number, (_, _, gpus) in parts.items():
            mine = self.grid.of_node(number, cards)
            taken = self._hosts[number].take(mine, 0, gpus, which) if gpus else ()
            found |= {
                self.grid.cards[number] + card: share for card, share in enumerate(taken or ())
            }
        return found

    # -- what is held ----------------------------------------------------------------------------

    def given(self, need: Vector, gpus: list[int], cores: tuple[int, ...] = ()) -> Given:
        """Cards of each node, near each other; numbered through all nodes. And what of which
        node."""
        cards = self._cards_given(need, gpus) if need[3] else {}
        return named(cards.items())._replace(nodes=self._shares(need, cards))

    def each_card(self, vector: Vector) -> Vector:
        return self.grid.each_card(vector)

    def _cards_given(self, need: Vector, gpus: list[int]) -> dict[int, int]:
        """How much of which cards, of the free `gpus` where it does not matter which."""
        if self.by_card:
            return {card: share for card, share in enumerate(self.each_card(need)) if share}
        chosen: list[int] = []
        for number, (_, _, hundredths) in enumerate(self.grid.amounts(need)):
            if hundredths:
                mine = self.grid.cards_of(number, gpus)
                cards = self._hosts[number].give(mine, (), 0, hundredths // WHOLE).gpus
                chosen += [self.grid.cards[number] + card for card in cards]
        return dict.fromkeys(chosen, WHOLE)

    def _shares(self, need: Vector, cards: dict[int, int]) -> tuple[Share, ...]:
        """What `need` is of each node that it takes any of."""
        found = []
        for number, (cpus, memory, gpus) in enumerate(self.grid.amounts(need)):
            if cpus or memory or gpus:
                mine = self.grid.cards_of(number, list(cards)) if gpus else ()
                first = self.grid.cards[number]
                given = named((card, cards[first + card]) for card in mine)
                found.append(
                    Share(
                        node=self.nodes[number].name,
                        cpus=cpus,
                        memory=memory,
                        gpus=given.gpus,
                        shared=given.shared,
                    )
                )
        return tuple(found)

    def _vector(self, claim: Claim) -> Vector:
        still = claim.suspended is not None
        parts: dict[int, Amount] = {}
        for one in claim.nodes:
            gpus = len(one.gpus) * WHOLE + sum(share for _, share in one.shared)
            parts[self._fleet.number[one.node]] = (0 if still else one.cpus, one.memory, gpus)
        taken = cards_held(claim) if self.by_card else {}
        vector = self.grid.vector(in_order(claim.others, self.names), parts, taken)
        return (0, *vector[1:]) if still else vector

    def _whole(self) -> Vector:
        others = in_order(self.total.others, self.names)
        cards = dict.fromkeys(range(self.total.gpus), WHOLE)
        return (ALONE, *self.grid.vector(others, dict(enumerate(self.grid.sizes)), cards)[1:])
