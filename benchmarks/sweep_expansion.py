"""How long does it take to expand and hash a million points, and in what memory?

Each study is read, expanded and hashed in a process of its own, which holds no more than one point
at a time. Printed are seconds (of the clock and of CPU, without the start of Python) and the peak
of its memory; the goals are 5 s of CPU and 300 MB.

    python benchmarks/sweep_expansion.py [--strict]
"""

from __future__ import annotations

import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter, process_time
from typing import Final, NamedTuple

from hpcshell.flow.expand import points
from hpcshell.flow.identity import point_id, salt
from hpcshell.flow.reading import read

from harness.report import Cell, table

SECONDS: Final = 5.0
MEGABYTES: Final = 300.0
STUDIES: Final = {
    "a grid of four": """
command: train
sweep:
  grid: {lr: {linspace: [0, 1, 100]}, batch: {range: [100]}, opt: [a, b, c, d], seed: {range: [25]}}
""",
    "one long axis": """
command: train
sweep: {grid: {seed: {range: [1000000]}}}
""",
    "with an exclusion": """
command: train
sweep: {grid: {a: {range: [1000]}, b: {range: [1001]}}, exclude: [a >= 0 and b == 1000]}
""",
    "two blocks": """
command: train
sweep:
  - grid: {a: {range: [1000]}, b: {range: [500]}}
  - grid: {a: {range: [1000]}, b: {range: [500, 1000]}}
""",
    "a grid and draws": """
command: train
sweep:
  grid: {seed: {range: [1000]}}
  random: {samples: 1000, parameters: {lr: {loguniform: [1e-5, 1]}, depth: {int: [1, 9]}}}
""",
}


class Cost(NamedTuple):
    """Of one study."""

    made: int
    seconds: float
    cpu: float
    megabytes: float


def cost(text: str) -> Cost:
    """What it takes to read a study, and to make and hash each of its points."""
    begun, used = perf_counter(), process_time()
    spec = read(text)
    shared = salt(spec, "")
    count = sum(1 for params in points(spec) if point_id(params, shared))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(count, perf_counter() - begun, process_time() - used, peak)


def main() -> int:
    missed = 0
    rows: list[list[Cell]] = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for name, found in zip(STUDIES, pool.map(cost, STUDIES.values()), strict=True):
            kept = found.cpu <= SECONDS and found.megabytes <= MEGABYTES
            missed += not kept
            figures = (f"{found.made:,}", f"{found.seconds:.2f}", f"{found.cpu:.2f}")
            rows.append([name, *figures, f"{found.megabytes:.0f}", "PASS" if kept else "MISS"])
    print(table(["study", "points", "seconds", "CPU s", "peak MB", ""], rows))
    return 1 if missed and "--strict" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
