"""Which cards and cpus of one machine are given, once it is decided that something starts on it.

Where cards are given whole, it never changes what starts or when: cards and cpus are counted there,
and named here. A share is of one card, so that cards are chosen (`take`) while it is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from hpcshell.core.records import WHOLE, Share
from hpcshell.policy.place.deal import Way
from hpcshell.policy.place.fit import Cards, options
from hpcshell.policy.place.fleet import Free, all_of, mask
from hpcshell.policy.place.nodes import Demand, Node, Part
from hpcshell.policy.place.topology import deal_out, lay_out


class Given(NamedTuple):
    """Cards and cpus by number; no cpus where the machine does not number them. `nodes`: what of
    which node, where there are several. `shared`: cards of which a part is given, in
    hundredths."""

    gpus: tuple[int, ...] = ()
    cores: tuple[int, ...] = ()
    nodes: tuple[Share, ...] = ()
    shared: tuple[tuple[int, int], ...] = ()


NOTHING: Final = Given()


def first_given(gpus: Sequence[int], count: int) -> Given:
    """The first so many cards."""
    return Given(tuple(gpus[:count])) if count else NOTHING


def named(taken: Iterable[tuple[int, int]], cores: tuple[int, ...] = ()) -> Given:
    """Cards of which so many hundredths are taken, whole ones apart from shared ones."""
    cards = list(taken)
    whole = tuple(card for card, share in cards if share == WHOLE)
    return Given(whole, cores, shared=tuple(one for one in cards if 0 < one[1] < WHOLE))


class Host:
    """A machine of which it is known how cards and cpus are joined. `way`: what decides, if it is
    not that."""

    def __init__(self, node: Node, way: Way | None = None) -> None:
        self.node = node
        self.way = way
        self._whole = all_of(node)

    def give(self, gpus: Sequence[int], held: Iterable[int], cpus: int, count: int) -> Given:
        """So many of the free cards and of the cpus that nobody has `held`: of one NVLink group and
        one NUMA domain, if that can be, and near each other. Where the machine has more than is
        known of it, its first cards."""
        known = [card for card in gpus if card < len(self.node.gpus)]
        if count > len(known):
            return first_given(gpus, count)
        cards = [0] * len(self.node.gpus)
        for card in known:
            cards[card] = WHOLE
        return self._given(cards, held, cpus, count * WHOLE) or first_given(gpus, count)

    def take(
        self, free: Sequence[int], cpus: int, wanted: int, which: Cards | None = None
    ) -> tuple[int, ...] | None:
        """How much of each card is taken, where so much of each is free and `wanted` hundredths
        are asked for; None: that does not fit. `which`: the card that takes a share."""
        cards = tuple(max(0, share) for share in self._each(free))
        which = which or (Cards.LEAST if self.way is None else self.way.policy.cards)
        ways = options(cards, tuple(range(len(cards))), wanted, which)
        if not ways:
            return None
        open_ = self._whole._replace(gpus=cards)
        demand = Demand(cpus=min(cpus, self.node.cpus), gpus=wanted)
        taken = [0] * len(free)
        for card, share in self._part(open_, demand, ways[0].last).gpus:
            taken[card] = share
        return tuple(taken)

    def name(self, taken: Sequence[int], held: Iterable[int], cpus: int) -> Given:
        """Cpus that nobody has `held` for who takes so much of each card."""
        cards = self._each(taken)
        return self._given(cards, held, cpus, sum(cards)) or named(enumerate(taken))

    def _each(self, shares: Sequence[int]) -> list[int]:
        """Of each card that is known. Of those that the machine has no more, nothing is free."""
        count = len(self.node.gpus)
        return [*shares[:count], *[0] * (count - len(shares))]

    def _given(
        self, cards: Sequence[int], held: Iterable[int], cpus: int, wanted: int
    ) -> Given | None:
        """`wanted` of the cards of which so much is free, and cpus; None: there are not as many
        with a number."""
        numbers = self._whole.numbers & ~mask(held)
        if self.node.domains and cpus > numbers.bit_count():
            return None
        share = wanted % WHOLE
        free = self._whole._replace(gpus=tuple(cards), numbers=numbers)
        part = self._part(free, Demand(cpus=cpus, gpus=wanted), share or None)
        return named(part.gpus, part.numbers)

    def _part(self, free: Free, demand: Demand, last: int | None) -> Part:
        if self.way is None:
            return lay_out(self.node, free, demand, last)
        return deal_out(self.node, free, demand, last, self.way.deal)


@lru_cache(maxsize=64)
def plain_host(gpus: int) -> Host:
    """One of which it is not known: its cards are all alike, and its cpus have no numbers."""
    return Host(Node(name="", cpus=0, gpus=("",) * gpus))
