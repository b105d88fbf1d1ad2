"""Four levels of priority, and ageing: whoever waits climbs, so that nobody starves.

A job climbs `boost` levels for every hour it has waited, without steps, and no further than the
top: at the instant t its level is max(0, level - boost * hours waited), and the smaller goes first.

Work need not be put in order again as time goes by. A job submitted at s arrives at the top at

    rank = s + level * 3600 / boost

and its level at t is (rank - t) * boost / 3600, but not below 0: for any two jobs the one with the
smaller rank has, at every instant, a level that is smaller or the same. Ordering by rank is
ordering by level, now and later; where levels are the same, as they are at the top, whoever got
there first goes first. Without ageing (`boost` 0) the rank is the level itself, and ties go by
submission.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.core.units import HOUR
from hpcshell.core.words import nearest, quote
from hpcshell.policy.checks import check_number

SLOWEST: Final = 1e-6
"""Levels an hour: the slowest ageing there is, one level in a century. Below it ranks would lose
their seconds."""
FASTEST: Final = 1e6


class Level(IntEnum):
    """The smaller goes first."""

    CRITICAL = 0  # maintenance, emergencies
    HIGH = 1  # interactive or urgent work
    NORMAL = 2  # batch jobs: what is meant when nothing is said
    LOW = 3  # work that takes what is left


class Ageing(Record, frozen=True, kw_only=True):
    """How fast waiting jobs climb: `boost` levels an hour; 0: they stay where they are.

    Raises `Wrong` for a boost that is no number, negative, or neither 0 nor 1e-6 to 1e6.
    """

    boost: float = 1.0

    def __post_init__(self) -> None:
        check_number("priority boost", self.boost, most=FASTEST)
        if 0 < self.boost < SLOWEST:
            check_number("priority boost", self.boost, least=SLOWEST, most=FASTEST)

    def rank(self, level: int, submit: float) -> float:
        """The smaller goes first, at any instant: it does not change while the job waits."""
        return submit + level * HOUR / self.boost if self.boost else float(level)

    def level_at(self, level: int, submit: float, now: float) -> float:
        """Where a job of `level` stands at `now`: from 3 (LOW) down to 0 (CRITICAL)."""
        return max(0.0, level - self.boost * max(0.0, now - submit) / HOUR)


def level_named(text: str) -> Level:
    """The level of that name, in capitals or not. Raises `Wrong` for any other word."""
    level = Level.__members__.get(text.strip().upper())
    if level is None:
        names = [name.lower() for name in Level.__members__]
        near = nearest(text.lower(), names)
        hint = f"did you mean {near}? " if near else ""
        raise Wrong(f"{quote(text)} is no level of priority", f"{hint}write {', '.join(names)}")
    return level
