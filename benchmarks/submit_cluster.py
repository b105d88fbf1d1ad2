"""What do submissions and questions to a Slurm cost through us, against its own commands?

Small batches in turns: `sbatch` in a shell's loop; `hpcshell.submit` in a loop; the same loop from
the start of its Python on. All jobs are held, so that nothing runs meanwhile. With them in the
queue, `squeue` and `hpc queue`, which has to start first. A ratio is the median of those of
neighbours. Needs a Slurm (`SLURM_CONF`); writes to a home of its own, and cancels what it made.

    python benchmarks/submit_cluster.py [--jobs 1000] [--batch 50] [--times 20]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Final

import hpcshell

from harness.figures import median
from harness.report import Cell, table

NAME: Final = "hpcshell-benchmark"
PLAIN: Final = 'for ((n = 0; n < $1; n++)); do sbatch --parsable --hold "$2"; done'
PROGRAM: Final = """
import sys, hpcshell
for _ in range(int(sys.argv[1])):
    hpcshell.submit(sys.argv[2], hold=True, on="slurm")
"""
Act = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hpc-") as directory:
        os.environ |= {"HPCSHELL_HOME": directory, "HOME": directory}
        os.chdir(directory)
        script = Path(directory, "job.sh")
        script.write_text(f"#!/bin/sh\n#SBATCH --job-name={NAME}\n#SBATCH --time=1\ntrue\n")
        try:
            rows = _submitting(str(script), options.jobs, options.batch)
            rows += _asking(options.times)
        finally:
            subprocess.run(["scancel", f"--name={NAME}"], check=True)
    print(table(["what", "ms", "against", "ms", "ratio"], rows))


def _submitting(script: str, jobs: int, batch: int) -> list[list[Cell]]:
    def ours() -> None:
        for _ in range(batch):
            hpcshell.submit(script, hold=True, on="slurm")

    plain = _command("bash", "-c", PLAIN, "bash", str(batch), script)
    program = _command(sys.executable, "-c", PROGRAM, str(batch), script)
    hpcshell.submit(script, hold=True, on="slurm")  # what a site tells of itself is asked once
    times, what = max(1, jobs // batch), f"{batch} jobs one by one"
    return [
        _row(f"submit {what}", ours, "sbatch in a loop", plain, times, batch),
        _row("  with the start of Python", program, "sbatch in a loop", plain, times // 4, batch),
    ]


def _asking(times: int) -> list[list[Cell]]:
    hpc = [sys.executable, "-m", "hpcshell"]
    return [
        _row(
            "hpc queue",
            _command(*hpc, "queue", "--on", "slurm", "--limit", "0"),
            "squeue, and hpc --version",
            lambda: (_command("squeue")(), _command(*hpc, "--version")()),
            times,
        )
    ]


def _command(*argv: str) -> Act:
    return lambda: subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)


def _row(what: str, ours: Act, against: str, theirs: Act, times: int, each: int = 1) -> list[Cell]:
    """One measured pair, the two in turns, so that a busy machine is busy for both."""
    spent: tuple[list[float], list[float]] = ([], [])
    for turn in range(max(1, times)):
        pair = list(zip((ours, theirs), spent, strict=True))
        for act, seconds in pair if turn % 2 else reversed(pair):
            start = perf_counter()
            act()
            seconds.append((perf_counter() - start) / each)
    our, their = (1000 * median(seconds) for seconds in spent)
    ratio = median([one / other for one, other in zip(*spent, strict=True)])
    return [what, our, against, their, ratio]


if __name__ == "__main__":
    main()
