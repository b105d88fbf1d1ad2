"""Whether a demand fits what is free of one node, and which cards it could have there."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from hpcshell.core.gpus import is_model
from hpcshell.core.records import WHOLE
from hpcshell.policy.place.fleet import Free
from hpcshell.policy.place.nodes import Demand, Node

Gpus = tuple[int, ...]
"""What is free of each card of a node, in hundredths."""


class Cards(Enum):
    """Which card takes a share, of those with room for it."""

    LEAST = "the one with least left"
    MOST = "the one with most left"
    FIRST = "the first one"
    EACH = "each is looked at"


class Option(NamedTuple):
    """One way to give GPUs: `last` is what is free, before, of the card that takes a share (None:
    no share is asked for); `gpus` are the cards afterwards."""

    last: int | None
    gpus: Gpus


@lru_cache(maxsize=1 << 16)
def options(gpus: Gpus, cards: tuple[int, ...], wanted: int, which: Cards) -> tuple[Option, ...]:
    """The ways to take `wanted` hundredths from those of `cards` that are free enough; () where it
    does not fit. More than one card means whole free ones, and the rest on one more."""
    count, share = divmod(wanted, WHOLE)
    whole = [card for card in cards if gpus[card] == WHOLE][:count]
    if len(whole) < count:
        return ()
    after = list(gpus)
    for card in whole:
        after[card] = 0
    if not share:
        return (Option(None, tuple(after)),)
    room: dict[int, int] = {}
    for card in cards:
        if after[card] >= share:
            room.setdefault(after[card], card)
    if not room:
        return ()
    found = []
    for last in _those(room, which):
        card = room[last]
        found.append(Option(last, (*after[:card], last - share, *after[card + 1 :])))
    return tuple(found)


def _those(room: dict[int, int], which: Cards) -> Iterator[int]:
    """Of what is free of the cards with room, in the order of the cards, that of the one wanted."""
    if which is Cards.EACH:
        yield from room
    elif which is Cards.FIRST:
        yield next(iter(room))
    else:
        yield (min if which is Cards.LEAST else max)(room)


@lru_cache(maxsize=1 << 12)
def cards_of(models: tuple[str, ...], wanted: str) -> tuple[int, ...]:
    """The numbers of the cards of the model wanted ("": of any)."""
    return tuple(card for card, model in enumerate(models) if is_model(model, wanted))


def fitting(
    node: Node, free: Free, whole: Free, demand: Demand, which: Cards
) -> tuple[Option, ...]:
    """The ways to give one node's part of `demand`; () where it does not fit."""
    if demand.cpus > free.cpus or demand.memory > free.memory:
        return ()
    if demand.exclusive and free != whole:
        return ()
    if not demand.gpus:
        found: tuple[Option, ...] = (Option(None, free.gpus),)
    else:
        cards = cards_of(node.gpus, demand.gpu_type)
        found = options(free.gpus, cards, demand.gpus, which)
    if demand.exclusive and found:
        return (Option(None, (0,) * len(free.gpus)),)
    return found
