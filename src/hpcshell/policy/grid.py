"""Where what is free, or held, of each node stands in a vector: behind the first places of a
`Room`, the cpus of all nodes in their order, then their memory and their gpus, as far as any node
has some; and where cards count one by one (see `Room`), then all cards in the order of the
nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from hpcshell.core.records import WHOLE
from hpcshell.policy.place.nodes import Node
from hpcshell.policy.room import Vector

Amount = tuple[int, int, int]
"""CPUs, bytes and hundredths of gpus of one node."""
KINDS: Final = 3
GPUS: Final = 2
"""Which of these are the gpus."""


class Grid:
    """`sizes` of the nodes; `first`: the places before theirs; `cards`: how many gpus the nodes
    before each have; `by_card`: they count one by one."""

    def __init__(self, nodes: Sequence[Node], first: int, *, by_card: bool = False) -> None:
        self.sizes: list[Amount] = [
            (node.cpus, node.memory, len(node.gpus) * WHOLE) for node in nodes
        ]
        self.cards = list(accumulate((len(node.gpus) for node in nodes), initial=0))
        self.first = first
        self.by_card = by_card
        self._kinds = [kind for kind in range(KINDS) if any(size[kind] for size in self.sizes)]

    def vector(
        self, others: Sequence[int], shares: Mapping[int, Amount], taken: Mapping[int, int]
    ) -> Vector:
        """Of what is held of which node, by number, of the site's own countables, and of cards:
        how many hundredths of which, numbered through all nodes."""
        number = len(self.sizes)
        columns = [0] * (number * len(self._kinds))
        sums = [0] * KINDS
        for place, kind in enumerate(self._kinds):
            for node, amount in shares.items():
                columns[place * number + node] = amount[kind]
                sums[kind] += amount[kind]
        if self.by_card:
            columns += [taken.get(card, 0) for card in range(self.cards[-1])]
        return (1, *sums, *others, *columns)

    def amounts(self, vector: Vector) -> list[Amount]:
        """What a vector has of each node."""
        kinds: list[Sequence[int]] = [(0,) * len(self.sizes)] * KINDS
        for kind, column in self.columns(vector):
            kinds[kind] = column
        return list(zip(*kinds, strict=True))

    def columns(self, vector: Vector) -> list[tuple[int, Vector]]:
        """What a vector has of each kind, by node; of those that any node has."""
        number, first = len(self.sizes), self.first
        return [
            (kind, vector[first + place * number : first + (place + 1) * number])
            for place, kind in enumerate(self._kinds)
        ]

    def each_card(self, vector: Vector) -> Vector:
        """What a vector has of each card; nothing, where they do not count one by one."""
        return vector[self.first + len(self._kinds) * len(self.sizes) :]

    def of_node(self, number: int, cards: Vector) -> Vector:
        """Those of `each_card` that are of the node."""
        first, end = self.cards[number : number + 2]
        return cards[first:end]

    def cards_of(self, number: int, gpus: Sequence[int]) -> tuple[int, ...]:
        """Which of `gpus`, numbered through all nodes, are of the node, by its own numbers."""
        first, end = self.cards[number : number + 2]
        return tuple(gpu - first for gpu in gpus if first <= gpu < end)

    def units(self, asked: Amount, units: int, free: Vector) -> list[int]:
        """How many of the units that something `asked` for (CPUs, bytes and whole gpus) is made of
        there is room for on each node, whatever else is asked of it."""
        rooms: list[Sequence[int]] = []
        for kind, column in self._counted(free):
            want = asked[kind]
            if want == units:
                rooms.append(column)
            elif want:
                rooms.append(tuple([has * units // want for has in column]))
        if not rooms:
            return [units] * len(self.sizes)
        least = map(min, *rooms) if len(rooms) > 1 else rooms[0]
        return [count if count > 0 else 0 for count in least]

    def _counted(self, free: Vector) -> Iterator[tuple[int, Sequence[int]]]:
        """What is free of each kind, by node: of gpus, how many that are wholly free."""
        cards = self.each_card(free)
        for kind, column in self.columns(free):
            if kind != GPUS:
                yield kind, column
            elif not self.by_card:
                yield kind, [gpus // WHOLE for gpus in column]
            else:
                mine = (self.of_node(number, cards) for number in range(len(column)))
                yield kind, [one.count(WHOLE) for one in mine]


def part_of(asked: Amount, count: int, units: int) -> Amount:
    """What `count` of the units of CPUs, bytes and whole gpus are, rounded up."""
    cpus, memory, gpus = (-(-amount * count // units) for amount in asked)
    return cpus, memory, gpus * WHOLE
