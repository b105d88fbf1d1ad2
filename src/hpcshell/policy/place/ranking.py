"""The nodes that a demand fits, and the best of them, kept while the fleet changes.

Between two decisions about the same demand few nodes change, so only those are scored again: work
grows with what changed. The best one is the least of a heap in which outdated scores stay until
they come up.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from hpcshell.policy.place.constraint import Constraint
from hpcshell.policy.place.fit import fitting
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.nodes import Demand, NodeState
from hpcshell.policy.place.score import Fit, Policy

REMEMBERED: Final = 1 << 20
"""So many scores are kept of a fleet, then the rankings least lately used are forgotten."""


class Scored(NamedTuple):
    """A node by number, its score, and what is free of the card that would take a share."""

    score: float
    number: int
    last: int | None


class Ranking:
    """For one policy and what one node is asked for: `fits` has the nodes by number."""

    __slots__ = ("_constraint", "_demand", "_heap", "_policy", "_seen", "fits")

    def __init__(self, policy: Policy, demand: Demand, constraint: Constraint) -> None:
        self._policy = policy
        self._demand = demand
        self._constraint = constraint
        self._seen = -1
        self.fits: dict[int, Scored] = {}
        self._heap: list[Scored] = []

    def follow(self, fleet: Fleet) -> None:
        """Look at what has changed since."""
        if self._seen < fleet.base:
            self.fits.clear()
            self._look(fleet, range(len(fleet.nodes)))
        else:
            self._look(fleet, set(fleet.log[self._seen - fleet.base :]))
        self._seen = fleet.base + len(fleet.log)

    def _look(self, fleet: Fleet, numbers: range | set[int]) -> None:
        for number in numbers:
            scored = self._scored(fleet, number)
            if scored is None:
                self.fits.pop(number, None)
            else:
                self.fits[number] = scored
                heappush(self._heap, scored)
        if len(self._heap) > 2 * len(self.fits) + 64:
            self._heap = list(self.fits.values())
            heapify(self._heap)

    def best(self) -> Scored | None:
        """The node with the least score; None: it fits nowhere."""
        while self._heap:
            if self.fits.get(self._heap[0].number) is self._heap[0]:
                return self._heap[0]
            heappop(self._heap)
        return None

    def _scored(self, fleet: Fleet, number: int) -> Scored | None:
        node, free, demand = fleet.nodes[number], fleet.free[number], self._demand
        if demand.cpus > free.cpus or demand.memory > free.memory:
            return None
        if node.state is not NodeState.UP or not self._constraint.may_hold(node.features):
            return None
        ways = fitting(node, free, fleet.whole[number], demand, self._policy.cards)
        if not ways:
            return None
        cpus, memory = free.cpus - demand.cpus, free.memory - demand.memory
        if demand.exclusive:
            cpus = memory = 0
        score, largest = self._policy.score, fleet.largest
        if len(ways) == 1:
            way = ways[0]
            fit = Fit(demand, node, free, cpus, memory, way.gpus, largest)
            return Scored(score(fit), number, way.last)
        return min(
            Scored(
                score(Fit(demand, node, free, cpus, memory, way.gpus, largest)), number, way.last
            )
            for way in ways
        )


def ranking(fleet: Fleet, policy: Policy, demand: Demand, constraint: Constraint) -> Ranking:
    """That of the fleet for what each node is asked for, up to date. `demand` is of one node."""
    key = (policy, demand)
    known = fleet.rankings.pop(key, None)
    if known is None:
        known = Ranking(policy, demand, constraint)
        while len(fleet.rankings) >= max(16, REMEMBERED // (1 + len(fleet.nodes))):
            del fleet.rankings[next(iter(fleet.rankings))]
    fleet.rankings[key] = known
    known.follow(fleet)
    return known
