"""Distributions: `{loguniform: [1e-5, 1e-1]}`, `{int: {low: 1, high: 5}}`, `{choice: [a, b]}`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from hpcshell.core.words import nearest
from hpcshell.flow.reading.entry import Entry
from hpcshell.flow.reading.values import DISTRIBUTIONS, flattened, is_distribution, unique
from hpcshell.flow.spec import Dist

_ENDS: Final = ("low", "high")
PARTS: Final = {
    "uniform": _ENDS,
    "loguniform": _ENDS,
    "quniform": ("low", "high", "step"),
    "int": ("low", "high", "step", "log"),
    "normal": ("mean", "deviation"),
    "lognormal": ("mean", "deviation"),
}


def distributions(entry: Entry) -> tuple[dict[str, Dist], dict[str, Entry]]:
    """Parameters and how they are drawn, and the conditions of those that have one."""
    found = unique(flattened(entry, is_distribution, DISTRIBUTIONS))
    dists = {name: dist(inner) for name, inner in found.items()}
    conditions = {name: inner.at("when") for name, inner in found.items()}
    return dists, {name: when for name, when in conditions.items() if when is not None}


def dist(entry: Entry) -> Dist:
    """One distribution. A list is a choice."""
    if entry.is_list():
        return _choice(entry)
    if not entry.is_mapping():
        return Dist(kind="choice", choices=(entry.value(),))
    kinds = [key for key in entry.fields if key != "when"]
    if len(kinds) != 1 or kinds[0] not in DISTRIBUTIONS:
        unknown = next((kind for kind in kinds if kind not in DISTRIBUTIONS), "")
        near = nearest(unknown, DISTRIBUTIONS)
        raise entry.wrong(
            f"{entry.label} says no distribution",
            f"did you mean {near}?" if near else f"write one of {', '.join(DISTRIBUTIONS)}",
        )
    inner = entry.at(kinds[0])
    if inner is None:
        raise entry.wrong(f"{entry.label} is empty", f"write {kinds[0]}: [a, b]")
    if kinds[0] == "choice":
        return _choice(inner)
    return _checked(inner, _numbers(inner, kinds[0]))


def _choice(entry: Entry) -> Dist:
    """`[a, b]`, or with weights `{values: [a, b], weights: [1, 3]}`."""
    if not entry.is_mapping():
        return _listed(entry, None)
    entry.known(("values", "weights"))
    listed = entry.at("values")
    if listed is None:
        raise entry.wrong(f"{entry.label} has no values", "write values: [a, b]")
    return _listed(listed, entry.at("weights"))


def _listed(entry: Entry, weights: Entry | None) -> Dist:
    choices = tuple(item.value() for item in entry.items())
    if not choices:
        raise entry.wrong(f"{entry.label} has no values", "write at least one")
    if weights is None:
        return Dist(kind="choice", choices=choices)
    shares = tuple(float(item.number()) for item in weights.items())
    if len(shares) != len(choices):
        raise weights.wrong(
            f"{len(choices)} values and {len(shares)} weights", "write a weight for each value"
        )
    if min(shares) < 0 or not 0 < sum(shares) < math.inf:
        raise weights.wrong("weights are not below 0, and not all 0", "write shares such as [1, 3]")
    return Dist(kind="choice", choices=choices, weights=shares)


def _numbers(entry: Entry, kind: str) -> Dist:
    names = PARTS[kind]
    if entry.is_mapping():
        entry.known(names)
        given: dict[str, Any] = {name: entry.at(name) for name in names}
    else:
        items = entry.items(f"write [{', '.join(names)}]")
        if len(items) > len(names):
            raise entry.wrong(f"{entry.label}: too many numbers", f"write [{', '.join(names)}]")
        given = dict(zip(names, [*items, *[None] * len(names)], strict=False))
    low, high = given[names[0]], given[names[1]]
    if low is None or high is None:
        raise entry.wrong(
            f"{entry.label} takes {names[0]} and {names[1]}", f"write [{', '.join(names[:2])}]"
        )
    step, log = given.get("step"), given.get("log")
    return Dist(
        kind=kind,
        low=low.number(),
        high=high.number(),
        step=step.number() if step is not None else 0.0,
        log=log.truth() if log is not None else False,
    )


def _checked(entry: Entry, dist: Dist) -> Dist:
    for holds, what in _LAWS[dist.kind]:
        if not holds(dist):
            raise entry.wrong(
                f"{entry.label}: {what} (given: {dist.low:g} and {dist.high:g})", "change it"
            )
    return dist


Law = tuple[Callable[[Dist], bool], str]
_ORDERED: Final[Law] = (lambda dist: dist.low <= dist.high, "low is above high")
_POSITIVE: Final[Law] = (lambda dist: dist.low > 0, "low has to be above 0")
_DEVIATES: Final[Law] = (lambda dist: dist.high > 0, "the deviation has to be above 0")
_LAWS: Final[dict[str, tuple[Law, ...]]] = {
    "uniform": (_ORDERED,),
    "loguniform": (_POSITIVE, _ORDERED),
    "quniform": (
        _ORDERED,
        (lambda dist: dist.step > 0, "the step has to be above 0"),
        (lambda dist: dist.high - dist.low < dist.step * 1e15, "the step is too small"),
    ),
    "int": (
        _ORDERED,
        (
            lambda dist: all(number == int(number) for number in (dist.low, dist.high, dist.step)),
            "its ends and step are whole numbers",
        ),
        (lambda dist: abs(dist.low) < 2**53 > abs(dist.high), "its ends have at most 53 bits"),
        (lambda dist: dist.step >= 0, "the step has to be above 0"),
        (lambda dist: not dist.log or dist.low > 0, "low has to be above 0 with log"),
        (lambda dist: not (dist.log and dist.step > 1), "a step and log do not go together"),
    ),
    "normal": (_DEVIATES, (lambda dist: abs(dist.low) + dist.high < 1e300, "it is too wide")),
    "lognormal": (
        _DEVIATES,
        (lambda dist: abs(dist.low) + 10 * dist.high < 700, "it is too wide; these are logarithms"),
    ),
}
