"""What the store costs, in CPU microseconds of this process and seconds on the clock.

    python -m tests.store.cost [DIRECTORY]

prints one JSON object. `turn` is the transaction of a running array: the end of one element and
its run, the start of the next, two events; the CPU of a sync counts, waiting for the disk does not.
Figures are of batches: the best (what it costs) and the median (what it costs here, just now).
"""

from __future__ import annotations

import json
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from hpcshell.core.records import Launch
from hpcshell.store.change import Change
from hpcshell.store.store import Store
from tests.store import made

ENVIRONMENT = b"NAME=value of a variable\0" * 150


def measured(batches: int, size: int, work: Callable[[int], None]) -> dict[str, float]:
    """Best and median CPU microseconds of one piece of work, and how many were done a second."""
    costs = []
    began = time.perf_counter()
    for batch in range(batches):
        before = time.process_time()
        for number in range(batch * size, (batch + 1) * size):
            work(number)
        costs.append((time.process_time() - before) / size * 1e6)
    rate = batches * size / (time.perf_counter() - began)
    median = statistics.median(costs)
    return {"cpu_us": round(min(costs)), "cpu_us_median": round(median), "per_second": round(rate)}


def add(change: Change) -> None:
    """One submission as a user's loop makes it."""
    number = change.next_job_id()
    job = made.job(number, env=change.add_blob(ENVIRONMENT))
    launch = Launch(argv=("python3", "work.py", str(number)), cwd="/home/ann", env=job.launch.env)
    change.add_job(replace(job, launch=launch))
    change.add_event(1.0, number, "submit", state="PENDING", cause="submitted by ann")


def submissions(store: Store, at_once: int) -> dict[str, float]:
    def work(number: int) -> None:
        with store.change() as change:
            for _ in range(at_once):
                add(change)

    result = measured(60, max(2, 40 // at_once), work)
    result["per_second"] *= at_once
    for name in ("cpu_us", "cpu_us_median"):
        result[name] = round(result[name] / at_once)
    return result


def turns(store: Store) -> dict[str, float]:
    with store.change() as change:
        job = made.submit(change, array="0-999999")
        running = [made.begin(change, job.id, 0)]

    def work(number: int) -> None:
        with store.change() as change:
            made.finish(change, running.pop())
            running.append(made.begin(change, job.id, number + 1))

    return measured(150, 20, work)


class _Nowhere(Store):
    """Writes nothing: what is left is the making of records and rows."""

    def __init__(self, like: Store) -> None:
        self.ids = like.ids
        self.blobs = set()

    def write(self, kind: str, sql: str, row: tuple[Any, ...]) -> int:
        return 1


def records(store: Store) -> dict[str, float]:
    change = Change(_Nowhere(store))

    def work(number: int) -> None:
        made.finish(change, made.begin(change, 1, number))

    return measured(150, 20, work)


def loading(path: Path, jobs: int) -> dict[str, float]:
    with Store.open(path) as store:
        while store.ids.job < jobs:
            with store.change() as change:
                for _ in range(1000):
                    add(change)
    before, began = time.process_time(), time.perf_counter()
    with Store.open(path) as store:
        count = sum(1 for _ in store.live_jobs())
    return {
        "jobs": count,
        "cpu_s": round(time.process_time() - before, 2),
        "wall_s": round(time.perf_counter() - began, 2),
        "file_mb": round(path.stat().st_size / 1e6),
    }


def main(directory: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=directory) as place:
        path = Path(place) / "hpcshell.db"
        with Store.open(path) as store:
            figures = {
                "machine": platform.node(),
                "sqlite": sqlite3.sqlite_version,
                "turn": turns(store),
                "turn_without_database": records(store),
                "submit_alone": submissions(store, 1),
                "submit_32_at_once": submissions(store, 32),
            }
        figures["load"] = loading(path, 100_000)
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
