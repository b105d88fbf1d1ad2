"""What does it cost to read a cluster's answer about 10,000 jobs? CPU time of this process alone.

Every back end has its turn with the answer of a busy queue (`queues`); the goal is 100 ms. Each
reading but the first is of a process that has read such an answer before, as whoever polls has; the
first is shown beside the best.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from time import process_time

from hpcshell.backends.contract import Answer, Backend

import queues

JOBS = 10_000
GOAL = 0.1
TURNS = 7

ANSWERS: dict[tuple[str, str], Callable[[int], list[Answer]]] = {
    ("hpcshell.backends.slurm", "SlurmBackend"): queues.slurm,
    ("hpcshell.backends.pbs", "PbsBackend"): queues.pbs,
    ("hpcshell.backends.lsf", "LsfBackend"): queues.lsf,
    ("hpcshell.backends.sge", "SgeBackend"): queues.sge,
}


def costs(backend: Backend, answers: list[Answer]) -> list[float]:
    """CPU seconds of several readings, which have to see every job, its key and its times."""
    found = []
    for _ in range(TURNS):
        begun = process_time()
        seen = backend.read_queue(answers)
        found.append(process_time() - begun)
        assert seen.whole, seen.trouble
        assert len(seen.sightings) == JOBS
        assert all(one.key and one.cpus and one.time_limit is not None for one in seen.sightings)
        del seen  # to free it is no part of the next reading
    return found


def main() -> int:
    missed = 0
    for (module, name), answers in ANSWERS.items():
        backend = getattr(import_module(module), name)()
        said = answers(JOBS)
        first, *others = costs(backend, said)
        best = min(first, *others)
        word = "PASS" if best <= GOAL else "MISS"
        missed += word == "MISS"
        size = sum(len(answer.out) for answer in said) / 1e6
        print(
            f"{backend.name:<6} {JOBS:,} jobs, {size:4.1f} MB, read in {1000 * best:4.0f} ms of CPU"
            f" ({1000 * first:.0f} ms the first time)  {word}"
        )
    return 1 if missed and "--strict" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
