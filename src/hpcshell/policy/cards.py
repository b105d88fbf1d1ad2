"""Which cards of a machine a request may be given, and how much of one of them.

Cards differ: in model, in memory, in whether they can be shared. Those that are alike for a request
are one kind, and all cards of a job are of one kind. A share is at least the part of the card's
memory that is asked for; of a card that takes one process at a time it is all of it.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from hpcshell.core.gpus import is_model
from hpcshell.core.records import WHOLE, Request
from hpcshell.policy.place.nodes import Node


class Kind(NamedTuple):
    """Cards by number, and how many hundredths are taken of them in all."""

    cards: tuple[int, ...]
    wanted: int


def kinds(request: Request, node: Node) -> tuple[Kind, ...]:
    """The kinds of cards that will do, the better ones first: cards that can be shared, and of
    these where the share is the largest, so that large cards stay free for what needs them. ()
    where there are too few."""
    alike: dict[tuple[bool, int], list[int]] = {}
    for card in allowed(request, node):
        share = share_of(request, node, card)
        if share is not None:
            alone = bool(request.gpu_share) and card in node.alone
            alike.setdefault((alone, -share), []).append(card)
    found = []
    for (_, share), cards in sorted(alike.items()):
        wanted = request.gpus * WHOLE - share
        if len(cards) * WHOLE >= wanted:
            found.append(Kind(tuple(cards), wanted))
    return tuple(found)


def allowed(request: Request, node: Node) -> list[int]:
    """The cards of the right model that may be given, whatever is asked of each."""
    return [
        card
        for card, model in enumerate(node.gpus)
        if is_model(model, request.gpu_type)
        and (not request.gpus_allowed or card in request.gpus_allowed)
    ]


def share_of(request: Request, node: Node, card: int) -> int | None:
    """How much the job takes of the card that it does not have to itself, in hundredths; None: it
    has not the memory."""
    part = part_of(request.gpu_mem, memory_of(node, card))
    if part > WHOLE:
        return None
    if not request.gpu_share:
        return 0
    return WHOLE if card in node.alone else max(request.gpu_share, part)


def memory_of(node: Node, card: int) -> int:
    """The bytes of a card; 0: not known."""
    return node.gpu_memory[card] if card < len(node.gpu_memory) else 0


def part_of(memory: int, whole: int) -> int:
    """The hundredths of a card that so much of its memory is, rounded up. Of a card whose memory is
    not known nobody can tell: 0."""
    return -(-memory * WHOLE // whole) if whole else 0


def settled(request: Request, node: Node | None) -> Request:
    """With the least share that the memory asked for can come to; what asks for no gpus and for
    some memory of one asks for a share. Nothing can be told where no card will do."""
    if node is None or not request.gpu_mem or (request.gpus and not request.gpu_share):
        return request
    sizes = [memory_of(node, card) for card in allowed(request, node)]
    parts = [part_of(request.gpu_mem, size) for size in sizes if size]
    share = max(request.gpu_share, min((part for part in parts if part <= WHOLE), default=0))
    gpus, share = divmod(request.gpus * WHOLE + share, WHOLE)
    return replace(request, gpus=gpus, gpu_share=share)
