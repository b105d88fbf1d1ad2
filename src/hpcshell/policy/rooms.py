"""The room of a machine that is known: one, with how it is joined, or several nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from hpcshell.core.records import Request, Resources
from hpcshell.policy.cards import allowed
from hpcshell.policy.cluster import Cluster
from hpcshell.policy.host import Host
from hpcshell.policy.joint import Joint
from hpcshell.policy.place.deal import WAYS
from hpcshell.policy.place.nodes import Node, NodeState
from hpcshell.policy.room import Room

TOPOLOGY: Final = "topology"
"""The placement by what is near what; the others are `WAYS`."""


def host_of(node: Node, placement: str) -> Host:
    """One machine, of which cards and cpus are given by that placement."""
    return Host(node, WAYS.get(placement))


def room_of(total: Resources, nodes: Sequence[Node], placement: str) -> Room:
    """One machine that has `total`, of which it is known how it is joined where there is a node; or
    all of several nodes."""
    if len(nodes) > 1:
        return Cluster(nodes, WAYS.get(placement, WAYS["best_fit"]), total.others)
    return Room(total, host_of(nodes[0], placement) if nodes else None)


def nodes_of(room: Room) -> tuple[Node, ...]:
    """What `room_of` is to be told of it."""
    if isinstance(room, Cluster):
        return tuple(room.nodes)
    return () if room.host is None else (room.host.node,)


def out_of_service(room: Room, requests: Sequence[Request]) -> list[str]:
    """The nodes, or cards, that take no new work, where these requests would start together if they
    did."""
    if not isinstance(room, Cluster):
        return closed_cards(room, requests) if room.closed and fit(requests, empty(room)) else []
    names = [node.name for node in room.nodes if node.state is not NodeState.UP]
    up = [replace(node, state=NodeState.UP) for node in room.nodes]
    there = Cluster(up, room.way, room.total.others)
    return names if names and fit(requests, there) else []


def fit(requests: Sequence[Request], room: Room) -> bool:
    """Whether there is a place for all of them in an empty room."""
    room.share(any(request.picks_cards for request in requests))
    return Joint(room, requests)(room.size) is not None


def closed_cards(room: Room, requests: Sequence[Request]) -> list[str]:
    """The cards that might be given to these if they took new work, each with why they do not."""
    mine = {card for request in requests for card in suited(room, request)}
    return [f"gpu {card} ({why})" for card, why in sorted(room.closed.items()) if card in mine]


def suited(room: Room, request: Request) -> list[int]:
    """The cards of one machine that are of the model, and among those, that are asked for."""
    known = [] if room.host is None else allowed(request, room.host.node)
    return known or list(range(room.total.gpus))


def empty(room: Room) -> Room:
    """The same, with nobody in it."""
    if isinstance(room, Cluster):
        return Cluster(room.nodes, room.way, room.total.others)
    return Room(room.total, room.host)
