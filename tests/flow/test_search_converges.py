"""Searches find what is known to be there, and more of it than chance does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from statistics import median

import pytest

from hpcshell.flow.search.trials import Trial, pareto
from hpcshell.flow.spec import Params, Search
from tests.flow.searches import Objective, a_search, branin, carried_out, sphere, uniform

SEEDS = range(3)
PLANE = {"x": uniform(-5, 10), "y": uniform(0, 15)}
CUBE = {name: uniform(-1, 1) for name in "abcd"}
BRANIN_LEAST = 0.397887


def gap(search: Search, objective: Objective, least: float) -> float:
    """How far the best that was found is from the best that there is."""
    return min(trial.values[0] for trial in carried_out(search, objective)) - least


@cache
def gaps(method: str, objective: Objective, least: float) -> list[float]:
    space = PLANE if objective is branin else CUBE
    return [
        gap(a_search(method, parameters=space, trials=120, seed=seed), objective, least)
        for seed in SEEDS
    ]


@pytest.mark.parametrize("method", ["tpe", "cmaes"])
@pytest.mark.parametrize(
    ("objective", "least", "near"), [(branin, BRANIN_LEAST, 0.1), (sphere, 0.0, 0.03)]
)
def test_120_trials_come_near_the_optimum_and_nearer_than_chance(
    method: str, objective: Objective, least: float, near: float
) -> None:
    found = gaps(method, objective, least)
    chance = gaps("random", objective, least)
    assert median(found) < near
    assert median(found) < median(chance) / 2
    assert sum(found) < sum(chance)


def trade(params: Params) -> Sequence[float]:
    """Zitzler, Deb and Thiele's first function (2000): its front is f2 = 1 - sqrt(f1)."""
    first, *others = params.values()
    rest = 1 + 9 * sum(others) / len(others)
    return [first, rest * (1 - (first / rest) ** 0.5)]


def volume(trials: Sequence[Trial], worst: tuple[float, float] = (1.1, 7.0)) -> float:
    """The area between the front and a point that is worse than all of it."""
    area = 0.0
    ceiling = worst[1]
    for first, second in sorted(trial.values for trial in trials):
        if first < worst[0] and second < ceiling:
            area += (worst[0] - first) * (ceiling - second)
            ceiling = second
    return area


def test_the_front_of_nsga2_lies_before_that_of_chance() -> None:
    won = 0
    for seed in SEEDS:
        fronts = {}
        for method in ("nsga2", "random"):
            search = a_search(
                method,
                parameters={name: uniform(0, 1) for name in "abcde"},
                metrics=("f1", "f2"),
                directions=("minimize", "minimize"),
                trials=150,
                parallel=8,
                seed=seed,
            )
            fronts[method] = volume(pareto(carried_out(search, trade), search.directions))
        won += fronts["nsga2"] > fronts["random"]
    assert won == 3
