"""CMA-ES (Hansen, "The CMA evolution strategy: a tutorial", 2016), as a function of the trials.

Its state is worked out anew from them: those that ended, in the order of their numbers, are its
generations. Only their order counts in CMA-ES, so a trial that failed is worse than one that was
stopped early, and that one worse than any that is complete.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import cmaes
import numpy

from hpcshell.flow.search.checks import numeric
from hpcshell.flow.search.space import between, fraction, holds
from hpcshell.flow.search.trials import Trial, costs
from hpcshell.flow.spec import Params, Search

_SIGMA: Final = 0.3
"""How far it looks at first, of each range: Hansen's advice where the best may be anywhere."""


class Strategy:
    """Where the trials so far have led it."""

    def __init__(self, search: Search, trials: Iterable[Trial]) -> None:
        self.search = search
        self.names = numeric(search)
        size = generation(search)
        self._cma = cmaes.CMA(
            mean=numpy.full(len(self.names), 0.5),
            sigma=_SIGMA,
            bounds=numpy.tile([0.0, 1.0], (len(self.names), 1)),
            population_size=size,
        )
        ended = (trial for trial in trials if self._counts(trial))
        while len(members := list(islice(ended, size))) == size:
            self._learn(members)

    def draw(self, seed: int) -> Params:
        """The numbers among the parameters of a new trial."""
        self._cma.reseed_rng(seed)
        point = self._cma.ask()
        dists = self.search.parameters
        return {n: between(dists[n], float(x)) for n, x in zip(self.names, point, strict=True)}

    def _counts(self, trial: Trial) -> bool:
        """Whether it ended, and is of this space."""
        dists = self.search.parameters
        return trial.state != "running" and all(
            name in trial.params and holds(dists[name], trial.params[name]) for name in self.names
        )

    def _learn(self, members: Sequence[Trial]) -> None:
        ranked = sorted(members, key=self._badness)
        self._cma.tell([(self._place(trial), float(rank)) for rank, trial in enumerate(ranked)])

    def _badness(self, trial: Trial) -> tuple[float, ...]:
        directions = self.search.directions
        if trial.state == "complete":
            return (0.0, *costs(trial.values, directions))
        told = [(step, value) for step, value in trial.reports if not math.isnan(value)]
        if trial.state == "failed" or not told:
            return (2.0,)
        step, value = max(told)
        return (1.0, -step, *costs((value,), directions))

    def _place(self, trial: Trial) -> numpy.ndarray:
        dists = self.search.parameters
        return numpy.array([fraction(dists[name], trial.params[name]) for name in self.names])


def generation(search: Search) -> int:
    """How many trials it learns from at a time: Hansen's default, and no fewer than run at once."""
    return max(4 + math.floor(3 * math.log(len(numeric(search)))), search.parallel)
