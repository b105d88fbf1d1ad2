"""What does it cost a training loop to log?

One process trains: it does a little arithmetic and logs 1, 5 or 20 metrics, thousands of times.
Meanwhile a server in another process takes in what is sent, so that the thread that sends is at
work, too; then the same again with no server at all. Beside it `mlflow.log_metric` (of several
metrics `log_metrics`), not asynchronous, straight into a SQLite file, with no server in between.

    python benchmarks/track_logging.py [--calls 20000] [--quick] [--strict]
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter_ns
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hpcshell import track

from harness.figures import Goal, misses, percentile
from harness.report import Cell, goal_table, table

CALLS = 20_000
THEIRS = 200
"""Calls of MLflow's, which take longer."""
WIDTHS = (1, 5, 20)
GOALS = (
    Goal("log 1", "run.log of 1 metric, sent meanwhile, mean", "µs", at_most=20),
    Goal("log 5", "run.log of 5 metrics", "µs", at_most=20),
    Goal("log 20", "run.log of 20 metrics", "µs", at_most=40),
    Goal("spool 1", "run.log of 1 metric, no server", "µs", at_most=20),
    Goal("by mlflow 1", "MLflow's time by ours, 1 metric", "x", at_least=10),
)


class Takes(BaseHTTPRequestHandler):
    """Takes in whatever comes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        size = len(gzip.decompress(body) if self.headers.get("Content-Encoding") else body)
        offset = int(parse_qs(urlsplit(self.path).query)["offset"][0])
        answer = json.dumps({"offset": offset + size, "bad": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def serve(told: Connection) -> None:
    server = HTTPServer(("127.0.0.1", 0), Takes)
    told.send(server.server_address[1])
    server.serve_forever()


@contextlib.contextmanager
def server() -> Iterator[str]:
    """A server in a process of its own; its URL."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def train(calls: int, log: Callable[[int, dict[str, float]], object], width: int) -> list[float]:
    """Microseconds that each call of `log` took, in a loop that does something between."""
    weights = [0.5] * 200
    taken = []
    for step in range(calls):
        weights = [0.999 * weight + 0.0001 for weight in weights]
        metrics = {f"metric_{number}": weights[number] for number in range(width)}
        begun = perf_counter_ns()
        log(step, metrics)
        taken.append((perf_counter_ns() - begun) / 1000)
    return taken


def ours(calls: int, width: int, url: str, folder: Path) -> list[float]:
    with track.run("benchmark", url=url, dir=folder / "spool", flush=60) as run:
        return train(calls, lambda step, metrics: run.log(step, **metrics), width)


def theirs(calls: int, width: int, folder: Path) -> list[float] | None:
    """By MLflow; None: it is not installed."""
    try:
        import mlflow
    except ImportError:
        return None
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("benchmark")

    def log(step: int, metrics: dict[str, float]) -> None:
        if width == 1:
            mlflow.log_metric("metric_0", metrics["metric_0"], step=step, synchronous=True)
        else:
            mlflow.log_metrics(metrics, step=step, synchronous=True)

    with mlflow.start_run():
        return train(calls, log, width)


def measure(folder: Path, calls: int, peers: bool = True) -> tuple[dict[str, float], list[Any]]:
    """The figures, and the rows of the table."""
    figures: dict[str, float] = {}
    rows: list[list[Cell]] = []

    def note(name: str, width: int, taken: list[float]) -> float:
        mean = statistics.fmean(taken)
        rows.append(
            [name, width, mean, statistics.median(taken), percentile(taken, 0.99), max(taken)]
        )
        return mean

    with server() as url:
        for width in WIDTHS:
            figures[f"log {width}"] = note("run.log, sent", width, ours(calls, width, url, folder))
    for width in WIDTHS:
        found = ours(calls, width, "", folder)
        figures[f"spool {width}"] = note("run.log, no server", width, found)
    for width in WIDTHS if peers else ():
        if (other := theirs(min(calls, THEIRS), width, folder)) is not None:
            mean = note("mlflow, SQLite", width, other)
            figures[f"by mlflow {width}"] = mean / figures[f"log {width}"]
    return figures, rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hpcbench-") as folder:
        os.environ["HPCSHELL_HOME"] = f"{folder}/home"
        calls = asked.calls // 10 if asked.quick else asked.calls
        figures, rows = measure(Path(folder), calls)
    print(table(["microseconds a call", "metrics", "mean", "median", "99 %", "most"], rows))
    ratios = [[f"MLflow by ours, {width}", figures.get(f"by mlflow {width}")] for width in WIDTHS]
    print("\n" + table(["ratio of means", ""], ratios))
    print("\n" + goal_table(GOALS, figures))
    return 1 if asked.strict and misses(GOALS, figures) else 0


if __name__ == "__main__":
    sys.exit(main())
