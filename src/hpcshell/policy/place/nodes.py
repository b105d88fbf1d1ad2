"""What is placed, and on what: nodes with their NUMA domains and GPUs, demands, placements.

Of a GPU any share of a hundredth of a card may be held. Inside, shares are whole numbers of
hundredths, so that sums are exact: `WHOLE` is one card. A demand of 1.5 is one card to itself and
half of another one.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record

SUM: Final = "the domains of a node add up to the node"


class NodeState(Enum):
    """Whether a node takes new work. What it holds it keeps in any state."""

    UP = "up"
    DRAIN = "drain"
    DOWN = "down"


class Domain(Record, frozen=True, kw_only=True):
    """One NUMA domain: its CPU numbers, its memory in bytes, the numbers of the GPUs near it."""

    cpus: tuple[int, ...]
    memory: int = 0
    gpus: tuple[int, ...] = ()


class Node(Record, frozen=True, kw_only=True):
    """One machine. `gpus` names the model of each card ("": not known); cards are numbered from 0.
    `gpu_memory`: the bytes of each, where they are known; `alone`: the cards that take one process
    at a time, so that nobody is given a part of them.

    `links` are the groups of cards joined by NVLink. Without `domains` CPUs are counted, not
    numbered. Raises Wrong where the parts do not make up the whole.
    """

    name: str
    cpus: int
    memory: int = 0
    gpus: tuple[str, ...] = ()
    features: frozenset[str] = frozenset()
    domains: tuple[Domain, ...] = ()
    links: tuple[tuple[int, ...], ...] = ()
    gpu_memory: tuple[int, ...] = ()
    alone: tuple[int, ...] = ()
    state: NodeState = NodeState.UP

    def __post_init__(self) -> None:
        if min(self.cpus, self.memory) < 0:
            raise Wrong(f"node {self.name} has less than nothing of something", "give 0 or more")
        if self.domains:
            self._check_domains()
        for what, groups in (
            ("NUMA domains", [domain.gpus for domain in self.domains]),
            ("NVLink groups", list(self.links)),
        ):
            cards = [card for group in groups for card in group]
            if len(set(cards)) < len(cards) or any(not 0 <= c < len(self.gpus) for c in cards):
                raise Wrong(
                    f"the {what} of node {self.name} name GPUs twice, or that it lacks",
                    "name each GPU once",
                )

    def _check_domains(self) -> None:
        cpus = [cpu for domain in self.domains for cpu in domain.cpus]
        if len(set(cpus)) != self.cpus or len(cpus) != self.cpus or min(cpus, default=0) < 0:
            raise Wrong(
                f"the NUMA domains of node {self.name} do not make up its {self.cpus} CPUs", SUM
            )
        if sum(domain.memory for domain in self.domains) != self.memory:
            raise Wrong(f"the NUMA domains of node {self.name} do not make up its memory", SUM)


class Demand(Record, frozen=True, kw_only=True):
    """What is asked for, per node: CPUs, bytes, hundredths of GPUs; and on how many nodes.

    `constraint` is in Slurm's form (see `constraint`). `exclusive`: whole nodes that nobody is on.
    """

    nodes: int = 1
    cpus: int = 1
    memory: int = 0
    gpus: int = 0
    gpu_type: str = ""
    constraint: str = ""
    exclusive: bool = False

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise Wrong(f"{self.nodes} nodes cannot be given", "ask for one or more")
        if min(self.cpus, self.memory, self.gpus) < 0:
            raise Wrong("less than nothing cannot be asked for", "ask for 0 or more")


class Part(Record, frozen=True, kw_only=True):
    """What is held of one node.

    `numbers` are the CPUs where they are numbered; `memory` is per NUMA domain, or one figure where
    there are none; `gpus` are (number of the card, hundredths of it).
    """

    node: str
    cpus: int
    numbers: tuple[int, ...] = ()
    memory: tuple[int, ...] = (0,)
    gpus: tuple[tuple[int, int], ...] = ()


class Placement(Record, frozen=True, kw_only=True):
    """Where a demand goes: one part per node."""

    parts: tuple[Part, ...]
