"""Which node is the better place: each policy is a small function of one fit; less is better.

Scores are of what would be left of the node. Equal scores go to the node that comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from hpcshell.core.records import WHOLE
from hpcshell.policy.place.fit import Cards, Gpus
from hpcshell.policy.place.fleet import Free
from hpcshell.policy.place.nodes import Demand, Node


class Fit(NamedTuple):
    """A demand on a node: what is free now, and the CPUs, bytes and hundredths of each card that
    would be left. `largest`: the most that any node of the fleet has of each."""

    demand: Demand
    node: Node
    free: Free
    cpus: int
    memory: int
    gpus: Gpus
    largest: tuple[int, int, int]


Score = Callable[[Fit], float]


class Policy(NamedTuple):
    """A score, and how a card is chosen for a share of one. `by_lot`: nothing but chance decides,
    by a number that the caller gives."""

    name: str
    score: Score
    cards: Cards = Cards.LEAST
    by_lot: bool = False


def _nothing(fit: Fit) -> float:
    return 0.0


def best_fit(fit: Fit) -> float:
    """Least left over: what would be left of CPUs and of GPUs, each by the largest node's. (As in
    Weng et al., ATC 2023, memory is only to be sufficient.)"""
    cpus, _, gpus = fit.largest
    return fit.cpus / cpus + sum(fit.gpus) / gpus


def worst_fit(fit: Fit) -> float:
    """Most left over: work is spread."""
    return -best_fit(fit)


def pack(fit: Fit) -> float:
    """Fewest free cards are broken into: shared cards first (the fullest one), then free cards of
    nodes in use, then nodes of whose GPUs nobody has any, the smallest first. Without GPUs: the
    best fit."""
    if not fit.demand.gpus:
        return best_fit(fit)
    before, after = fit.free.gpus, fit.gpus
    opened = before.count(WHOLE) - after.count(WHOLE)
    if before.count(WHOLE) == len(before):
        return 2.0 + len(before) / (1 + len(before))
    if opened:
        return 1.0 + opened / (1 + opened)
    return sum(now for now, then in zip(before, after, strict=True) if now != then) / WHOLE


def dot_product(fit: Fit) -> float:
    """The product of the vectors asked for and free, by the largest node's (Panigrahy et al.,
    "Heuristics for Vector Bin Packing", 2011; Grandl et al., "Multi-resource Packing for Cluster
    Schedulers", SIGCOMM 2014). There a node picks a task, here a task picks a node: the least."""
    cpus, _, gpus = fit.largest
    return (fit.demand.cpus * fit.free.cpus) / cpus**2 + (
        fit.demand.gpus * sum(fit.free.gpus)
    ) / gpus**2


def clustering(fit: Fit) -> float:
    """Like beside like: nodes where only the same number of GPUs is held by each, then those where
    some hold the same, then empty ones, then others; the fullest first. Without GPUs: the best
    fit."""
    if not fit.demand.gpus:
        return best_fit(fit)
    mine, kinds = fit.demand.gpus // WHOLE, [kind for kind, _ in fit.free.tenants]
    tier = 0 if kinds == [mine] else 1 if mine in kinds else 3 if kinds else 2
    return tier + sum(fit.free.gpus) / (1 + fit.largest[2])


FIRST_FIT: Final = Policy("first_fit", _nothing, Cards.FIRST)
BEST_FIT: Final = Policy("best_fit", best_fit)
WORST_FIT: Final = Policy("worst_fit", worst_fit, Cards.MOST)
PACK: Final = Policy("pack", pack)
DOT_PRODUCT: Final = Policy("dot_product", dot_product)
CLUSTERING: Final = Policy("clustering", clustering)
RANDOM: Final = Policy("random", _nothing, by_lot=True)

POLICIES: Final = {
    policy.name: policy
    for policy in (FIRST_FIT, BEST_FIT, WORST_FIT, PACK, DOT_PRODUCT, CLUSTERING, RANDOM)
}
"""The policies by name, but for `fragments.gradient`, which needs to know what is usually asked
for."""


def lot(*numbers: int) -> int:
    """A number that looks like chance and is the same for the same `numbers`: a 64-bit finaliser
    (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014)."""
    mixed = 0
    for number in numbers:
        mixed = (mixed + number + 0x9E3779B97F4A7C15) & _BITS
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _BITS
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _BITS
        mixed ^= mixed >> 31
    return mixed


_BITS: Final = (1 << 64) - 1
