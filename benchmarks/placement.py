"""How full do GPUs get? The openb pods are placed on the openb nodes by each policy.

The experiment of Weng et al., "Beware of Fragmentation" (USENIX ATC 2023): the pods of the trace
and copies of pods drawn from it, 130 % of the cluster's GPUs in all, arrive in an order by chance
and never leave; what fits nowhere is turned away. Printed is the share of all GPUs that is held
when 100, 110, 120 and 130 % have been asked for, a mean over the seeds, beside those published.

    python benchmarks/placement.py [--traces FOLDER] [--seeds 10] [--policies best_fit,fgd]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

from hpcshell.core.records import WHOLE
from hpcshell.policy.place.choose import choose
from hpcshell.policy.place.fleet import Fleet
from hpcshell.policy.place.fragments import Workload, gradient
from hpcshell.policy.place.nodes import Demand, Node
from hpcshell.policy.place.score import POLICIES, Policy

from harness.figures import Goal
from harness.report import Cell, goal_table, table

MIB = 1 << 20
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "traces"
TRACES = Path(os.environ.get("HPCSHELL_TRACES") or BESIDE)
OFFERED = (100, 110, 120, 130)
FIRST_SEED = 42
PODS = "gpu/openb_pod_list_default.csv.gz"
NODES = "gpu/openb_node_list_all_node.csv"
CURVES = "reference/fgd_analysis_allo_discrete.csv.gz"
PUBLISHED = {
    "random": "01-Random",
    "dot_product": "02-DotProd",
    "clustering": "03-GpuClustering",
    "pack": "04-GpuPacking",
    "best_fit": "05-BestFit",
    "fgd": "06-FGD",
}
ORDER = ("first_fit", "worst_fit", *PUBLISHED)
GOALS = (
    Goal("best_fit", "best fit, GPUs held at 130 %", "%", at_least=93.0),
    Goal("fgd", "FGD, GPUs held at 130 %", "%", at_least=95.3),
)


class Trace(NamedTuple):
    """What nodes there are, and one demand for each pod. CPUs are counted in hundredths."""

    nodes: list[Node]
    pods: list[Demand]


def read_trace(folder: Path) -> Trace:
    """The openb nodes and default pods."""
    with open(folder / NODES, newline="", encoding="utf-8") as file:
        nodes = [
            Node(
                name=row["sn"],
                cpus=int(row["cpu_milli"]),
                memory=int(row["memory_mib"]) * MIB,
                gpus=(row["model"],) * int(row["gpu"]),
            )
            for row in csv.DictReader(file)
        ]
    with gzip.open(folder / PODS, "rt", newline="", encoding="utf-8") as file:
        pods = [_demand(row) for row in csv.DictReader(file)]
    return Trace(nodes, pods)


def _demand(row: dict[str, str]) -> Demand:
    return Demand(
        cpus=int(row["cpu_milli"]),
        memory=int(row["memory_mib"]) * MIB,
        gpus=int(row["num_gpu"]) * int(row["gpu_milli"]) // 10,
        gpu_type=row["gpu_spec"],
    )


def arrivals(trace: Trace, seed: int, offered: int) -> list[Demand]:
    """All pods, and copies of pods drawn by chance until `offered` per cent are asked for, in an
    order by chance."""
    chance = random.Random(seed)
    wanted = offered * WHOLE * sum(len(node.gpus) for node in trace.nodes) // 100
    pods = list(trace.pods)
    asked = sum(pod.gpus for pod in pods)
    while asked < wanted:
        pods.append(chance.choice(trace.pods))
        asked += pods[-1].gpus
    chance.shuffle(pods)
    return pods


def usual(pods: Iterable[Demand]) -> Workload:
    """How often each CPUs and GPUs are asked for together."""
    counts = Counter(Demand(cpus=pod.cpus, gpus=pod.gpus, gpu_type=pod.gpu_type) for pod in pods)
    return Workload(counts.items())


def replay(
    nodes: Sequence[Node], pods: Iterable[Demand], policy: Policy
) -> Iterator[tuple[int, int]]:
    """Place one pod after the other: hundredths of GPUs asked for, and held, after each."""
    fleet = Fleet(nodes)
    asked = held = 0
    for number, pod in enumerate(pods):
        placement = choose(fleet, pod, policy, number)
        asked += pod.gpus
        if placement is not None:
            fleet.take(placement)
            held += pod.gpus
        yield asked, held


def curve(trace: Trace, policy: Policy, seed: int, offered: Sequence[int]) -> list[float]:
    """Per cent of all GPUs held when so many per cent have been asked for."""
    total = WHOLE * sum(len(node.gpus) for node in trace.nodes)
    marks = list(offered)
    shares: list[float] = []
    held = 0
    for asked, now in replay(trace.nodes, arrivals(trace, seed, max(offered)), policy):
        while marks and 100 * asked > marks[0] * total:
            shares.append(100 * held / total)
            del marks[0]
        held = now
    return shares + [100 * held / total] * len(marks)


def published(folder: Path) -> dict[str, list[float]]:
    """The published means at the same offered loads, of the policies that were published."""
    curves: dict[str, list[list[float]]] = {}
    with gzip.open(folder / CURVES, "rt", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["workload"] == "openb_pod_list_default":
                figures = [float(row[str(mark)]) for mark in OFFERED]
                curves.setdefault(row["sc_policy"], []).append(figures)
    return {name: means(curves[theirs]) for name, theirs in PUBLISHED.items()}


def means(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean of each column."""
    return [sum(column) / len(column) for column in zip(*curves, strict=True)]


