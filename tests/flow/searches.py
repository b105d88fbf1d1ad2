"""Searches, and a way to carry one out without a job."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from hpcshell.flow.search.searcher import Searcher, searcher
from hpcshell.flow.search.trials import Trial
from hpcshell.flow.spec import Dist, Params, Search

METHODS = ("tpe", "cmaes", "nsga2", "random")
Objective = Callable[[Params], Sequence[float] | None]


def uniform(low: float, high: float) -> Dist:
    return Dist(kind="uniform", low=low, high=high)


def choice(*choices: Any) -> Dist:
    return Dist(kind="choice", choices=choices)


def whole(low: int, high: int, **more: Any) -> Dist:
    return Dist(kind="int", low=low, high=high, **more)


SPACE = {
    "lr": Dist(kind="loguniform", low=1e-5, high=1e-1),
    "momentum": uniform(0.0, 1.0),
    "layers": whole(1, 5),
    "width": whole(16, 512, log=True),
    "dropout": Dist(kind="quniform", low=0.1, high=0.7, step=0.1),
    "opt": choice("sgd", "adam", None, [1, 2]),
    "beta": uniform(0.8, 0.999),
}
"""One of each kind; `beta` is set only where `opt` is adam."""
WHEN = {"beta": "opt == 'adam'"}


def a_search(method: str = "tpe", **more: Any) -> Search:
    fields: dict[str, Any] = {
        "metrics": ("loss",),
        "directions": ("minimize",),
        "parameters": SPACE,
        "when": WHEN if "parameters" not in more else {},
        "trials": 40,
        **more,
    }
    return Search(method=method, **fields)  # type: ignore[arg-type]


def opened(search: Search, log: Sequence[Trial] = ()) -> Searcher:
    return searcher(search, log)


def carried_out(search: Search, objective: Objective) -> list[Trial]:
    """All of its trials, as many at once as it says: each batch is asked, then told."""
    asking = opened(search)
    while left := search.trials - len(asking.trials):
        asked = asking.ask(min(search.parallel, left))
        if not asked:
            break
        for trial in asked:
            asking.tell(trial.number, objective(trial.params))
    return list(asking.trials.values())


def branin(params: Params) -> list[float]:
    """Least, 0.397887, at (-pi, 12.275), (pi, 2.275) and (9.42478, 2.475); x in -5..10, y in
    0..15."""
    x, y = params["x"], params["y"]
    bowl = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return [bowl**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10]


def sphere(params: Params) -> list[float]:
    return [sum((value - 0.3) ** 2 for value in params.values())]
