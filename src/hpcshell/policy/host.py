"""Which cards and cpus of one machine are given, once it is decided that something starts on it.

It never changes what starts or when: cards and cpus are counted there, and named here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from hpcshell.core.records import Share
from hpcshell.core.units import WHOLE
from hpcshell.policy.place.fleet import all_of, mask
from hpcshell.policy.place.nodes import Demand, Node
from hpcshell.policy.place.topology import lay_out


class Given(NamedTuple):
    """Cards and cpus by number; no cpus where the machine does not number them. `nodes`: what of
    which node, where there are several."""

    gpus: tuple[int, ...] = ()
    cores: tuple[int, ...] = ()
    nodes: tuple[Share, ...] = ()


NOTHING: Final = Given()


def first_given(gpus: Sequence[int], count: int) -> Given:
    """The first so many cards."""
    return Given(tuple(gpus[:count])) if count else NOTHING


class Host:
    """A machine of which it is known how cards and cpus are joined."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._whole = all_of(node)

    def give(self, gpus: Sequence[int], held: Iterable[int], cpus: int, count: int) -> Given:
        """So many of the free cards and of the cpus that nobody has `held`: of one NVLink group and
        one NUMA domain, if that can be, and near each other. Where the machine has more than is
        known of it, its first cards."""
        known = [card for card in gpus if card < len(self.node.gpus)]
        numbers = self._whole.numbers & ~mask(held)
        if count > len(known) or (self.node.domains and cpus > numbers.bit_count()):
            return first_given(gpus, count)
        cards = [0] * len(self.node.gpus)
        for card in known:
            cards[card] = WHOLE
        free = self._whole._replace(gpus=tuple(cards), numbers=numbers)
        part = lay_out(self.node, free, Demand(cpus=cpus, gpus=count * WHOLE), None)
        return Given(tuple(card for card, _ in part.gpus), part.numbers)
