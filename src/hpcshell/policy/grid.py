"""Where what is free, or held, of each node stands in a vector: behind the first places of a
`Room`, the cpus of all nodes in their order, then their memory and their gpus, as far as any node
has some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final

from hpcshell.policy.place.nodes import Node
from hpcshell.policy.room import Vector

Amount = tuple[int, int, int]
"""CPUs, bytes and gpus of one node."""
KINDS: Final = 3


class Grid:
    """`sizes` of the nodes; `first`: the places before theirs; `cards`: how many gpus the nodes
    before each have."""

    def __init__(self, nodes: Sequence[Node], first: int) -> None:
        self.sizes: list[Amount] = [(node.cpus, node.memory, len(node.gpus)) for node in nodes]
        self.cards = list(accumulate((size[2] for size in self.sizes), initial=0))
        self.first = first
        self._kinds = [kind for kind in range(KINDS) if any(size[kind] for size in self.sizes)]

    def vector(self, others: Sequence[int], shares: Mapping[int, Amount]) -> Vector:
        """Of what is held of which node, by number, and of the site's own countables."""
        number = len(self.sizes)
        columns = [0] * (number * len(self._kinds))
        sums = [0] * KINDS
        for place, kind in enumerate(self._kinds):
            for node, amount in shares.items():
                columns[place * number + node] = amount[kind]
                sums[kind] += amount[kind]
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

    def cards_of(self, number: int, gpus: Sequence[int]) -> tuple[int, ...]:
        """Which of `gpus`, numbered through all nodes, are of the node, by its own numbers."""
        first, end = self.cards[number : number + 2]
        return tuple(gpu - first for gpu in gpus if first <= gpu < end)
