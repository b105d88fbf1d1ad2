"""How many points each of several places is given next.

Guided self-scheduling (C. Polychronopoulos and D. Kuck, 1987): a place that has little left gets a
part of what remains, so that the parts shrink towards the end and all places finish together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MOST_IN_FLIGHT: Final = 10_000
"""Points that one place holds at once: a queue need not hold a whole study."""


def shares(remaining: int, in_flight: Mapping[str, int], most: int | None = None) -> dict[str, int]:
    """How many of the `remaining` points go to each place now; places with none are left out.
    `most`: points in flight at all places together."""
    room = remaining if most is None else min(remaining, most - sum(in_flight.values()))
    if len(in_flight) == 1:
        [(only, busy)] = in_flight.items()
        given = min(room, MOST_IN_FLIGHT - busy)
        return {only: given} if given > 0 and 2 * busy <= MOST_IN_FLIGHT else {}
    given_out = {}
    for place, busy in sorted(in_flight.items(), key=lambda each: each[1]):
        part = max(1, -(-remaining // (2 * len(in_flight))))
        given = min(part, room, MOST_IN_FLIGHT) - busy
        if given > 0 and 2 * busy <= part:
            given_out[place] = given
            remaining, room = remaining - given, room - given
    return given_out
