"""`search:`: points that follow from the results of earlier ones."""

from __future__ import annotations

from typing import Final, get_args

from hpcshell.core.words import quote
from hpcshell.flow.reading.blocks import conditional
from hpcshell.flow.reading.chances import distributions
from hpcshell.flow.reading.entry import Entry
from hpcshell.flow.reading.values import constants
from hpcshell.flow.spec import Direction, EarlyStop, Search

METHODS: Final = ("tpe", "cmaes", "nsga2", "random")
STOPS: Final = ("asha", "halving")
DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)
KEYS: Final = (
    "method",
    "metric",
    "metrics",
    "direction",
    "directions",
    "parameters",
    "constants",
    "trials",
    "parallel",
    "seed",
    "early_stop",
)
STOP_KEYS: Final = ("method", "resource", "min", "max", "reduction")


def search(entry: Entry, metric: str, direction: Direction) -> Search:
    """The search. `metric` and `direction`: the file's, which hold where it says none."""
    entry.known(KEYS)
    metrics = _metrics(entry, metric)
    directions = _directions(entry, direction, len(metrics))
    parameters = entry.at("parameters")
    if parameters is None or not parameters.fields:
        raise entry.wrong(
            f"{entry.label} has no parameters",
            "write parameters: {lr: {loguniform: [1e-5, 1e-1]}} below it",
        )
    dists, conditions = distributions(parameters)
    fixed = constants(entry.at("constants"))
    if both := sorted(fixed.keys() & dists.keys()):
        raise entry.wrong(f"{quote(both[0])} is both a constant and searched", "remove one of them")
    ordered, when = conditional(dists, conditions, (*fixed, *dists), set(fixed))
    found = Search(
        method=method.word(METHODS) if (method := entry.at("method")) else "tpe",
        metrics=metrics,
        directions=directions,
        parameters=ordered,
        trials=_whole(entry, "trials", 50),
        parallel=_whole(entry, "parallel", 4),
        seed=_whole(entry, "seed", 0, least=0, most=2**32 - 1),
        constants=fixed,
        when=when,
        early_stop=_early_stop(entry.at("early_stop")),
    )
    _check(entry, found)
    return found


def _whole(entry: Entry, key: str, default: int, least: int = 1, most: int = 1 << 53) -> int:
    found = entry.at(key)
    return default if found is None else found.whole(least, most)


def _metrics(entry: Entry, metric: str) -> tuple[str, ...]:
    said = entry.at("metric") or entry.at("metrics")
    found = said.words() if said is not None else (metric,) if metric else ()
    if not found or not all(found):
        raise (said or entry).wrong(
            "nothing says what the search looks at", "write metric: loss below search:"
        )
    return found


def _directions(entry: Entry, direction: Direction, number: int) -> tuple[Direction, ...]:
    said = entry.at("direction") or entry.at("directions")
    if said is None:
        return (direction,) * number
    found = tuple(item.word(DIRECTIONS) for item in (said.items() if said.is_list() else [said]))
    if len(found) == 1:
        return found * number
    if len(found) != number:
        raise said.wrong(
            f"{number} metrics and {len(found)} directions", "write a direction for each metric"
        )
    return found


def _early_stop(entry: Entry | None) -> EarlyStop | None:
    if entry is None:
        return None
    entry.known(STOP_KEYS)
    resource = entry.at("resource")
    found = EarlyStop(
        method=method.word(STOPS) if (method := entry.at("method")) else "asha",
        resource=resource.text() if resource else "step",
        least=_whole(entry, "min", 1),
        most=_whole(entry, "max", 81),
        reduction=_whole(entry, "reduction", 3, least=2, most=1000),
    )
    if found.least > found.most:
        raise entry.wrong(
            f"{entry.label}: min {found.least} is above max {found.most}", "change one of them"
        )
    return found


def _check(entry: Entry, found: Search) -> None:
    """What optuna could not do."""
    if len(found.metrics) > 1 and found.method == "cmaes":
        raise entry.wrong("cmaes looks at one metric", "use nsga2 or tpe for several")
    if len(found.metrics) > 1 and found.early_stop:
        raise entry.wrong("early_stop looks at one metric", "remove it, or all metrics but one")
