"""Values drawn by chance, each known by the seed, the parameter's name and the sample's number.

So that a parameter more changes none of the others' values, and a sample more none of the earlier.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from hashlib import blake2b
from itertools import accumulate
from statistics import NormalDist
from typing import Any, Final

from hpcshell.flow.spec import Dist

_BITS: Final = 53
DIGITS: Final = 12
"""Significant ones, of numbers that were computed: more are noise to a person."""


def uniform(seed: int, name: str, index: int) -> float:
    """A number in [0, 1): the same one for the same three."""
    key = f"{seed}\n{index}\n{name}".encode()
    drawn = int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
    return (drawn >> (64 - _BITS)) / (1 << _BITS)


def draw(dist: Dist, seed: int, name: str, index: int) -> Any:
    """The value of one parameter in one sample."""
    return at(dist, uniform(seed, name, index))


def at(dist: Dist, share: float) -> Any:
    """The value that so large a share of all draws is below."""
    if dist.kind == "choice":
        return _chosen(dist, share)
    if dist.kind == "int":
        return _whole(dist, share)
    return _CONTINUOUS[dist.kind](dist, share)


def rounded(value: float) -> float:
    """What a person means by a computed number: 0.3, not 0.30000000000000004."""
    return float(f"{value:.{DIGITS}g}")


def _within(dist: Dist, value: float) -> float:
    return min(max(rounded(value), dist.low), dist.high)


def _uniform(dist: Dist, share: float) -> float:
    return _within(dist, dist.low * (1 - share) + dist.high * share)


def _loguniform(dist: Dist, share: float) -> float:
    low, high = math.log(dist.low), math.log(dist.high)
    return _within(dist, math.exp(low + (high - low) * share))


def _quniform(dist: Dist, share: float) -> float:
    steps = _steps(dist)
    return rounded(dist.low + dist.step * min(int(share * (steps + 1)), steps))


def _normal(dist: Dist, share: float) -> float:
    share = max(share, 2.0**-_BITS / 2)
    return rounded(NormalDist(dist.low, dist.high).inv_cdf(share))


def _lognormal(dist: Dist, share: float) -> float:
    return rounded(math.exp(_normal(dist, share)))


def _whole(dist: Dist, share: float) -> int:
    step = int(dist.step) or 1
    low, steps = int(dist.low), (int(dist.high) - int(dist.low)) // step
    if not dist.log:
        return low + step * min(int(share * (steps + 1)), steps)
    first, last = math.log(dist.low), math.log(dist.high + 1)
    return min(max(int(math.exp(first + (last - first) * share)), low), int(dist.high))


def _steps(dist: Dist) -> int:
    """How many steps fit between both ends, in spite of 0.1 being no binary fraction."""
    return int((dist.high - dist.low) / dist.step * (1 + 1e-12) + 1e-9)


def _chosen(dist: Dist, share: float) -> Any:
    if not dist.weights:
        return dist.choices[int(share * len(dist.choices))]
    sums = list(accumulate(dist.weights))
    found = bisect_right(sums, share * sums[-1])
    return dist.choices[min(found, len(dist.choices) - 1)]


_CONTINUOUS: Final[dict[str, Callable[[Dist, float], float]]] = {
    "uniform": _uniform,
    "loguniform": _loguniform,
    "quniform": _quniform,
    "normal": _normal,
    "lognormal": _lognormal,
}
