"""What does a sweep cost beside the same array submitted by hand, and what a look at a large one?

Both run the same trivial program 2,000 times through this machine's scheduler, from the submission
to the last end. By hand: an array of a script that finds its parameter by its index and has a file
for its output. As a sweep: points with folders, parameters, streams and ends on record. They take
turns, each time in a new directory; the ratio is the median of the turns' ratios. The other figure
is `hpc sweep status` as it is typed, start of Python included, of 20,000 points that have ended.

A point has four files, where the script by hand has one. What a new file costs depends on the file
system (on ext4, tenfold for minutes after thousands were deleted): the points are in memory unless
a directory is named.

    python benchmarks/sweep_runs.py [--quick] [--strict] [--directory /var/tmp]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from hpcshell import jobs, sweeps

from harness.figures import Goal, misses
from harness.report import goal_table
from ours import hpc_program

ROUNDS = 5
POINTS = 2_000
SHOWN = 20_000
MEMORY = "/dev/shm"
GOALS = (
    Goal("ratio", "a sweep, beside the array by hand", "x", at_most=1.3),
    Goal("status", "hpc sweep status", "s", at_most=1.0),
)
BY_HAND = "#!/bin/sh\n/bin/true x=$HPC_ARRAY_TASK_ID\n"


def by_hand(directory: Path, points: int) -> float:
    """Seconds."""
    directory.mkdir()
    script = directory / "job.sh"
    script.write_text(BY_HAND)
    begun = perf_counter()
    job = jobs.submit_script(
        script, array=f"0-{points - 1}", output=directory / "%a.out", chdir=directory
    )
    assert job.wait() == "COMPLETED"
    return perf_counter() - begun


def as_sweep(directory: Path, points: int) -> float:
    """Seconds."""
    directory.mkdir()
    study = {
        "name": "study",
        "command": "/bin/true",
        "output_key": "",
        "sweep": {"grid": {"x": {"range": [points]}}},
    }
    begun = perf_counter()
    sweep = sweeps.create(study, project=directory)
    sweep.run(on="local")
    assert sweep.wait() == {"COMPLETED": points}
    return perf_counter() - begun


def turns(root: Path, rounds: int, points: int) -> float:
    """The median of the ratios; each turn is printed."""
    by_hand(root / "first", 10)  # the daemon is up
    ratios = []
    for turn in range(rounds):
        pair = [(as_sweep, "sweep"), (by_hand, "hand")]
        took = {
            name: run(root / f"{name}{turn}", points) for run, name in pair[:: 1 - 2 * (turn % 2)]
        }
        ratios.append(took["sweep"] / took["hand"])
        print(
            f"  {took['sweep']:.2f} s as a sweep, {took['hand']:.2f} s by hand: {ratios[-1]:.2f}x"
        )
    return median(ratios)


def status(root: Path, points: int) -> float:
    """The median of seconds over 20,000 points that have ended."""
    project = root / "shown"
    as_sweep(project, points)
    words = [str(hpc_program()), "sweep", "status", "study"]
    times = []
    for _ in range(5):
        begun = perf_counter()
        subprocess.run(words, cwd=project, stdout=subprocess.DEVNULL, check=True)
        times.append(perf_counter() - begun)
    return median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of all points, two turns")
    parser.add_argument("--strict", action="store_true", help="exit 1 where a goal is missed")
    parser.add_argument("--directory", default=MEMORY if os.path.isdir(MEMORY) else None)
    options = parser.parse_args()
    part = 10 if options.quick else 1
    with tempfile.TemporaryDirectory(prefix="hpc-sweeps-", dir=options.directory) as root:
        os.environ["HPCSHELL_HOME"] = f"{root}/home"
        os.mkdir(f"{root}/home")
        try:
            figures = {
                "ratio": turns(Path(root), 2 if options.quick else ROUNDS, POINTS // part),
                "status": status(Path(root), SHOWN // part),
            }
        finally:
            subprocess.run([sys.executable, "-m", "hpcshell", "daemon", "stop"], check=False)
    print(goal_table(GOALS, figures))
    return 1 if options.strict and misses(GOALS, figures) else 0


if __name__ == "__main__":
    sys.exit(main())
