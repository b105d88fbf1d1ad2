"""What does it cost to read a cluster's answer about 10,000 jobs? CPU time of this process alone.

Every back end that says how its answer looks (`ANSWERS`) has its turn; the goal is 100 ms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from time import process_time

from hpcshell.backends.contract import Answer, Backend

JOBS = 10_000
GOAL = 0.1
TURNS = 5


def slurm(jobs: int) -> list[Answer]:
    """squeue's answer: half of them wait, a quarter runs, a quarter are elements of arrays."""
    from hpcshell.backends.slurm.queue import END, FIELDS

    heads = ("JOBID", *FIELDS[1:-1], "NAME" + END)
    lines = ["\x1f".join(heads)]
    for number in range(1, jobs + 1):
        waits, element = number % 2 == 0, number % 4 == 1
        native = f"{number}_{number % 100}" if element else str(number)
        state = "PENDING" if waits else "RUNNING"
        instants = ("N/A", "N/A") if waits else (str(1795682000 + number), "1795992000")
        fields = (
            *(native, str(number), str(number % 100) if element else "N/A", state, "0", "0"),
            *(str(1000 + number), str(1795680000 + number), *instants, "1:00:00"),
            f"cpu={1 + number % 8},mem={number % 64}G,node=1,billing=1,gres/gpu={number % 3}",
            *("" if waits else f"node{number % 500}", "alice", "cpu", "science", "normal"),
            *("Priority" if waits else "None", f"hpc:k{number} sweep"),
            *(f"/home/alice/out-{number}.txt", f"/home/alice/out-{number}.txt"),
            *("/home/alice/work", f"train {number}" + END),
        )
        lines.append("\x1f".join(fields))
    return [Answer(code=0, out="\n".join(lines) + "\n")]


ANSWERS: dict[tuple[str, str], Callable[[int], list[Answer]]] = {
    ("hpcshell.backends.slurm", "SlurmBackend"): slurm,
}


def cost(backend: Backend, answers: list[Answer]) -> float:
    """CPU seconds of the best of several readings, which have to see every job."""
    best = float("inf")
    for _ in range(TURNS):
        begun = process_time()
        seen = backend.read_queue(answers)
        best = min(best, process_time() - begun)
        assert seen.whole, seen.trouble
        assert len(seen.sightings) == JOBS
    return best


def main() -> int:
    missed = 0
    for (module, name), answers in ANSWERS.items():
        backend = getattr(import_module(module), name)()
        seconds = cost(backend, answers(JOBS))
        word = "PASS" if seconds <= GOAL else "MISS"
        missed += word == "MISS"
        print(f"{backend.name:<8} {JOBS:,} jobs read in {1000 * seconds:.0f} ms of CPU  {word}")
    return 1 if missed and "--strict" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
