"""The values of a parameter as a few levels, each point on one of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from hpcshell.flow.results.figures import quantile
from hpcshell.flow.results.points import Point, number

MOST_VALUES: Final = 12
"""A parameter of numbers with more values than that is cut into ranges."""
RANGES: Final = 6
MOST_WORDS: Final = 40
"""Other values than numbers, of which there are more, are one level: `others`."""
Level: TypeAlias = tuple[str, list[int]]
"""What it is called, and the places of its values."""
UNSET: Final = "(unset)"
OTHERS: Final = "(others)"


def varying(points: Sequence[Point]) -> list[str]:
    """The parameters that differ among the points, in the order in which they come up."""
    seen: dict[str, set[str]] = {}
    for at, point in enumerate(points):
        for name in point.params:
            if name not in seen:
                seen[name] = {UNSET} if at else set()
        for name, found in seen.items():
            if len(found) < 2:
                found.add(told(point.params[name]) if name in point.params else UNSET)
    return [name for name, found in seen.items() if len(found) > 1]


def levels(values: Sequence[Any]) -> list[Level]:
    """The levels in their order, each with the places of its values: every place is on one, and
    equal values are on the same. `None` is a value that is not set."""
    places: dict[str, list[int]] = {}
    for at, value in enumerate(values):
        places.setdefault(UNSET if value is None else told(value), []).append(at)
    unset = places.pop(UNSET, None)
    if all(is_number(values[found[0]]) for found in places.values()):
        named = sorted(places.items(), key=lambda level: float(values[level[1][0]]))
        found = named if len(named) <= MOST_VALUES else _ranges(values, named)
    else:
        found = _words(places)
    return found + ([(UNSET, unset)] if unset else [])


def told(value: Any) -> str:
    """A value as a label says it. Equal numbers are said alike, whole or not."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}" if float(f"{value:.6g}") == value else repr(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def is_number(value: Any) -> bool:
    """Whether it has a place on a line of numbers."""
    size = None if isinstance(value, bool) else number(value)
    return size is not None and math.isfinite(size)


def _ranges(values: Sequence[Any], named: list[Level]) -> list[Level]:
    """About as many points in each: cut at quantiles, never between equal values."""
    everything = [float(values[places[0]]) for _, places in named for _ in places]
    cuts = sorted({quantile(everything, part / RANGES) for part in range(1, RANGES)})
    parts: list[list[Level]] = [[] for _ in range(len(cuts) + 1)]
    at = 0
    for level in named:
        while at < len(cuts) and float(values[level[1][0]]) > cuts[at]:
            at += 1
        parts[at].append(level)
    having = [part for part in parts if part]
    names = [_range(values[part[0][1][0]], values[part[-1][1][0]]) for part in having]
    if len(set(names)) < len(names):
        names = [f"{part[0][0]} – {part[-1][0]}" for part in having]
    members = ([at for _, places in part for at in places] for part in having)
    return list(zip(names, members, strict=True))


def _range(low: float, high: float) -> str:
    return f"{low:.3g}" if low == high else f"{low:.3g} – {high:.3g}"


def _words(places: dict[str, list[int]]) -> list[Level]:
    """Those with most points keep a level of their own, in the order in which they came up."""
    if len(places) <= MOST_WORDS:
        return list(places.items())
    kept = set(sorted(places, key=lambda name: -len(places[name]))[: MOST_WORDS - 1])
    rest = sorted(at for name, found in places.items() if name not in kept for at in found)
    return [(name, found) for name, found in places.items() if name in kept] + [(OTHERS, rest)]
