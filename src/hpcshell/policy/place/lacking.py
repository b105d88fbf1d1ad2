"""Why a demand has no place: which condition leaves how many nodes, and whether waiting helps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from hpcshell.core.records import WHOLE, Record
from hpcshell.core.units import format_size
from hpcshell.policy.place.choose import choose
from hpcshell.policy.place.constraint import parse
from hpcshell.policy.place.fit import Cards, cards_of, fitting
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.nodes import Demand, NodeState
from hpcshell.policy.place.score import FIRST_FIT


class Step(NamedTuple):
    """What a node must be, in words, and how many nodes are that and all that was said before."""

    words: str
    nodes: int


class Lacking(Record, frozen=True, kw_only=True):
    """What leaves fewer and fewer nodes, down to too few. `never`: there would be no place either
    if all nodes were up and nobody on them."""

    never: bool
    steps: tuple[Step, ...]
    sentence: str


Condition = tuple[str, Callable[[int], bool]]


def lacking(fleet: Fleet, demand: Demand) -> Lacking:
    """What keeps `demand` from having a place, of one that has none (see `choose`)."""
    left = list(range(len(fleet.nodes)))
    steps = []
    for words, holds in _conditions(fleet, demand):
        kept = [number for number in left if holds(number)]
        if len(kept) < len(left):
            steps.append(Step(words, len(kept)))
        left = kept
        if len(kept) < demand.nodes:
            break
    empty = Fleet(replace(node, state=NodeState.UP) for node in fleet.nodes)
    never = choose(empty, demand, FIRST_FIT) is None
    return Lacking(
        never=never, steps=tuple(steps), sentence=_sentence(fleet, demand, steps, len(left))
    )


def _conditions(fleet: Fleet, demand: Demand) -> Iterator[Condition]:
    """One after the other, those that waiting cannot change first, but for nodes that are down."""
    yield "up", lambda number: fleet.nodes[number].state is NodeState.UP
    constraint = parse(demand.constraint)
    if demand.constraint:
        yield (
            f"with the features {demand.constraint}",
            lambda number: constraint.may_hold(fleet.nodes[number].features),
        )
    yield from _sizes(fleet, demand)
    yield from _room(fleet, demand)


def _sizes(fleet: Fleet, demand: Demand) -> Iterator[Condition]:
    """What each node must have at all."""
    yield f"with {demand.cpus} CPUs", lambda number: fleet.nodes[number].cpus >= demand.cpus
    yield (
        f"with {format_size(demand.memory)} of memory",
        lambda number: fleet.nodes[number].memory >= demand.memory,
    )
    if demand.gpus:
        cards = -(-demand.gpus // WHOLE)
        yield (
            f"with {cards} GPUs{_model(demand)}",
            lambda number: len(cards_of(fleet.nodes[number].gpus, demand.gpu_type)) >= cards,
        )


def _room(fleet: Fleet, demand: Demand) -> Iterator[Condition]:
    """What each node must have free."""
    if demand.exclusive:
        yield "idle", lambda number: fleet.free[number] == fleet.whole[number]
    yield f"with {demand.cpus} CPUs free", lambda number: fleet.free[number].cpus >= demand.cpus
    yield (
        f"with {format_size(demand.memory)} of memory free",
        lambda number: fleet.free[number].memory >= demand.memory,
    )
    if demand.gpus:
        yield (
            f"with {demand.gpus / WHOLE:g} GPUs{_model(demand)} free",
            lambda number: bool(
                fitting(
                    fleet.nodes[number],
                    fleet.free[number],
                    fleet.whole[number],
                    demand,
                    Cards.FIRST,
                )
            ),
        )


def _model(demand: Demand) -> str:
    return f" of type {demand.gpu_type}" if demand.gpu_type else ""


def _sentence(fleet: Fleet, demand: Demand, steps: list[Step], left: int) -> str:
    """How many are wanted; of so many nodes so many are this, of these so many that."""
    wanted = "1 node is wanted" if demand.nodes == 1 else f"{demand.nodes} nodes are wanted"
    told = [f"of {len(fleet.nodes)}"]
    told += [f"{step.nodes or 'none'} {step.words}" for step in steps]
    if left >= demand.nodes:
        told.append(f"no {demand.nodes} that have the features {demand.constraint} together")
    return f"{wanted}; {', of these '.join(told).replace(', of these', ':', 1)}"