def policy_named(name: str, trace: Trace) -> Policy:
    return gradient(usual(trace.pods)) if name == "fgd" else POLICIES[name]


def one(task: tuple[Path, str, int]) -> tuple[list[float], float]:
    """The curve of one policy and one seed, and the seconds it took."""
    folder, name, seed = task
    trace = read_trace(folder)
    policy = policy_named(name, trace)
    begun = time.process_time()
    figures = curve(trace, policy, seed, OFFERED)
    return figures, time.process_time() - begun


def main() -> None:
    options = parsed()
    folder: Path = options.traces
    if not (folder / PODS).exists():
        sys.exit(f"no openb trace in {folder}: say where it is with --traces")
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    tasks = [(folder, name, seed) for name in options.policies for seed in seeds]
    with Pool(options.jobs) as pool:
        results = pool.map(one, tasks, chunksize=1)
    theirs = published(folder)
    figures: dict[str, float] = {}
    rows: list[list[Cell]] = []
    for at, name in enumerate(options.policies):
        mine = results[at * len(seeds) : (at + 1) * len(seeds)]
        ours = means([shares for shares, _ in mine])
        figures[name] = ours[-1]
        seconds = sum(spent for _, spent in mine) / len(mine)
        cells = [f"{share:.2f}" for share in ours]
        known = f"{theirs[name][-1]:.2f}" if name in theirs else None
        rows.append([name, *cells, known, seconds])
    headers = ["GPUs held, %", *(f"at {mark} %" for mark in OFFERED), "published", "CPU s"]
    print(table(headers, rows))
    goals = [goal for goal in GOALS if goal.figure in figures]
    if goals:
        print("\n" + goal_table(goals, figures))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--traces", type=Path, default=TRACES, help=f"default: {TRACES}")
    parser.add_argument("--seeds", type=int, default=10, help="how many arrival orders (10)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    parser.add_argument(
        "--policies",
        type=lambda words: words.split(","),
        default=list(ORDER),
        help=f"of {', '.join(ORDER)}",
    )
    options = parser.parse_args()
    unknown = set(options.policies) - set(ORDER)
    if unknown or options.seeds < 1:
        parser.error(f"policies are {', '.join(ORDER)}; one seed at least")
    return options


if __name__ == "__main__":
    main()
