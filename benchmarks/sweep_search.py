"""What does the next trial of a search cost, after 100 trials and after 1,000?

A search keeps no state but its log, so each question reads all of it: the log as text, the method
made anew from its trials, and one trial asked. Printed are milliseconds of CPU, the median; beside
them, what one decision on early stop costs where every trial has reported 81 steps. A trial that
takes a minute should not notice either.

    python benchmarks/sweep_search.py [--sizes 100,1000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial
from time import process_time
from typing import Final, Literal, get_args

from hpcshell.flow.search.driver import proceed
from hpcshell.flow.search.searcher import searcher
from hpcshell.flow.search.trials import Trial, read_log, written
from hpcshell.flow.spec import Dist, EarlyStop, Search

from harness.figures import median
from harness.report import Cell, table

Method = Literal["tpe", "cmaes", "nsga2", "random"]
STEPS: Final = 81
SPACE: Final = {
    "lr": Dist(kind="loguniform", low=1e-5, high=1e-1),
    "momentum": Dist(kind="uniform", low=0.0, high=1.0),
    "dropout": Dist(kind="quniform", low=0.0, high=0.5, step=0.1),
    "layers": Dist(kind="int", low=1, high=8),
    "opt": Dist(kind="choice", choices=("sgd", "adam", "lion")),
    "beta": Dist(kind="uniform", low=0.8, high=0.999),
}


def search(method: Method, trials: int) -> Search:
    return Search(
        method=method,
        metrics=("loss",),
        directions=("minimize",),
        parameters=SPACE,
        when={"beta": "opt == 'adam'"},
        trials=trials + 1,
        early_stop=EarlyStop(most=STEPS),
    )


def log(trials: int, *, running: bool) -> list[Trial]:
    """Trials drawn by chance, each with a curve that falls."""
    asked = searcher(search("random", trials), ()).ask(trials)
    return [_told(trial, running) for trial in asked]


def _told(trial: Trial, running: bool) -> Trial:
    loss = abs(math.log10(trial.params["lr"]) + 3) + trial.params["momentum"]
    return Trial(
        number=trial.number,
        params=trial.params,
        state="running" if running else "complete",
        values=() if running else (loss,),
        reports=tuple((step, loss + 1 / step) for step in range(1, STEPS + 1)) if running else (),
    )


def cost(task: Callable[[], object], rounds: int) -> float:
    """Milliseconds of CPU, the median."""
    task()  # what is loaded once is not counted
    spent = []
    for _ in range(rounds):
        began = process_time()
        task()
        spent.append(process_time() - began)
    return 1e3 * median(spent)


def rows(sizes: list[int], rounds: int) -> list[list[Cell]]:
    found: list[list[Cell]] = []
    texts = ["".join(f"{written(trial)}\n" for trial in log(n, running=False)) for n in sizes]
    for method in get_args(Method):
        asks = [partial(ask, search(method, n), text) for n, text in zip(sizes, texts, strict=True)]
        found.append([f"ask, {method}", *(cost(one, rounds) for one in asks)])
    races = [partial(proceed, search("tpe", n), log(n, running=True), range(n)) for n in sizes]
    return [*found, ["whom to stop early", *(cost(race, rounds) for race in races)]]


def ask(one: Search, text: str) -> list[Trial]:
    return searcher(one, read_log(text)).ask(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sizes", default="100,1000", help="trials in the log")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    headers = ["ms of CPU", *(f"{size:,} trials" for size in sizes)]
    print(table(headers, rows(sizes, asked.rounds)))


if __name__ == "__main__":
    main()
