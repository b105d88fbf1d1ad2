"""A store of the tracker as a lab has it: 100,000 jobs, 10,000 runs, 10 million points of metrics.

Runs are spread over a hundred experiments and ten users, each with the job that it was, a dozen
parameters and four metrics; the last one has 20 metrics of 100,000 points each. Other programs fill
a store by `fill`; this one says how long that takes, and how large the file is.

    python benchmarks/track_store.py [--into track.db] [--quick] [--strict]
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple

from hpcshell.track.points.append import append
from hpcshell.track.points.chunks import Points
from hpcshell.track.store import experiments, runs
from hpcshell.track.store.jobs import JobRef
from hpcshell.track.store.opening import open_store
from hpcshell.track.store.runs import NewRun
from hpcshell.track.store.store import Store
from hpcshell.track.store.tables import jobs
from sqlalchemy import URL, Connection, insert

from harness.figures import Goal, misses
from harness.report import goal_table

NOW: Final = 1_800_000_000.0
USERS: Final = ("ann", "bob", "cy", "dan", "eve", "fay", "gus", "hal", "ida", "joe")
JOB_STATES: Final = ("COMPLETED", "COMPLETED", "COMPLETED", "FAILED", "TIMEOUT", "RUNNING")
RUN_STATES: Final = ("COMPLETED", "COMPLETED", "COMPLETED", "FAILED", "CANCELLED", "RUNNING")
METRICS: Final = ("loss", "acc", "val/loss", "val/acc")
CURVES: Final = 20
LONG: Final = 100_000
"""Points of each curve of the run that has many."""
TOGETHER: Final = 100
"""Runs of one change."""

GOALS = (Goal("seconds", "100,000 jobs, 10,000 runs, 10 million points", "s", at_most=120),)


class Size(NamedTuple):
    """How much there is to be; points are those of all runs together."""

    jobs: int = 100_000
    runs: int = 10_000
    points: int = 10_000_000
    experiments: int = 100


WHOLE: Final = Size()
QUICK: Final = Size(jobs=1000, runs=100, points=100_000, experiments=5)


def run_id(number: int) -> str:
    """The id of the run of this number, from 0 on; the last one has the long curves."""
    return f"{number:032x}"


def fill(store: Store, size: Size = WHOLE) -> None:
    """Put all that into an empty store."""
    store.change(lambda connection: _add_jobs(connection, size.jobs))
    ids = store.change(lambda connection: _add_experiments(connection, size.experiments))
    curve = min(LONG, size.points // 5 // CURVES)
    each = (size.points - curve * CURVES) // size.runs // len(METRICS)
    for first in range(0, size.runs, TOGETHER):
        numbers = range(first, min(first + TOGETHER, size.runs))
        store.change(partial(_add_runs, numbers=numbers, ids=ids, points=each))
    for at in range(CURVES):
        points = {f"curve/{at}": curve_of(curve, at)}
        store.change(partial(append, run_id=run_id(size.runs - 1), metrics=points, now=NOW))


def curve_of(count: int, seed: int) -> Points:
    """Something that falls and is noisy, a point in about a third of a second."""
    noise = random.Random(seed)
    start = NOW - 86_400
    return Points(
        range(count),
        [start + 0.37 * step for step in range(count)],
        [math.exp(-3 * step / count) + noise.gauss(0, 0.05) for step in range(count)],
    )


def _add_jobs(connection: Connection, count: int) -> None:
    connection.execute(insert(jobs), list(_jobs(count)))


def _jobs(count: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(7)
    for number in range(count):
        start = NOW - 30 * 86_400 + number * 20
        ran = chance.expovariate(1 / 3600)
        cpus = chance.choice((1, 2, 4, 8, 32))
        yield {
            "kind": "slurm",
            "cluster": "slurm",
            "id": str(number + 1),
            "element": -1,
            "label": str(number + 1),
            "name": f"train-{number % 97}",
            "user": USERS[number % len(USERS)],
            "state": JOB_STATES[number % len(JOB_STATES)],
            "state_time": start,
            "exit_code": 0,
            "submit_time": start - 60,
            "start_time": start,
            "end_time": start + ran,
            "cpus": cpus,
            "memory": cpus << 32,
            "gpus": float(number % 3),
            "nodes": f'["node{number % 64}"]',
            "time_limit": 86_400.0,
            "partition": "gpu" if number % 3 else "cpu",
            "account": "lab",
            "cpu_time": cpus * ran * chance.random(),
            "max_rss": int(chance.random() * (cpus << 32)),
            "updated_at": start + ran,
        }


def _add_experiments(connection: Connection, count: int) -> list[int]:
    return [
        experiments.create(
            connection, f"experiment-{number}", owner=USERS[number % len(USERS)], now=NOW
        ).id
        for number in range(count)
    ]


def _add_runs(connection: Connection, numbers: range, ids: list[int], points: int) -> None:
    for number in numbers:
        now = NOW - 30 * 86_400 + number * 200
        runs.create(connection, _run(number, ids[number % len(ids)]), now)
        metrics = {key: _short(points, number + at) for at, key in enumerate(METRICS)}
        append(connection, run_id(number), metrics, now)


def _run(number: int, experiment: int) -> NewRun:
    config = {f"option{at}": number * at % 13 for at in range(10)}
    return NewRun(
        experiment_id=experiment,
        run_id=run_id(number),
        name=f"run-{number}",
        user=USERS[number % len(USERS)],
        host=f"node{number % 64}",
        seed=number,
        config={"lr": 10.0 ** -(number % 5), "batch": 2 ** (number % 8), **config},
        tags={"team": ("vision", "speech")[number % 2]},
        status=RUN_STATES[number % len(RUN_STATES)],
        job=JobRef("slurm", str(number * 10 + 1)),
    )


def _short(count: int, seed: int) -> Points:
    top = 1 + seed % 17 / 10
    return Points(
        range(count),
        [NOW + step for step in range(count)],
        [top / (1 + step) + (seed * step % 11) / 100 for step in range(count)],
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--into", metavar="FILE", help="keep the database; else it is removed")
    parser.add_argument("--quick", action="store_true", help="a hundredth of all that")
    parser.add_argument("--strict", action="store_true", help="exit code 1 where a goal is missed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = options.into or str(Path(directory, "track.db"))
        size = QUICK if options.quick else WHOLE
        begun = monotonic()
        with open_store(URL.create("sqlite", database=path)) as store:
            fill(store, size)
        figures = {"seconds": monotonic() - begun}
        print(f"{os.path.getsize(path) / 1e6:,.0f} MB")
    print(goal_table(GOALS, figures))
    return 1 if misses(GOALS, figures) and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
