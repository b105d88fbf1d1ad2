"""How many points does MLflow's own client log in a second, to us and to MLflow's own server?

The client is the same, unmodified: batches of 1,000 points of ten metrics (`log_batch`), and points
one by one (`log_metric`). Both servers run at once, each with its SQLite file, one process, default
settings; they take turns, and a ratio is the median of the rounds' own ratios.

    python benchmarks/track_mlflow.py [--batches 20] [--rounds 5] [--quick] [--strict]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from harness.figures import Goal, misses
from harness.report import Cell, goal_table, table

BATCH = 1000
METRICS = 10
PATIENCE = 120.0
"""Seconds for a server to come up: MLflow's takes many."""
GOALS = (
    Goal("batch ratio", "points in batches, ours by MLflow's", "x", at_least=5),
    Goal("single ratio", "points one by one, ours by MLflow's", "x", at_least=1),
)
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A server, and an end of it and of all that it started."""
    process = subprocess.Popen(
        command,
        env=os.environ | QUIET | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def ours(home: Path) -> Iterator[tuple[str, str]]:
    """The URL of a `hpc web` and a token for it."""
    hpc = [sys.executable, "-m", "hpcshell"]
    environment = {"HPCSHELL_HOME": str(home)}
    with running([*hpc, "web", "--port", "0"], environment) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        words = [*hpc, "web", "token", "create", "--quiet"]
        made = subprocess.run(
            words, env=os.environ | environment, capture_output=True, text=True, check=True
        )
        yield url, made.stdout.strip()


@contextlib.contextmanager
def theirs(home: Path) -> Iterator[tuple[str, str]]:
    """The URL of an `mlflow server` with SQLite, which asks for no token."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", port]
    command += ["--host", "127.0.0.1", "--backend-store-uri", f"sqlite:///{home}/mlflow.db"]
    command += ["--artifacts-destination", str(home / "artifacts")]
    with running(command, {}) as process:
        url = f"http://127.0.0.1:{port}"
        give_up = time.monotonic() + PATIENCE
        while not _up(f"{url}/health"):
            if process.poll() is not None or time.monotonic() > give_up:
                raise SystemExit("mlflow server does not come up")
            time.sleep(0.2)
        yield url, "none"


def _up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


class Logging:
    """A run at one of the servers, and MLflow's client that logs into it."""

    def __init__(self, url: str, token: str) -> None:
        from mlflow import MlflowClient

        os.environ["MLFLOW_TRACKING_TOKEN"] = self.token = token
        self.client: Any = MlflowClient(url)
        self.run = self.client.create_run(self.client.create_experiment("bench")).info.run_id
        self.step = 0

    def batches(self, count: int) -> float:
        """Points a second, in batches."""
        from mlflow.entities import Metric

        def batch() -> None:
            now, first = int(time.time() * 1000), self.step
            self.step += BATCH
            points = [
                Metric(f"metric {step % METRICS}", step / 7, now, step)
                for step in range(first, self.step)
            ]
            self.client.log_batch(self.run, points)

        return self._rate(batch, count) * BATCH

    def singly(self, count: int) -> float:
        """Points a second, one by one."""

        def point() -> None:
            self.step += 1
            self.client.log_metric(self.run, "single", self.step / 7, step=self.step)

        return self._rate(point, count)

    def check(self) -> None:
        """Everything that was logged is there."""
        os.environ["MLFLOW_TRACKING_TOKEN"] = self.token
        for key in ("metric 0", "single"):
            if not self.client.get_metric_history(self.run, key):
                raise SystemExit(f"{key} is not there")

    def _rate(self, work: Callable[[], None], count: int) -> float:
        os.environ["MLFLOW_TRACKING_TOKEN"] = self.token
        begun = perf_counter()
        for _ in range(count):
            work()
        return count / (perf_counter() - begun)


def measure(both: tuple[Logging, Logging], options: argparse.Namespace) -> dict[str, float]:
    """All figures."""
    kinds = {
        "batch": (Logging.batches, options.batches),
        "single": (Logging.singly, options.single),
    }
    figures: dict[str, float] = {}
    for kind, (rate, count) in kinds.items():
        for each in both:
            rate(each, 2)  # connections and caches
        rounds = [[rate(each, count) for each in both] for _ in range(options.rounds)]
        figures[f"{kind} ours"] = statistics.median(mine for mine, _ in rounds)
        figures[f"{kind} theirs"] = statistics.median(their for _, their in rounds)
        figures[f"{kind} ratio"] = statistics.median(mine / their for mine, their in rounds)
    for each in both:
        each.check()
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=20, help="in each round")
    parser.add_argument("--single", type=int, default=100, help="points one by one, in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--strict", action="store_true", help="exit code 1 where a goal is missed")
    options = parser.parse_args()
    options.rounds = 1 if options.quick else options.rounds
    os.environ.update(QUIET)
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        with ours(home / "ours") as mine, theirs(home) as their:
            figures = measure((Logging(*mine), Logging(*their)), options)
    rows: list[list[Cell]] = [
        [words, figures[f"{kind} ours"], figures[f"{kind} theirs"], figures[f"{kind} ratio"]]
        for kind, words in (("batch", f"batches of {BATCH:,}"), ("single", "one by one"))
    ]
    print(table(["points a second", "ours", "mlflow server", "ratio"], rows))
    print("\n" + goal_table(GOALS, figures))
    return 1 if misses(GOALS, figures) and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
