"""How many points does MLflow's own client log in a second, to us and to MLflow's own server?

The client is the same, unmodified: batches of 1,000 points of ten metrics (`log_batch`), the ten
metrics of a step (what `log_metrics` sends), and points one by one (`log_metric`). One client has a
server to itself; then several processes log to runs of their own at the same time. Both servers run
at once, each with its SQLite file and with default settings but for MLflow's `--workers`; they take
turns, and a ratio is the median of the rounds' own ratios. The client itself takes a large part of
that time, and as much of it with either server. The CPU time is that of the server alone, with all
of its processes: how many points a machine can take in whose clients run elsewhere.

    python benchmarks/track_mlflow.py [--clients 4] [--rounds 5] [--workers 1] [--quick] [--strict]
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NoReturn

from harness.accounting import Meter, new_meter
from harness.figures import Goal, misses
from harness.report import Cell, goal_table, table

METRICS: Final = 10
PATIENCE: Final = 300.0
"""Seconds for a server to come up: MLflow's takes many."""
QUIET: Final = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


@dataclass(frozen=True)
class Kind:
    """A way of logging."""

    words: str
    points: int
    """Of one call."""
    calls: int
    """Of one client in a round; of each of several a fourth."""


KINDS: Final = {
    "batch": Kind("batches of 1,000", 1000, 16),
    "step": Kind("ten metrics of a step", METRICS, 100),
    "single": Kind("one by one", 1, 100),
}
GOALS: Final = (
    Goal("batch many ratio", "points in batches of several clients, ours by MLflow's", "x", 5),
    Goal("batch many cpu ratio", "CPU of the server for them, MLflow's by ours", "x", 5),
    Goal("batch one ratio", "points in batches of one client", "x", 5, stretch=True),
    Goal("single many ratio", "points one by one of several clients", "x", 1),
    Goal("single one ratio", "points one by one of one client", "x", 1),
)


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    url: str
    token: str
    meter: Meter


# ------------------------------------------------------------------------------------ the servers


