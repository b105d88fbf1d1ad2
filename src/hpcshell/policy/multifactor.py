"""Priority as a weighted sum of factors: the multifactor plug-in of Slurm (its manual, "Multifactor
Priority Plugin").

    priority =   weight_age * age  + weight_fairshare * fairshare + weight_size * size
               + weight_partition * partition + weight_qos * qos
               + the sum over resources of weight_tres * tres
               + site - nice

Factors lie between 0 and 1, so a weight is the most that its factor can give; `site` and `nice`
count as they are. The larger priority goes first. Unlike Slurm's it is a real number, neither
rounded nor cut off at 1: what is equal is equal, and a large `nice` still tells jobs apart.

Only the age factor changes by waiting alone. It grows for all jobs alike until `max_age`, so the
order of two waiting jobs can change only when one of them reaches it, or another factor changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import fsum
from typing import NamedTuple

from msgspec import field

from hpcshell.core.records import Record
from hpcshell.core.units import LONGEST, WEEK
from hpcshell.policy.checks import check_number


class Weights(Record, frozen=True, kw_only=True):
    """What each factor is worth, as PriorityWeightAge and its like. All are 0 unless given.

    `max_age`: seconds of waiting that make the age factor 1 (PriorityMaxAge, 7 days).
    `favor_small`: small jobs get the larger size factor (PriorityFavorSmall). Raises `Wrong` for
    a weight that is NaN, infinite or negative.
    """

    age: float = 0.0
    fairshare: float = 0.0
    size: float = 0.0
    partition: float = 0.0
    qos: float = 0.0
    tres: dict[str, float] = field(default_factory=dict)
    max_age: float = WEEK
    favor_small: bool = False

    def __post_init__(self) -> None:
        for name in ("age", "fairshare", "size", "partition", "qos"):
            check_number(f"weight of {name}", getattr(self, name))
        for name, weight in self.tres.items():
            check_number(f"weight of {name}", weight)
        check_number("max_age", self.max_age, most=LONGEST)


class Row(NamedTuple):
    """One line of the table that shows how a priority came about."""

    factor: str
    value: float
    weight: float
    points: float


class Factors(Record, frozen=True, kw_only=True):
    """The factors of one job at one instant, each from 0 to 1, by the functions below; `site` and
    `nice` in points."""

    age: float = 0.0
    fairshare: float = 0.0
    size: float = 0.0
    partition: float = 0.0
    qos: float = 0.0
    tres: dict[str, float] = field(default_factory=dict)
    site: float = 0.0
    nice: float = 0.0

    def priority(self, weights: Weights) -> float:
        """The sum of the points of all rows: the larger goes first."""
        return fsum(row.points for row in self.rows(weights))

    def rows(self, weights: Weights) -> Iterator[Row]:
        """Every factor with its value, weight and points, those worth nothing too."""
        for name in ("age", "fairshare", "size", "partition", "qos"):
            yield _row(name, getattr(self, name), getattr(weights, name))
        for name, weight in weights.tres.items():
            yield _row(name, self.tres.get(name, 0.0), weight)
        yield _row("site", self.site, 1.0)
        yield _row("nice", self.nice, -1.0)


def _row(name: str, value: float, weight: float) -> Row:
    return Row(name, value, weight, value * weight)


def age_factor(waited: float, max_age: float) -> float:
    """Seconds waited since it was free to start, as a part of `max_age`; 1 from there on."""
    return _part(waited, max_age)


def size_factor(cpus: float, total: float, *, favor_small: bool = False) -> float:
    """The part of all cpus that is asked for; with `favor_small` the part that is not.

    Slurm takes the mean of this and of the part of all nodes; with one node that adds the same to
    every job.
    """
    part = _part(cpus, total)
    return 1.0 - part if favor_small else part


def standing_factor(priority: float, highest: float) -> float:
    """The priority of a job's partition, or of its QOS, as a part of the highest one there is."""
    return _part(priority, highest)


def tres_factors(asked: Mapping[str, float], total: Mapping[str, float]) -> dict[str, float]:
    """For each resource (`cpus`, `memory`, `gpus`, the site's own) the part of all there is that is
    asked for."""
    return {name: _part(count, total.get(name, 0.0)) for name, count in asked.items()}


def _part(count: float, whole: float) -> float:
    """`count / whole` from 0 to 1. Of nothing, something is all and nothing is none."""
    if count <= 0:
        return 0.0
    return min(1.0, count / whole) if whole > 0 else 1.0
