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

Quantile = Callable[[float], Any]
"""From a share in [0, 1) to the value that so large a share of all draws is below."""


def sampler(dist: Dist, seed: int, name: str) -> Callable[[int], Any]:
    """From the number of a sample to the value of this parameter in it."""
    key = f"{seed}\n{name}\n".encode()
    value = quantile(dist)

    def sample(index: int) -> Any:
        drawn = blake2b(key + index.to_bytes(8, "big"), digest_size=8).digest()
        return value((int.from_bytes(drawn, "big") >> (64 - _BITS)) / (1 << _BITS))

    return sample


def quantile(dist: Dist) -> Quantile:
    return _KINDS[dist.kind](dist)


def rounded(value: float) -> float:
    """What a person means by a computed number: 0.3, not 0.30000000000000004."""
    return float(f"{value:.{DIGITS}g}")


def settled(value: float, scale: float) -> float:
    """The same for a sum of numbers as large as `scale`: what is left of 1.7 - 17 * 0.1 is 0."""
    places = DIGITS + 2 - math.ceil(math.log10(scale)) if scale else 0
    return rounded(round(value, places) if abs(places) < 300 else value)


def _uniform(dist: Dist) -> Quantile:
    low, high = dist.low, dist.high
    return lambda share: min(max(rounded(low * (1 - share) + high * share), low), high)


def _loguniform(dist: Dist) -> Quantile:
    low, high = dist.low, dist.high
    first, last = math.log(low), math.log(high)
    return lambda share: min(max(rounded(math.exp(first + (last - first) * share)), low), high)


def _quniform(dist: Dist) -> Quantile:
    low, step = dist.low, dist.step
    # one step more than fits, because 0.1 is no binary fraction, is none more
    steps = int((dist.high - low) / step * (1 + 1e-12) + 1e-9)
    scale = max(abs(low), abs(dist.high))

    def value(share: float) -> float:
        found = settled(low + step * min(int(share * (steps + 1)), steps), scale)
        return min(max(found, low), dist.high)

    return value


def _normal(dist: Dist) -> Quantile:
    inverse = NormalDist(dist.low, dist.high).inv_cdf
    least = 2.0 ** -(_BITS + 1)
    return lambda share: rounded(inverse(max(share, least)))


def _lognormal(dist: Dist) -> Quantile:
    normal = _normal(dist)
    return lambda share: rounded(math.exp(normal(share)))


def _whole(dist: Dist) -> Quantile:
    low, high, step = int(dist.low), int(dist.high), int(dist.step) or 1
    if not dist.log:
        steps = (high - low) // step
        return lambda share: low + step * min(int(share * (steps + 1)), steps)
    first, last = math.log(low), math.log(high + 1)
    return lambda share: min(max(int(math.exp(first + (last - first) * share)), low), high)


def _choice(dist: Dist) -> Quantile:
    choices = dist.choices
    if not dist.weights:
        return lambda share: choices[int(share * len(choices))]
    sums = list(accumulate(dist.weights))
    # never one of weight 0 at the end
    last = max(at for at, weight in enumerate(dist.weights) if weight)
    return lambda share: choices[min(bisect_right(sums, share * sums[-1]), last)]


_KINDS: Final[dict[str, Callable[[Dist], Quantile]]] = {
    "uniform": _uniform,
    "loguniform": _loguniform,
    "quniform": _quniform,
    "int": _whole,
    "normal": _normal,
    "lognormal": _lognormal,
    "choice": _choice,
}
