"""Which CPUs, memory and cards of a node are given, once the node is chosen.

CPUs and memory of one NUMA domain if they fit into one, else of as few as there can be; whole cards
of one NVLink group, else of few; and of several ways to do so the one with most of the cards near
the CPUs, then the one that leaves the fullest domain and group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hpcshell.core.records import WHOLE
from hpcshell.policy.place.deal import Deal
from hpcshell.policy.place.fit import cards_of
from hpcshell.policy.place.fleet import Free
from hpcshell.policy.place.nodes import Demand, Node, Part

Numbers = tuple[int, ...]
Shares = tuple[tuple[int, int], ...]
"""Cards by number, and how many hundredths of each."""


class Domains(NamedTuple):
    """NUMA domains to give from, in this order, and how many CPUs would be left free in them."""

    numbers: Numbers
    left: int


def lay_out(node: Node, free: Free, demand: Demand, last: int | None) -> Part:
    """What is given of `node`, where `demand` fits. `last` is what is free of the card that is to
    take the last share (None: no share)."""
    if demand.exclusive:
        return everything(node)
    domains, gpus = _nearest(node, free, demand, last)
    if last is not None:
        gpus = (*gpus, (_open_card(node, free, demand, last, domains, gpus), demand.gpus % WHOLE))
    return Part(
        node=node.name,
        cpus=demand.cpus,
        numbers=_cpus(node, free, domains.numbers, demand.cpus),
        memory=_memory(free, domains.numbers, demand.memory),
        gpus=tuple(sorted(gpus)),
    )


def _nearest(node: Node, free: Free, demand: Demand, last: int | None) -> tuple[Domains, Shares]:
    """Domains and whole cards, of those that will do. `last`: as in `lay_out`."""
    cards, count = cards_of(node.gpus, demand.gpu_type), demand.gpus // WHOLE
    ways = [
        (domains, whole)
        for domains in _domains(node, free, demand)
        for whole in _whole_cards(node, free, cards, count, _near(node, domains))
    ]
    domains, whole = min(
        ways,
        key=lambda way: (
            _far(way[1], _near(node, way[0])) + _none_near(node, free, last, way),
            way[0].left,
            _siblings(node, free, way[1]),
            way,
        ),
    )
    return domains, tuple((card, WHOLE) for card in whole)


def _open_card(
    node: Node, free: Free, demand: Demand, last: int, domains: Domains, gpus: Shares
) -> int:
    """Of the cards of which `last` is free, and that are not among `gpus`, the nearest."""
    whole = tuple(card for card, _ in gpus)
    near = _near(node, domains)
    return min(
        (
            card
            for card in cards_of(node.gpus, demand.gpu_type)
            if free.gpus[card] == last and card not in whole
        ),
        key=lambda card: (not _linked(node, card, whole), card not in near, card),
    )


def deal_out(node: Node, free: Free, demand: Demand, last: int | None, deal: Deal) -> Part:
    """As `lay_out`, but CPUs are dealt to the domains, and whole cards to the groups, by `deal`:
    it does not matter what is near what."""
    domains = deal(_free_cpus(node, free), demand.cpus) or ()
    groups = [[card for card in group if free.gpus[card] == WHOLE] for group in _groups(node)]
    dealt = deal([len(group) for group in groups], demand.gpus // WHOLE) or ()
    cards = [card for number, count in dealt for card in groups[number][:count]]
    gpus = [(card, WHOLE) for card in cards]
    if last is not None:
        open_ = (card for card, left in enumerate(free.gpus) if left == last and card not in cards)
        gpus.append((min(open_), demand.gpus % WHOLE))
    numbers = [cpu for number, count in domains for cpu in _cpus(node, free, (number,), count)]
    return Part(
        node=node.name,
        cpus=demand.cpus,
        numbers=tuple(sorted(numbers)),
        memory=_memory(free, tuple(number for number, _ in domains), demand.memory),
        gpus=tuple(sorted(gpus)),
    )


def everything(node: Node) -> Part:
    """The whole node."""
    return Part(
        node=node.name,
        cpus=node.cpus,
        numbers=tuple(sorted(cpu for domain in node.domains for cpu in domain.cpus)),
        memory=tuple(domain.memory for domain in node.domains) or (node.memory,),
        gpus=tuple((card, WHOLE) for card in range(len(node.gpus))),
    )


def _free_cpus(node: Node, free: Free) -> list[int]:
    """How many CPUs are free in each domain."""
    return [sum(free.numbers >> cpu & 1 for cpu in domain.cpus) for domain in node.domains]


def _domains(node: Node, free: Free, demand: Demand) -> list[Domains]:
    """Each single domain that suffices; else the largest ones, as many as are needed."""
    if not node.domains:
        return [Domains((), 0)]
    cpus = _free_cpus(node, free)
    single = [
        Domains((number,), cpus[number] - demand.cpus)
        for number in range(len(cpus))
        if cpus[number] >= demand.cpus and free.domains[number] >= demand.memory
    ]
    return single or [_several(cpus, free.domains, demand)]


def _several(cpus: Sequence[int], memory: Sequence[int], demand: Demand) -> Domains:
    """Those with most CPUs free until these suffice, the last of them the smallest that will do;
    then those with most memory until that suffices, too."""
    left = sorted(range(len(cpus)), key=lambda number: (-cpus[number], number))
    chosen: list[int] = []
    while left and (lacking := demand.cpus - sum(cpus[number] for number in chosen)) > 0:
        enough = [number for number in left if cpus[number] >= lacking]
        chosen.append(enough[-1] if enough else left[0])
        left.remove(chosen[-1])
    left.sort(key=lambda number: (-memory[number], number))
    while left and sum(memory[number] for number in chosen) < demand.memory:
        chosen.append(left.pop(0))
    return Domains(tuple(chosen), sum(cpus[number] for number in chosen) - demand.cpus)


def _near(node: Node, domains: Domains) -> frozenset[int]:
    """The cards near the domains."""
    return frozenset(card for number in domains.numbers for card in node.domains[number].gpus)


def _far(cards: Numbers, near: frozenset[int]) -> int:
    return sum(card not in near for card in cards)


def _none_near(node: Node, free: Free, last: int | None, way: tuple[Domains, Numbers]) -> bool:
    """Whether no card that could take the share, besides the whole ones, is near the domains."""
    domains, whole = way
    near = _near(node, domains).difference(whole)
    return last is not None and all(free.gpus[card] != last for card in near)


def _groups(node: Node) -> list[Numbers]:
    """The cards by NVLink; those without by domain; where neither is known, all together."""
    groups = list(node.links)
    for domain in node.domains:
        groups.append(tuple(c for c in domain.gpus if all(c not in group for group in node.links)))
    told = {card for group in groups for card in group}
    groups.append(tuple(card for card in range(len(node.gpus)) if card not in told))
    return [group for group in groups if group]


def _whole_cards(
    node: Node, free: Free, cards: Numbers, count: int, near: frozenset[int]
) -> list[Numbers]:
    """For each group that has enough whole free cards, the best of them; else of several groups,
    those with most first."""
    if not count:
        return [()]
    whole = [
        sorted(
            (card for card in group if card in cards and free.gpus[card] == WHOLE),
            key=lambda card: (card not in near, card),
        )
        for group in _groups(node)
    ]
    single = [tuple(group[:count]) for group in whole if len(group) >= count]
    if single:
        return single
    chosen: list[int] = []
    left = sorted(whole, key=lambda group: (-len(group), group))
    while len(chosen) < count:
        enough = [group for group in left if len(group) >= count - len(chosen)]
        group = enough[-1] if enough else left[0]
        left.remove(group)
        chosen += group[: count - len(chosen)]
    return [tuple(chosen)]


def _siblings(node: Node, free: Free, cards: Numbers) -> int:
    """How many whole free cards there are in the groups that `cards` are of."""
    return sum(
        free.gpus[card] == WHOLE
        for group in _groups(node)
        if any(card in group for card in cards)
        for card in group
    )


def _linked(node: Node, card: int, cards: Numbers) -> bool:
    """Whether `card` is joined to any of `cards`."""
    return any(card in group and any(c in group for c in cards) for group in node.links)


def _cpus(node: Node, free: Free, domains: Numbers, count: int) -> Numbers:
    """The lowest free CPUs of the domains in their order."""
    found = [
        cpu
        for number in domains
        for cpu in sorted(node.domains[number].cpus)
        if free.numbers >> cpu & 1
    ]
    return tuple(sorted(found[:count]))


def _memory(free: Free, domains: Numbers, wanted: int) -> Numbers:
    """The bytes taken of each domain, first of those the CPUs are in."""
    taken = [0] * len(free.domains)
    for number in (*domains, *range(len(taken))):
        take = min(wanted, free.domains[number] - taken[number])
        taken[number] += take
        wanted -= take
    return tuple(taken)
