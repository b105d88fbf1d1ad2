"""What could never be searched is refused before the first trial."""

from __future__ import annotations

import math
from typing import Final

from hpcshell.core.errors import Wrong
from hpcshell.flow.halving import rungs
from hpcshell.flow.search.space import Space, is_int, is_log, step_of
from hpcshell.flow.spec import Dist, Search

MOST_STEPS: Final = 2**53
"""Of one parameter: up to there a number can be told from its neighbour."""
_KINDS: Final = ("uniform", "loguniform", "quniform", "int", "choice")


def check(search: Search) -> None:
    """Raises `Wrong` where the search cannot be made."""
    if not search.parameters:
        raise Wrong("the search has no parameters", "name some below search.parameters")
    for name, dist in search.parameters.items():
        _check_dist(f"search.parameters.{name}", dist)
    Space(search)
    _check_metrics(search)
    if search.method == "cmaes":
        _check_cmaes(search)
    if search.early_stop is not None:
        rungs(search.early_stop)


def numeric(search: Search) -> tuple[str, ...]:
    """The parameters that CMA-ES moves: those that are always set, and more than one number."""
    return tuple(
        name
        for name, dist in search.parameters.items()
        if dist.kind != "choice" and dist.low < dist.high and not search.when.get(name)
    )


def _check_metrics(search: Search) -> None:
    if not search.metrics:
        raise Wrong("the search has no metric", "name it: search.metric: loss")
    if len(search.metrics) != len(search.directions):
        count = f"{len(search.metrics)} metrics and {len(search.directions)} directions"
        raise Wrong(f"the search has {count}", "give each metric minimize or maximize")
    if len(search.metrics) > 1 and search.early_stop is not None:
        hint = "leave one metric, or leave early_stop out"
        raise Wrong("early_stop compares by one metric, and the search has several", hint)


def _check_cmaes(search: Search) -> None:
    if len(search.metrics) > 1:
        raise Wrong("cmaes has one metric, and the search has several", "use method: nsga2 or tpe")
    if len(numeric(search)) < 2:
        raise Wrong(
            "cmaes needs two or more parameters that are numbers and have no condition",
            "use method: tpe",
        )


def _check_dist(where: str, dist: Dist) -> None:
    if dist.kind in ("normal", "lognormal"):
        raise Wrong(f"{where}: a search needs bounds, and {dist.kind} has none", _nearest(dist))
    if dist.kind not in _KINDS:
        raise Wrong(f"{where}: a search does not know {dist.kind}", f"use {', '.join(_KINDS)}")
    if dist.kind == "choice":
        _check_choice(where, dist)
    else:
        _check_range(where, dist)


def _nearest(dist: Dist) -> str:
    low, high = dist.low - 2 * dist.high, dist.low + 2 * dist.high
    if dist.kind == "normal":
        return f"nearest to it: uniform: [{low:g}, {high:g}]"
    return f"nearest to it: loguniform: [{math.exp(low):g}, {math.exp(high):g}]"


def _check_choice(where: str, dist: Dist) -> None:
    if not dist.choices:
        raise Wrong(f"{where}: there is nothing to choose from", "name the choices")
    if dist.weights:
        hint = "leave them out: a search learns what is good"
        raise Wrong(f"{where}: the choices of a search have no weights", hint)


def _check_range(where: str, dist: Dist) -> None:
    shown = f"[{dist.low:g}, {dist.high:g}]"
    if not (math.isfinite(dist.low) and math.isfinite(dist.high) and dist.low <= dist.high):
        raise Wrong(f"{where}: {shown} is no range", "give the lowest and the highest value")
    if is_int(dist) and not all(map(float.is_integer, map(float, (dist.low, dist.high)))):
        raise Wrong(f"{where}: {shown} has an end that is no whole number", "use uniform")
    if is_log(dist) and dist.low <= 0:
        raise Wrong(f"{where}: {shown} reaches 0, which has no logarithm", "begin above 0")
    step = step_of(dist)
    if step < 0 or not math.isfinite(step) or (is_int(dist) and not float(step).is_integer()):
        raise Wrong(f"{where}: {dist.step:g} is no step", "give a step above 0")
    if is_log(dist) and dist.step and not (is_int(dist) and dist.step == 1):
        raise Wrong(f"{where}: a logarithmic range has no steps", "leave out step, or log")
    if dist.kind == "quniform" and not step:
        raise Wrong(f"{where}: quniform needs a step", "quniform: [low, high, step]")
    if not math.isfinite(dist.high - dist.low) or (dist.high - dist.low) > step * MOST_STEPS > 0:
        raise Wrong(f"{where}: {shown} is too wide", "bring its ends together, or widen its step")
