"""Learning curves, and trials that run along them side by side."""

from __future__ import annotations

import math
import random

from hpcshell.flow.search.driver import proceed
from hpcshell.flow.search.trials import State, Trial
from hpcshell.flow.spec import EarlyStop, Search
from tests.flow.searches import uniform


class Race:
    """Trials of a search, each a step a turn. The loss of one falls towards what its configuration
    can reach, which is what it is worth in the end; how fast it falls is chance."""

    def __init__(self, stop: EarlyStop, trials: int, seed: int) -> None:
        chance = random.Random(seed)
        self.stop = stop
        self.floors = [chance.random() for _ in range(trials)]
        self.speeds = [chance.uniform(3.0, 8.0) for _ in range(trials)]
        self.trials: dict[int, Trial] = {}
        self.steps_spent = 0

    @property
    def steps_of_all(self) -> int:
        return len(self.floors) * self.stop.most

    def loss(self, number: int, step: int) -> float:
        return self.floors[number] + math.exp(-step / self.speeds[number])

    def best_of_all(self) -> float:
        return min(self.loss(number, self.stop.most) for number in range(len(self.floors)))

    def best_found(self) -> float:
        """The best loss of those that ran to the end."""
        return min(t.values[0] for t in self.trials.values() if t.state == "complete")

    def run(self, parallel: int) -> None:
        search = Search(
            method="random",
            metrics=("loss",),
            directions=("minimize",),
            parameters={"x": uniform(0, 1)},
            trials=len(self.floors),
            parallel=parallel,
            early_stop=self.stop,
        )
        while True:
            running = [n for n, trial in self.trials.items() if trial.state == "running"]
            then = proceed(search, self.trials.values(), running, None)
            if then.done:
                return
            for number in then.stop:
                self._becomes(number, "pruned")
            for _ in range(then.ask):
                number = len(self.trials)
                self.trials[number] = Trial(number=number, params={"x": self.floors[number]})
            self._turn()

    def _turn(self) -> None:
        for trial in list(self.trials.values()):
            if trial.state == "running":
                self._step(trial)

    def _step(self, trial: Trial) -> None:
        step = len(trial.reports) + 1
        self.steps_spent += 1
        reports = (*trial.reports, (float(step), self.loss(trial.number, step)))
        self.trials[trial.number] = Trial(number=trial.number, params=trial.params, reports=reports)
        if step == self.stop.most:
            self._becomes(trial.number, "complete")

    def _becomes(self, number: int, state: State) -> None:
        trial = self.trials[number]
        values = (trial.reports[-1][1],) if state == "complete" else ()
        self.trials[number] = Trial(
            number=number, params=trial.params, state=state, values=values, reports=trial.reports
        )
