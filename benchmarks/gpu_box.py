"""How long does it take to place a share on 64 cards, and to be shown eight?

Placing is one decision about one more share, at boxes of 64 cards that fill up with shares of all
sizes, by each placement; what runs then ends, and more comes. The other figure is `hpc gpu status`
as it is typed, start of Python included, on eight made-up cards that sixteen jobs share; beside it
stands a Python that does nothing.

    python benchmarks/gpu_box.py [--quick] [--strict]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))  # jobs are made as the tests make them

from hpcshell.core.records import Request, Resources
from hpcshell.policy.decide import Policy, decide
from hpcshell.policy.place.nodes import Node
from hpcshell.policy.rooms import room_of
from hpcshell.policy.view import PLAIN, View
from msgspec.structs import replace
from tests.policy.made import make_job

from harness.figures import Goal, misses
from harness.report import goal_table

CARDS = 64
SHOWN = 8
GIB = 1 << 30
PLACEMENTS = ("topology", "pack", "best_fit", "spread")
SHARES = (1, 5, 10, 25, 33, 50, 66, 75, 99, 100, 150, 200)
GOALS = (
    *(Goal(name, f"placing, {name}", "ms", at_most=1.0) for name in PLACEMENTS),
    Goal("worst", "placing, 99th percentile of all", "ms", at_most=2.0),
    Goal("status", "hpc gpu status", "ms", at_most=200.0),
)


def box() -> Node:
    """64 cards, eight by eight joined by NVLink."""
    groups = tuple(tuple(range(first, first + 8)) for first in range(0, CARDS, 8))
    return Node(
        name="box",
        cpus=1024,
        gpus=("NVIDIA A100-SXM4-80GB",) * CARDS,
        gpu_memory=(80 * GIB,) * CARDS,
        links=groups,
    )


def placings(placement: str, jobs: int) -> list[float]:
    """Seconds of each decision that found a place."""
    chance, taken = Random(7), []
    view = View(room_of(Resources(cpus=1024, gpus=CARDS), (box(),), placement))
    policy, running = Policy(), list[int]()
    for number in range(1, jobs + 1):
        gpus, share = divmod(chance.choice(SHARES), 100)
        request = Request(gpus=gpus, gpu_share=share, gpu_type="a100", time_limit=3600.0)
        view.put_job(replace(make_job(number), request=request), PLAIN)
        begun = perf_counter()
        plan = decide(view, policy, float(number))
        spent = perf_counter() - begun
        while not plan.starts:  # full: the oldest makes room
            run = running.pop(0)
            view.release(run, float(number))
            plan = decide(view, policy, float(number))
        else:
            taken.append(spent)
        for start in plan.starts:
            view.claim(start.claim(start.job, float(number)))
            running.append(start.job)
    return taken


@contextmanager
def daemon() -> Iterator[dict[str, str]]:
    """One with eight made-up cards, shared by sixteen jobs; its environment."""
    with tempfile.TemporaryDirectory(prefix="hpc-") as home:
        environ = os.environ | {
            "HPCSHELL_HOME": home,
            "HPC_GPUS__PROVIDER": "fake",
            "HPC_GPUS__COUNT": str(SHOWN),
            "HPC_RESOURCES__CPUS": "64",
        }
        words = ("--array=1-16", "--gpus=0.5", "--output=/dev/null", "--", "sleep", "600")
        hpc(environ, "submit", "--quiet", *words)
        try:
            yield environ
        finally:
            hpc(environ, "daemon", "stop", "--cancel")


def hpc(environ: dict[str, str], *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "hpcshell", *words],
        env=environ,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def shown(times: int) -> tuple[float, float]:
    """Milliseconds of `hpc gpu status`, and of Python alone: medians, in turns."""
    ours, bare = [], []
    with daemon() as environ:
        for _ in range(times):
            begun = perf_counter()
            hpc(environ, "gpu", "status")
            ours.append(perf_counter() - begun)
            begun = perf_counter()
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            bare.append(perf_counter() - begun)
    return 1e3 * median(ours), 1e3 * median(bare)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer jobs, and fewer times")
    parser.add_argument("--strict", action="store_true", help="exit code 1 if a goal is missed")
    options = parser.parse_args()
    every = {name: placings(name, 300 if options.quick else 3000) for name in PLACEMENTS}
    status, bare = shown(5 if options.quick else 30)
    figures = {name: 1e3 * median(taken) for name, taken in every.items()}
    together = sorted(second for taken in every.values() for second in taken)
    figures |= {"worst": 1e3 * together[len(together) * 99 // 100], "status": status}
    print(f"a Python that does nothing: {bare:.0f} ms; {status / bare:.1f} of them: hpc gpu status")
    print(goal_table(GOALS, figures))
    return 1 if misses(GOALS, figures) and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
