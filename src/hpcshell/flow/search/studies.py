"""A search as a study of Optuna's (Akiba et al., "Optuna", KDD 2019), made anew from its trials.

Loaded only by a searcher, as it needs Optuna. What has steps is an index to it, and so is a choice:
values that are no numbers, or that binary fractions only come near, are none of its concern.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpcshell.flow.identity import canonical
from hpcshell.flow.search.space import (
    Space,
    count,
    holds,
    is_log,
    on_grid,
    options,
    step_of,
)
from hpcshell.flow.search.trials import Trial
from hpcshell.flow.spec import Dist, Search, Value

_STATES: Final = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "running": TrialState.RUNNING,
}
"""What is learned from; a trial that failed says nothing about its point."""


class Proposer:
    """What comes next after these trials. The answer depends on them and the seed alone."""

    def __init__(self, search: Search, space: Space, trials: Sequence[Trial]) -> None:
        self._search = search
        self._space = space
        learns = search.method in ("tpe", "nsga2")
        self._study = _study(search, trials if learns else ())
        self._strategy = None
        if search.method == "cmaes":
            from hpcshell.flow.search.cma import Strategy

            self._strategy = Strategy(search, trials)

    def draw(self, seed: int) -> dict[str, Value]:
        """The parameters of a new trial, without the constants."""
        with _quiet():
            self._study.sampler = _sampler(self._search, seed)
            if self._strategy is not None:
                dists = self._search.parameters
                drawn = self._strategy.draw(seed)
                self._study.enqueue_trial({n: _said(dists[n], v) for n, v in drawn.items()})
            return self._suggested()

    def _suggested(self) -> dict[str, Value]:
        trial = self._study.ask()
        chosen: dict[str, Value] = {}
        for name, dist in self._search.parameters.items():
            if self._space.active(name, chosen):
                chosen[name] = _suggest(trial, name, dist)
        self._study.tell(trial, state=TrialState.FAIL)  # the log says what becomes of it
        return chosen


class Generations(NSGAIISampler):
    """NSGA-II (Deb et al., 2002) whose generations follow from the trials: so many of those that
    are complete, in the order of their numbers, are one."""

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:
        size = self.population_size or 1
        current = len(_complete(study)) // size
        for generation in range(current):  # from each the next: else Optuna recurses through all
            self.get_parent_population(study, generation)
        return current

    def get_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        size = self.population_size or 1
        return _complete(study)[generation * size : (generation + 1) * size]


def _complete(study: Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def population(search: Search) -> int:
    """How many trials are a generation: a tenth of them all, but 8 to 50."""
    return max(8, min(50, search.trials // 10))


def _sampler(search: Search, seed: int) -> BaseSampler:
    if search.method == "tpe":
        one = len(search.metrics) == 1
        return TPESampler(seed=seed, group=one and bool(search.when), constant_liar=True)
    if search.method == "nsga2":
        return Generations(seed=seed, population_size=population(search))
    return RandomSampler(seed=seed)


def _study(search: Search, trials: Sequence[Trial]) -> Study:
    with _quiet():
        study = optuna.create_study(directions=search.directions)
        dists = {name: _distribution(dist) for name, dist in search.parameters.items()}
        for trial in trials:
            if trial.state in _STATES and _belongs(search, trial):
                study.add_trial(_told(search, dists, trial))
        return study


def _belongs(search: Search, trial: Trial) -> bool:
    """Whether each of its parameters can still be had in this space."""
    dists = search.parameters
    return all(holds(dists[name], v) for name, v in trial.params.items() if name in dists)


def _told(search: Search, dists: dict[str, BaseDistribution], trial: Trial) -> FrozenTrial:
    own = {name: value for name, value in trial.params.items() if name in dists}
    return create_trial(
        state=_STATES[trial.state],
        values=trial.values if trial.state == "complete" else None,
        params={name: _said(search.parameters[name], value) for name, value in own.items()},
        distributions={name: dists[name] for name in own},
        intermediate_values={int(step): v for step, v in trial.reports if v == v},
    )


def _distribution(dist: Dist) -> BaseDistribution:
    if dist.kind == "choice":
        return CategoricalDistribution(range(len(options(dist))))
    if is_log(dist) and dist.kind == "int":
        return IntDistribution(int(dist.low), int(dist.high), log=True)
    if step_of(dist):
        return IntDistribution(0, count(dist) - 1)
    return FloatDistribution(dist.low, dist.high, log=is_log(dist))


def _said(dist: Dist, value: Value) -> Value:
    """A value as Optuna is told it."""
    if dist.kind == "choice":
        return [canonical({"": choice}) for choice in options(dist)].index(canonical({"": value}))
    if step_of(dist) and not is_log(dist):
        return round((value - dist.low) / step_of(dist))
    return value


def _suggest(trial: optuna.Trial, name: str, dist: Dist) -> Value:
    """A value as Optuna says it."""
    space = _distribution(dist)
    if isinstance(space, CategoricalDistribution):
        chosen = trial.suggest_categorical(name, space.choices)
        return options(dist)[int(chosen or 0)]
    if isinstance(space, FloatDistribution):
        return trial.suggest_float(name, space.low, space.high, log=space.log)
    assert isinstance(space, IntDistribution)
    said = trial.suggest_int(name, space.low, space.high, log=space.log)
    return said if space.log else on_grid(dist, dist.low + said * step_of(dist))


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of Optuna's reaches the terminal."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
