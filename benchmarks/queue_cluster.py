"""What does `hpc queue` of a Slurm cost against `squeue`, when 10,000 jobs wait there?

The jobs are one held array: first as it was submitted, a line of the queue, then with a record and
a line for each of its elements. Ours, and `squeue` and a start of `hpc` one after the other, have
turns; a ratio is that of the medians. `asked anew`: the answer is the scheduler's; `shared`: that
of a process that asked shortly before. CPU time is that of the commands, without the controller's.

Needs a Slurm (`SLURM_CONF`) whose arrays may be so long, and where no other jobs have ended in the
last minutes (these are in our question, and not in that of `squeue`); writes to a home of its own,
and cancels what it made.

    python benchmarks/queue_cluster.py [--jobs 10000] [--times 20]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import perf_counter
from typing import Final

from harness.figures import median
from harness.report import Cell, table

NAME: Final = "hpcshell-benchmark"
HPC: Final = (sys.executable, "-m", "hpcshell")
QUEUE: Final = (*HPC, "queue", "--on", "slurm")
START: Final = (*HPC, "--version")
Cost = tuple[float, float]
Act = Callable[[], Cost]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hpc-") as home:
        os.environ |= {"HPCSHELL_HOME": home}
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # to compile is no part of a start
        try:
            array = _submit(options.jobs)
            rows = _compare("one array", home, options.times)
            _part(array, options.jobs)
            rows += _compare(f"{options.jobs:,} lines", home, options.times)
        finally:
            subprocess.run(["scancel", f"--name={NAME}"], check=True)
    head = ["what", "ms", "ms of CPU", "against", "ms", "ms of CPU", "ratio", "of CPU"]
    print(table(head, rows))


def _submit(jobs: int) -> str:
    """The id of a held array."""
    how = ("--parsable", "--hold", "--time=10", "--output=/dev/null", f"--job-name={NAME}")
    words = ["sbatch", *how, f"--array=0-{jobs - 1}", "--wrap=true"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def _part(array: str, jobs: int) -> None:
    """Slurm gives an element a record of its own as soon as it differs from the others."""
    changes = "".join(f"update JobId={array}_{each} Comment={each}\n" for each in range(jobs))
    subprocess.run(["scontrol", "-Q"], input=changes, text=True, check=True, capture_output=True)


def _compare(what: str, home: str, times: int) -> list[list[Cell]]:
    def anew() -> Cost:
        for answers in Path(home).rglob("answers"):
            answers.unlink()
        return _cost(*QUEUE)

    def theirs() -> Cost:
        start, asked = _cost(*START), _cost("squeue")
        return start[0] + asked[0], start[1] + asked[1]

    return [
        _row(f"{what}, asked anew", anew, theirs, times),
        _row(f"{what}, shared", lambda: _cost(*QUEUE), theirs, times),
    ]


def _cost(*argv: str) -> Cost:
    """Seconds of a command, and of the processors in it."""
    begun, before = perf_counter(), getrusage(RUSAGE_CHILDREN)
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return perf_counter() - begun, spent


def _row(what: str, ours: Act, theirs: Act, times: int) -> list[Cell]:
    """One measured pair, the two in turns, so that a busy machine is busy for both."""
    turns = [(ours(), theirs()) for _ in range(times)]
    our, their = (
        [1000 * median([turn[side][unit] for turn in turns]) for unit in (0, 1)] for side in (0, 1)
    )
    ratios = [one / other for one, other in zip(our, their, strict=True)]
    return [what, *our, "squeue, and a start", *their, *ratios]


if __name__ == "__main__":
    main()
