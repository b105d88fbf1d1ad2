"""What an estimate means on cards of a certain memory."""

from __future__ import annotations

from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import WHOLE, Record
from hpcshell.core.units import MIB, format_gpus, short_size
from hpcshell.predict.models.formula import Estimate

ASSUMED: Final = 80 << 30
"""Bytes of a card of which nothing is known."""


class Fit(Record, frozen=True, kw_only=True):
    """How many `cards` of so much `memory` (bytes), what each has to bear, and, of a single one,
    which hundredths that is. `assumed`: the memory is."""

    cards: int
    share: int
    each: int
    memory: int
    assumed: bool = False


def fit(estimate: Estimate, memory: int = 0) -> Fit:
    """The fewest cards that hold it, each with its own overhead and its part of the rest; `memory`
    0: not known. Raises `Wrong` for cards that hold nothing."""
    card = memory or ASSUMED
    room = card - estimate.overhead
    if room <= 0:
        raise Wrong(
            f"a card of {short_size(card)} holds no model: CUDA alone takes "
            f"{short_size(estimate.overhead)}",
            "give a larger card",
        )
    cards = max(1, -(-estimate.spread // room))
    each = min(card, _in_mib(estimate.overhead + -(-estimate.spread // cards)))
    share = -(-each * WHOLE // card) if cards == 1 else WHOLE
    return Fit(cards=cards, share=share, each=each, memory=card, assumed=not memory)


def _in_mib(number: int) -> int:
    """Rounded up to whole MiB."""
    return -(-number // MIB) * MIB


def place_of(fit: Fit) -> str:
    """`share 0.2 of a card of 80G`, `3 cards of 24G, 21.4G on each`."""
    card = f"{short_size(fit.memory)}{' (assumed)' if fit.assumed else ''}"
    if fit.cards == 1:
        return f"share {format_gpus(fit.share)} of a card of {card}"
    return f"{fit.cards:,} whole cards of {card}, {short_size(fit.each)} on each"