@contextlib.contextmanager
def running(
    command: list[str], environment: dict[str, str], stdout: int
) -> Iterator[tuple[subprocess.Popen[str], Meter]]:
    """A server, and an end of it and of all that it started. Nobody reads on what it writes: a
    pipe is for one that writes little."""
    process = subprocess.Popen(
        command,
        env=os.environ | QUIET | environment,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    meter = new_meter(f"server-{process.pid}")
    try:
        meter.admit(process.pid)
        yield process, meter
    finally:
        _end(process)
        meter.close()


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def ours(home: Path) -> Iterator[Served]:
    """A `hpc web` and a token for it."""
    hpc = [sys.executable, "-m", "hpcshell"]
    environment = {"HPCSHELL_HOME": str(home)}
    with running([*hpc, "web", "--port", "0"], environment, subprocess.PIPE) as (process, meter):
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        words = [*hpc, "web", "token", "create", "--quiet"]
        made = subprocess.run(
            words, env=os.environ | environment, capture_output=True, text=True, check=True
        )
        yield Served(url, made.stdout.strip(), meter)


@contextlib.contextmanager
def theirs(home: Path, workers: int) -> Iterator[Served]:
    """An `mlflow server` with SQLite, which asks for no token."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "server", "--workers", str(workers)]
    command += ["--host", "127.0.0.1", "--port", port]
    command += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db"]
    command += ["--artifacts-destination", str(home / "artifacts")]
    with running(command, {}, subprocess.DEVNULL) as (process, meter):
        url = f"http://127.0.0.1:{port}"
        give_up = time.monotonic() + PATIENCE
        while not _up(f"{url}/health"):
            if process.poll() is not None or time.monotonic() > give_up:
                raise SystemExit("mlflow server does not come up")
            time.sleep(0.2)
        yield Served(url, "none", meter)


def _up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


# ------------------------------------------------------------------------------------ the clients


class Logging:
    """A run at one of the servers, and MLflow's client that logs into it."""

    def __init__(self, url: str, token: str, name: str) -> None:
        from mlflow import MlflowClient

        os.environ["MLFLOW_TRACKING_TOKEN"] = self.token = token
        self.client: Any = MlflowClient(url)
        self.run = self.client.create_run(self.client.create_experiment(name)).info.run_id
        self.step = 0

    def log(self, kind: str, calls: int) -> None:
        """Log points in so many calls."""
        os.environ["MLFLOW_TRACKING_TOKEN"] = self.token
        for _ in range(calls):
            self._one(kind)

    def _one(self, kind: str) -> None:
        from mlflow.entities import Metric

        first, now = self.step, int(time.time() * 1000)
        self.step += KINDS[kind].points
        if kind == "single":
            self.client.log_metric(self.run, kind, first / 7, step=first)
            return
        points = [
            Metric(f"{kind} {at % METRICS}", at / 7, now, at if kind == "batch" else first)
            for at in range(first, self.step)
        ]
        self.client.log_batch(self.run, points)

    def check(self) -> None:
        """Everything that was logged is there."""
        os.environ["MLFLOW_TRACKING_TOKEN"] = self.token
        for kind in KINDS:
            key = kind if kind == "single" else f"{kind} 0"
            if not self.client.get_metric_history(self.run, key):
                raise SystemExit(f"{key} is not there")


def obey(orders: Connection, places: Sequence[tuple[str, str]], name: str) -> None:
    """The process of a client: it does what it is told until nobody is there to tell it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its orders end then
    runs = [Logging(url, token, name) for url, token in places]
    orders.send(None)
    with contextlib.suppress(EOFError):
        while True:
            server, kind, calls = orders.recv()
            if kind is None:
                runs[server].check()
            else:
                runs[server].log(kind, calls)
            orders.send(None)


@contextlib.contextmanager
def clients(count: int, both: Sequence[Served]) -> Iterator[list[Connection]]:
    """So many processes, each with a run at each of the servers; what they take their orders by."""
    spawned = multiprocessing.get_context("spawn")
    places = [(each.url, each.token) for each in both]
    started, orders = [], []
    try:
        for number in range(count):
            near, far = spawned.Pipe()
            process = spawned.Process(target=obey, args=(far, places, f"bench {number}"))
            process.start()
            far.close()
            started.append(process)
            orders.append(near)
        for each in orders:
            each.recv()
        yield orders
    finally:
        for each in orders:
            each.close()
        for process in started:
            process.join(10)
            process.kill()


def told(orders: Sequence[Connection], server: int, kind: str | None, calls: int) -> float:
    """The seconds in which all of them have done it."""
    begun = perf_counter()
    for each in orders:
        each.send((server, kind, calls))
    for each in orders:
        each.recv()
    return perf_counter() - begun


# ------------------------------------------------------------------------------------ the figures


def measure(both: tuple[Served, Served], options: argparse.Namespace) -> dict[str, float]:
    """All figures."""
    figures: dict[str, float] = {}
    with clients(options.clients, both) as orders:
        for kind, how in KINDS.items():
            calls = options.calls or how.calls
            told(orders, 0, kind, 2)  # connections and caches
            told(orders, 1, kind, 2)
            for crowd, among, each in (("one", 1, calls), ("many", len(orders), -(-calls // 4))):
                figures |= _compared(orders[:among], both, kind, (crowd, each, options.rounds))
        for server in (0, 1):
            told(orders, server, None, 0)
    return figures


def _compared(
    orders: Sequence[Connection],
    both: tuple[Served, Served],
    kind: str,
    asked: tuple[str, int, int],
) -> dict[str, float]:
    """Points a second, their ratio, and milliseconds of CPU for 1,000 points."""
    crowd, calls, rounds = asked
    points = KINDS[kind].points * calls * len(orders)
    rates: tuple[list[float], list[float]] = ([], [])
    spent = [0.0, 0.0]
    for _ in range(rounds):
        for server, served in enumerate(both):
            before = served.meter.cpu_seconds()
            rates[server].append(points / told(orders, server, kind, calls))
            spent[server] += served.meter.cpu_seconds() - before
    name = f"{kind} {crowd}"
    print(f"measured: {name}", file=sys.stderr, flush=True)
    mine, their = (1e6 * each / points / rounds for each in spent)
    return {
        f"{name} ours": statistics.median(rates[0]),
        f"{name} theirs": statistics.median(rates[1]),
        f"{name} ratio": statistics.median(m / t for m, t in zip(*rates, strict=True)),
        f"{name} cpu ours": mine,
        f"{name} cpu theirs": their,
        f"{name} cpu ratio": their / mine if mine else float("inf"),
    }


def _rows(figures: dict[str, float], among: int) -> list[list[Cell]]:
    columns = ("ours", "theirs", "ratio", "cpu ours", "cpu theirs", "cpu ratio")
    return [
        [how.words, str(count), *(figures[f"{kind} {crowd} {column}"] for column in columns)]
        for kind, how in KINDS.items()
        for crowd, count in (("one", 1), ("many", among))
    ]


def terminated(_signal: int, _frame: object) -> NoReturn:
    """End as on Ctrl-C, so that no server is left; to be told so again changes nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(128 + signal.SIGTERM)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--calls", type=int, help="of one client, in each round")
    parser.add_argument("--clients", type=int, default=4, help="that log at the same time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1, help="of mlflow server: 4 are no faster")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--strict", action="store_true", help="exit code 1 where a goal is missed")
    options = parser.parse_args()
    options.rounds = 1 if options.quick else options.rounds
    os.environ.update(QUIET)
    signal.signal(signal.SIGTERM, terminated)
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        with ours(home / "ours") as mine, theirs(home, options.workers) as their:
            figures = measure((mine, their), options)
    headers = ["points a second", "clients", "ours", "mlflow server", "ratio"]
    headers += ["CPU ms per 1,000 points, ours", "mlflow server", "ratio"]
    print(table(headers, _rows(figures, options.clients)))
    print("\n" + goal_table(GOALS, figures))
    return 1 if misses(GOALS, figures) and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
