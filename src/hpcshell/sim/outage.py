"""What a fault takes of a machine in a replay: held by a run of nobody, until it is there again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from msgspec.structs import replace

from hpcshell.core.records import NO_INDEX, Claim, Request
from hpcshell.policy.cluster import Cluster
from hpcshell.policy.room import Room, Vector
from hpcshell.sim.faults import Fault

NOBODY: Final = 0
"""The job of an outage."""


def outage(room: Room, fault: Fault, run: int) -> Claim | None:
    """What is gone, of what is free then; None: nothing is free of it."""
    claim = Claim(
        run=run,
        job=NOBODY,
        index=NO_INDEX,
        cpus=min(fault.cpus, max(0, room.free[1])),
        start=fault.at,
        end=fault.at + fault.span,
    )
    if isinstance(room, Cluster) and fault.node:
        return _all_of(room, claim, fault.node)
    if not claim.cpus:
        return None
    return _any_of(room, claim) if isinstance(room, Cluster) else claim


def on(room: Cluster, name: str) -> list[int]:
    """The runs that hold any of the node."""
    claims = room.claims.items()
    return [run for run, claim in claims if any(one.node == name for one in claim.nodes)]


def victims(room: Room, fault: Fault, runs: Collection[int]) -> list[int]:
    """Which of the runs it ends: those on the node; or those that were started last, until enough
    is free."""
    if isinstance(room, Cluster) and fault.node:
        return [run for run in on(room, fault.node) if run in runs]
    found, free = [], room.free[1]
    for run in sorted(runs, reverse=True):
        if free >= fault.cpus:
            break
        if room.claims[run].suspended is None:
            found.append(run)
            free += room.claims[run].cpus
    return found


def _all_of(room: Cluster, claim: Claim, name: str) -> Claim | None:
    """All that is free of the node."""
    number = [node.name for node in room.nodes].index(name)
    amount = room.grid.amounts(room.free)[number]
    if not any(amount):
        return None
    first, end = room.grid.cards[number : number + 2]
    each = enumerate(room.grid.each_card(room.free))
    cards = {card: share for card, share in each if first <= card < end}
    need = room.grid.vector([0] * len(room.names), {number: amount}, cards)
    return _filled(room, claim, need)


def _any_of(room: Cluster, claim: Claim) -> Claim | None:
    """Its cpus on any nodes."""
    need = room.place(Request(cpus=claim.cpus, nodes=0))(room.free)
    return None if need is None else _filled(room, claim, need)


def _filled(room: Cluster, claim: Claim, need: Vector) -> Claim:
    given = room.given(need, room.gpus)
    return replace(
        claim,
        cpus=need[1],
        memory=need[2],
        gpus=given.gpus,
        shared=given.shared,
        nodes=given.nodes,
    )
