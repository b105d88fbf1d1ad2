"""The arithmetic: medians, paired ratios, batch sizes, the order of turns, goals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

T = TypeVar("T")
Verdict = Literal["PASS", "MISS", "SKIP"]


@dataclass(frozen=True)
class Turn:
    """One measured answer. Times in seconds; `others` is a share of the machine."""

    contender: str
    version: str
    question: str
    round: int
    tasks: int
    seconds: float
    cpu_seconds: float
    others: float
    extra: Mapping[str, float | list[float]]

    @property
    def rate(self) -> float:
        return self.tasks / self.seconds

    @property
    def cpu_ms(self) -> float:
        return 1000 * self.cpu_seconds / self.tasks


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def paired_ratio(ours: Sequence[Turn], theirs: Sequence[Turn]) -> float | None:
    """Our rate by theirs: the median over the rounds both took part in.

    Paired by round, because what the machine does to one it mostly does to its neighbour.
    """
    theirs_by_round = {turn.round: turn.rate for turn in theirs}
    ratios = [t.rate / theirs_by_round[t.round] for t in ours if t.round in theirs_by_round]
    return median(ratios) if ratios else None


def disturbance(turns: Sequence[Turn]) -> float:
    """The largest share of the machine that others had in any of them."""
    return max((turn.others for turn in turns), default=0.0)


def rotated(items: Sequence[T], turn: int) -> list[T]:
    """The order of a round: each begins one further on, so that nobody always goes first."""
    if not items:
        return []
    shift = turn % len(items)
    return [*items[shift:], *items[:shift]]


def batch_size(pace: float, seconds: float, most: int, least: int = 10) -> int:
    """How many tasks take about `seconds` at `pace` per second: two digits, never over `most`."""
    wanted = max(least, pace * seconds)
    unit = 10 ** max(0, math.floor(math.log10(wanted)) - 1)
    return min(most, int(wanted // unit * unit))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not pass."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Goal:
    """A bound on one figure. `at_least` and `at_most` may be given one at a time."""

    figure: str
    words: str
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    stretch: bool = False

    @property
    def bound(self) -> str:
        sign, value = (">=", self.at_least) if self.at_least is not None else ("<=", self.at_most)
        return f"{sign} {value:g} {self.unit}".rstrip()

    def verdict(self, figures: Mapping[str, float]) -> Verdict:
        """SKIP if the figure was not measured, or is not a number."""
        value = figures.get(self.figure)
        if value is None or math.isnan(value):
            return "SKIP"
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return "PASS" if low and high else "MISS"


def misses(goals: Sequence[Goal], figures: Mapping[str, float]) -> list[Goal]:
    """The goals that were measured and missed; a stretch goal is never a miss."""
    return [goal for goal in goals if not goal.stretch and goal.verdict(figures) == "MISS"]
