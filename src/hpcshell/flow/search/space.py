"""The space of a search: what its parameters can be, and where no point is left."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Set
from decimal import Decimal
from itertools import islice
from typing import Final

from hpcshell.flow.expressions import Evaluated, compiled
from hpcshell.flow.identity import canonical
from hpcshell.flow.spec import Dist, Params, Search, Value

_NEAR: Final = 1e-8
"""How far from its grid a value may be, in steps: what arithmetic in binary loses."""


def seed_of(*parts: int) -> int:
    """The seed (32 bits) for these numbers."""
    text = ":".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")


def is_int(dist: Dist) -> bool:
    return dist.kind == "int"


def is_log(dist: Dist) -> bool:
    return dist.log or dist.kind == "loguniform"


def step_of(dist: Dist) -> float:
    """The distance of neighbours; 0 where there is none."""
    return dist.step or (1.0 if is_int(dist) else 0.0)


def top(dist: Dist) -> float:
    """The highest value that is a whole number of steps from the lowest."""
    step = step_of(dist)
    if not step:
        return dist.high
    steps = math.floor((dist.high - dist.low) / step + _NEAR)
    return min(_after(dist, steps), dist.high)


def _after(dist: Dist, steps: int) -> float | int:
    """The value so many steps above the lowest; 0.3, and not the 0.30000000000000004 that three
    steps of 0.1 come to."""
    if is_int(dist):
        return int(dist.low) + steps * int(step_of(dist))
    return float(Decimal(str(dist.low)) + steps * Decimal(str(dist.step)))


def options(dist: Dist) -> tuple[Value, ...]:
    """What can be chosen, each once."""
    return tuple({canonical({"": choice}): choice for choice in dist.choices}.values())


def holds(dist: Dist, value: Value) -> bool:
    """Whether it can have this value."""
    if dist.kind == "choice":
        return canonical({"": value}) in {canonical({"": choice}) for choice in dist.choices}
    if isinstance(value, bool) or not isinstance(value, int if is_int(dist) else int | float):
        return False
    step = step_of(dist)
    steps = (value - dist.low) / step if step else 0.0
    return dist.low <= value <= dist.high and abs(steps - round(steps)) <= max(
        _NEAR, abs(steps) * 1e-14
    )


def _turned(dist: Dist, seed: int, most: int) -> Iterator[Value]:
    """Its values from one that the seed says, around to the one before that."""
    several = count(dist) or most
    for index in range(several):
        yield _value(dist, (seed + index) % several, several)


def count(dist: Dist) -> int:
    """How many values it can have; 0: no end of them."""
    if dist.kind == "choice":
        return len(options(dist))
    if step := step_of(dist):
        return 1 + round((top(dist) - dist.low) / step)
    return int(dist.low == dist.high)


def _value(dist: Dist, index: int, several: int) -> Value:
    if dist.kind == "choice":
        return options(dist)[index]
    if step := step_of(dist):
        return on_grid(dist, dist.low + index * step)
    return between(dist, (index + 0.5) / several)


def on_grid(dist: Dist, value: float) -> float | int:
    """The nearest value that it can have."""
    step = step_of(dist)
    if step:
        value = _after(dist, round((value - dist.low) / step))
    value = min(max(value, dist.low), top(dist))
    return int(value) if is_int(dist) else float(value)


def between(dist: Dist, fraction: float) -> float | int:
    """The value that lies so far from the lowest (0) to the highest (1). What has steps reaches
    half a step beyond both, so that each value has as much room."""
    low, high = _edges(dist)
    value = low + (high - low) * fraction
    return on_grid(dist, math.exp(value) if is_log(dist) else value)


def fraction(dist: Dist, value: float) -> float:
    """How far a value lies from the lowest (0) to the highest (1)."""
    low, high = _edges(dist)
    return ((math.log(value) if is_log(dist) else value) - low) / (high - low)


def _edges(dist: Dist) -> tuple[float, float]:
    half = step_of(dist) / 2
    low, high = dist.low - half, top(dist) + half
    return (math.log(low), math.log(high)) if is_log(dist) else (low, high)


class Space:
    """All points that a search can ask for. Raises `Wrong` where a condition is no expression over
    the constants and the parameters before it."""

    def __init__(self, search: Search) -> None:
        self.dists = search.parameters
        self.constants = search.constants
        names = [*search.constants]
        self._when: dict[str, Evaluated] = {}
        for name in search.parameters:
            if text := search.when.get(name):
                self._when[name] = compiled(text, names)
            names.append(name)

    def whole(self, chosen: Params) -> dict[str, Value]:
        """A point with the constants."""
        return {**self.constants, **chosen}

    def active(self, name: str, chosen: Params) -> bool:
        """Whether the parameter is set, where earlier ones were `chosen`."""
        return name not in self._when or bool(self._when[name](self.whole(chosen)))

    def size(self, most: int) -> int:
        """How many points there are; `most` where there are as many or more."""
        if not self._when:
            return min(most, math.prod(count(dist) or most for dist in self.dists.values()))
        if any(not count(dist) for name, dist in self.dists.items() if name not in self._when):
            return most
        return sum(1 for _ in islice(self._points(0, most), most))

    def untried(self, tried: Set[bytes], seed: int) -> Params | None:
        """A point that is not `tried` (as `canonical` has them, with the constants), another one
        for another seed; None: there is none."""
        for chosen in self._points(seed, len(tried) + 1):
            if canonical(self.whole(chosen)) not in tried:
                return chosen
        return None

    def _points(self, seed: int, most: int) -> Iterator[dict[str, Value]]:
        """Every point once, beginning somewhere; of a range without steps, `most` values."""
        names = tuple(self.dists)

        def below(depth: int, chosen: dict[str, Value]) -> Iterator[dict[str, Value]]:
            if depth == len(names):
                yield chosen
                return
            name = names[depth]
            if not self.active(name, chosen):
                yield from below(depth + 1, chosen)
                return
            for value in _turned(self.dists[name], seed_of(seed, depth), most):
                yield from below(depth + 1, {**chosen, name: value})

        return below(0, {})
