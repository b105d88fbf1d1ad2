"""What is free of each node, as it changes: the one mutable thing of placement.

Each change is numbered, so that what is remembered of the nodes (see `ranking`) is brought up to
date by looking at those that have changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import add, sub
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from hpcshell.core.errors import Broken
from hpcshell.core.records import WHOLE
from hpcshell.policy.place.nodes import Node, NodeState, Part, Placement

if TYPE_CHECKING:
    from hpcshell.policy.place.ranking import Ranking

Tenants = tuple[tuple[int, int], ...]
"""How many hold what kind of GPUs: (whole cards each, 0 for a share of one; how many do)."""


REPORT: Final = "please report this: what runs was placed in a wrong way"


class Free(NamedTuple):
    """What is free of a node. `numbers` has a bit for each free CPU, where they are numbered;
    `domains` is the free memory of each NUMA domain; `gpus` are hundredths of each card."""

    cpus: int
    memory: int
    gpus: tuple[int, ...]
    tenants: Tenants
    numbers: int
    domains: tuple[int, ...]


def all_of(node: Node) -> Free:
    """The node with nobody on it."""
    return Free(
        cpus=node.cpus,
        memory=node.memory,
        gpus=(WHOLE,) * len(node.gpus),
        tenants=(),
        numbers=mask(cpu for domain in node.domains for cpu in domain.cpus),
        domains=tuple(domain.memory for domain in node.domains) or (node.memory,),
    )


def mask(numbers: Iterable[int]) -> int:
    """A whole number with a bit for each of `numbers`."""
    bits = 0
    for number in numbers:
        bits |= 1 << number
    return bits


class Fleet:
    """The nodes by number, in the order given, and what is free of each.

    `base + len(log)` changes have been made; `log` tells the nodes of the latest ones.
    `largest` is the most that any node has of CPUs, memory and hundredths of GPUs, at least 1.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = list(nodes)
        self.whole = [all_of(node) for node in self.nodes]
        self.free = list(self.whole)
        self.number = {node.name: number for number, node in enumerate(self.nodes)}
        if len(self.number) != len(self.nodes):
            raise Broken("two nodes have the same name", "give each its own")
        self.largest = (
            max((node.cpus for node in self.nodes), default=0) or 1,
            max((node.memory for node in self.nodes), default=0) or 1,
            max((len(node.gpus) for node in self.nodes), default=0) * WHOLE or 1,
        )
        self.base = 0
        self.log: list[int] = []
        self.rankings: dict[object, Ranking] = {}

    def set_state(self, name: str, state: NodeState) -> None:
        """The node is drained, has failed, or takes work again."""
        number = self.number[name]
        self.nodes[number] = replace(self.nodes[number], state=state)
        self._changed(number)

    def take(self, placement: Placement) -> None:
        """Hold what `placement` says. Raises Broken, and holds nothing, where it is not free."""
        self._change(placement, _without)

    def give_back(self, placement: Placement) -> None:
        """Undo `take`. Raises Broken, and changes nothing, where it was not held."""
        self._change(placement, _with)

    def suppose(self, number: int, cpus: int, memory: int, cards: tuple[int, ...]) -> None:
        """So much, and so much of each card, is free of the node."""
        before = self.free[number]
        self.free[number] = before._replace(cpus=cpus, memory=memory, gpus=cards)
        self._changed(number)

    def _change(self, placement: Placement, changed: Changed) -> None:
        after: dict[int, Free] = {}
        for part in placement.parts:
            number = self.number[part.node]
            after[number] = changed(after.get(number, self.free[number]), part)
            if not _within(after[number], self.whole[number]):
                raise Broken(
                    f"what is held of node {part.node} and what is free do not add up", REPORT
                )
        for number, free in after.items():
            self.free[number] = free
            self._changed(number)

    def _changed(self, number: int) -> None:
        self.log.append(number)
        if len(self.log) > 8 * len(self.nodes) + 1024:
            drop = len(self.log) // 2
            del self.log[:drop]
            self.base += drop


Changed = Callable[[Free, Part], Free]


def _without(free: Free, part: Part) -> Free:
    gpus = list(free.gpus)
    for card, share in part.gpus:
        gpus[card] -= share
    taken = mask(part.numbers)
    if taken & free.numbers != taken:
        raise Broken(f"a CPU of node {part.node} is held already", REPORT)
    return Free(
        cpus=free.cpus - part.cpus,
        memory=free.memory - sum(part.memory),
        gpus=tuple(gpus),
        tenants=_tenants(free.tenants, part, 1),
        numbers=free.numbers & ~taken,
        domains=tuple(map(sub, free.domains, part.memory)),
    )


def _with(free: Free, part: Part) -> Free:
    gpus = list(free.gpus)
    for card, share in part.gpus:
        gpus[card] += share
    given = mask(part.numbers)
    if given & free.numbers:
        raise Broken(f"a CPU of node {part.node} is free already", REPORT)
    return Free(
        cpus=free.cpus + part.cpus,
        memory=free.memory + sum(part.memory),
        gpus=tuple(gpus),
        tenants=_tenants(free.tenants, part, -1),
        numbers=free.numbers | given,
        domains=tuple(map(add, free.domains, part.memory)),
    )


def _tenants(tenants: Tenants, part: Part, by: int) -> Tenants:
    """`by` more of the kind of GPUs that `part` holds."""
    if not part.gpus:
        return tenants
    counts = dict(tenants)
    kind = sum(share == WHOLE for _, share in part.gpus)
    counts[kind] = counts.get(kind, 0) + by
    return tuple(sorted((kind, count) for kind, count in counts.items() if count))


def _within(free: Free, whole: Free) -> bool:
    """Whether nothing is below zero, nor more than the node has."""
    return (
        0 <= free.cpus <= whole.cpus
        and 0 <= free.memory <= whole.memory
        and all(0 <= share <= WHOLE for share in free.gpus)
        and all(count > 0 for _, count in free.tenants)
        and free.numbers & ~whole.numbers == 0
        and all(0 <= left <= most for left, most in zip(free.domains, whole.domains, strict=True))
    )
