"""How often a cluster is asked: often while things change, seldom while nothing does."""

from __future__ import annotations

from typing import Final

import msgspec

SOONEST: Final = 5.0
LATEST: Final = 120.0
"""Seconds between two questions, at the least and at the most."""
GROWTH: Final = 1.5
FAILED: Final = 10.0
LONGEST: Final = 900.0
"""Seconds after a first failure, and after the last of many."""
JITTER: Final = 0.2
"""The part of itself by which a pause after a failure is longer or shorter."""


class Rhythm(msgspec.Struct, frozen=True):
    """What the next pause follows from: the last one, and how many failures there were in a row."""

    pause: float = SOONEST
    failures: int = 0

    def answered(self, *, changed: bool) -> Rhythm:
        """After an answer, which told something new or not."""
        return Rhythm(SOONEST if changed else min(LATEST, self.pause * GROWTH))

    def failed(self, chance: float) -> Rhythm:
        """After none. `chance`: from 0 to 1, so that many who failed together part."""
        pause = min(LONGEST, FAILED * 2.0 ** min(self.failures, 16))
        return Rhythm(pause * (1 + JITTER * (2 * chance - 1)), self.failures + 1)
