"""Fragmentation gradient descent (Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing
Workloads with Fragmentation Gradient Descent", USENIX ATC 2023).

F_n(m), the fragmentation of node n for a task m, is what is free of its GPUs and m cannot use: all
of it where m does not fit (or asks for no GPU), else the cards that have less left than m asks for
of one. F_n(M) is its mean over the tasks of a usual workload M. A demand goes to the node and card
where F_n(M) grows least.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from math import fsum
from typing import Final, NamedTuple

from hpcshell.core.records import WHOLE
from hpcshell.policy.place.fit import Cards, Gpus, cards_of, options
from hpcshell.policy.place.nodes import Demand
from hpcshell.policy.place.score import Fit, Policy, best_fit

LEFT_OVER: Final = WHOLE / 32
"""How much fragmentation, in hundredths of a card, a worse fit may spare. Chosen on the openb
trace alone, where 1/50 to 1/10 of a card does about as well, and none, or more, does worse."""

REMEMBERED: Final = 1 << 18
"""So many figures are kept; then they are worked out again."""


class _Kind(NamedTuple):
    """Tasks alike in GPUs: how many of them (weights add up) ask for at most how many CPUs."""

    gpus: int
    model: str
    cpus: list[int]
    weights: list[float]

    def weight_within(self, cpus: int) -> float:
        """The weight of those that `cpus` suffice for."""
        place = bisect_right(self.cpus, cpus)
        return self.weights[place - 1] if place else 0.0


class Workload:
    """What is usually asked for: demands and how often. CPUs and GPUs count, as in the paper."""

    def __init__(self, usual: Iterable[tuple[Demand, float]]) -> None:
        kinds: dict[tuple[int, str], dict[int, float]] = {}
        total = 0.0
        for demand, weight in usual:
            total += weight
            if demand.gpus:
                by_cpus = kinds.setdefault((demand.gpus, demand.gpu_type), {})
                by_cpus[demand.cpus] = by_cpus.get(demand.cpus, 0.0) + weight
        self._kinds = [
            _Kind(
                gpus,
                model,
                sorted(by_cpus),
                list(accumulate(by_cpus[cpus] / total for cpus in sorted(by_cpus))),
            )
            for (gpus, model), by_cpus in sorted(kinds.items())
        ]
        self._usable: dict[tuple[tuple[str, ...], Gpus], tuple[float, ...]] = {}
        self._weights: dict[int, tuple[float, ...]] = {}
        self._fragmentation: dict[tuple[tuple[str, ...], int, Gpus], float] = {}

    def fragmentation(self, models: tuple[str, ...], cpus: int, gpus: Gpus) -> float:
        """F_n(M) in hundredths of a card, of a node with that much free."""
        key = (models, cpus, tuple(sorted(gpus)) if len(set(models)) < 2 else gpus)
        known = self._fragmentation.get(key)
        if known is None:
            if len(self._fragmentation) >= REMEMBERED:
                self._fragmentation.clear()
                self._usable.clear()
            known = self._fragmentation[key] = sum(gpus) - fsum(
                map(float.__mul__, self._weight_within(cpus), self._used(models, key[2]))
            )
        return known

    def _weight_within(self, cpus: int) -> tuple[float, ...]:
        known = self._weights.get(cpus)
        if known is None:
            known = tuple(kind.weight_within(cpus) for kind in self._kinds)
            self._weights[cpus] = known
        return known

    def _used(self, models: tuple[str, ...], gpus: Gpus) -> tuple[float, ...]:
        """What each kind of task could use of what is free, if it had the CPUs."""
        known = self._usable.get((models, gpus))
        if known is None:
            known = tuple(float(_usable(kind, models, gpus)) for kind in self._kinds)
            self._usable[models, gpus] = known
        return known


def _usable(kind: _Kind, models: tuple[str, ...], gpus: Gpus) -> int:
    """What a task of the kind could use of the cards: of those of its model with as much left as it
    asks for of one, all that is left."""
    cards = cards_of(models, kind.model)
    if not options(gpus, cards, kind.gpus, Cards.FIRST):
        return 0
    least = kind.gpus % WHOLE or WHOLE
    return sum(gpus[card] for card in cards if gpus[card] >= least)


def gradient(workload: Workload) -> Policy:
    """The policy for what is asked for as in `workload`.

    Fragmentation alone tells too little of nodes where it grows almost alike, so that what is left
    over counts, too: CPUs and GPUs of the largest node together as much as `LEFT_OVER`.
    """

    def score(fit: Fit) -> float:
        before = workload.fragmentation(fit.node.gpus, fit.free.cpus, fit.free.gpus)
        after = workload.fragmentation(fit.node.gpus, fit.cpus, fit.gpus)
        return after - before + LEFT_OVER * best_fit(fit)

    return Policy("fgd", score, Cards.EACH)
