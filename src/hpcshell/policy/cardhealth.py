"""Whether the cards are well, and what is wrong with those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from hpcshell.core.gpus import Reading
from hpcshell.policy.cardwatch import CardWatch, Overuse, Standing

HOT: Final = 90.0
"""Degrees Celsius from which a card is called hot; most slow down a little above that."""
SERIOUS: Final = ("lost", "failing", "prohibited")
"""States of a card that nobody chose."""


class Health(NamedTuple):
    """`state`: HEALTHY, DEGRADED (something is wrong), or UNHEALTHY (no card can be used, or nobody
    can tell); `causes`: one sentence each."""

    state: str
    causes: tuple[str, ...] = ()


def health(
    watch: CardWatch,
    standings: Sequence[Standing],
    *,
    expected: bool,
    over: Sequence[Overuse] = (),
) -> Health:
    """How the cards are. `expected`: there should be some; `over`: who holds too much of them."""
    trouble = watch.survey.trouble
    if not watch.cards:
        if not expected:
            return Health("HEALTHY")
        why = trouble or f"nobody tells of the cards (provider {watch.survey.provider})"
        return Health("UNHEALTHY", (why,))
    causes = [trouble] if trouble else []
    for card, one in enumerate(standings):
        if one.why and one.state not in ("paused", "draining"):
            causes.append(f"gpu {card} is {one.state}: {one.why}")
        reading = watch.reading(card)
        causes += [] if reading is None else _told(card, reading)
    causes += [f"run {one.run} holds more of gpu {one.card} than is its own" for one in over]
    usable = any(one.state in ("up", "trial") for one in standings)
    chosen = all(one.state in ("paused", "draining") for one in standings if one.why)
    if chosen and not usable:
        causes.append("all gpus are paused")
    if trouble or not (usable or chosen):
        return Health("UNHEALTHY", tuple(causes))
    return Health("DEGRADED" if causes else "HEALTHY", tuple(causes))


def _told(card: int, reading: Reading) -> list[str]:
    """What a card tells of itself that is not as it should be."""
    found = []
    if reading.temperature is not None and reading.temperature >= HOT:
        found.append(f"gpu {card} is hot: {reading.temperature:.0f} degrees")
    if reading.ecc:
        found.append(f"gpu {card} has had {reading.ecc} memory errors that could not be corrected")
    if reading.xid and not reading.trouble:
        found.append(f"gpu {card} reported an error to the driver: Xid {reading.xid}")
    return found
