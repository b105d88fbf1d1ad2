"""What does a full store cost its readers? 100,000 jobs, 10,000 runs, ten million points.

Each list is read by 50 readers at a time, without a pause; then a thousand event streams are opened
and nothing happens on them; then 20 curves of 100,000 points each are asked for. The readers and
the daemon share the machine with the server.

    python benchmarks/web.py [--quick] [--strict] [--only /api/v1/runs]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

import psutil
from hpcshell.machine.paths import places
from hpcshell.track.store.opening import open_store, url_of

from harness.figures import Goal, median, misses, percentile
from harness.report import Cell, goal_table, table
from ours import hpc, hpc_program
from track_store import Size, fill

LISTS = (
    *("experiments", "experiments/1/runs", "runs", "runs?sort=-metrics.loss"),
    *("runs?filter=metrics.loss%20%3C%200.5", "jobs", "queue", "history"),
    *("resources", "gpus", "clusters", "sweeps"),
)
READERS = 50
STREAMS = 1000
CURVES, LONG = 20, 100_000
GOALS = (
    Goal("median ms", "first page of the slowest list, median", "ms", at_most=100),
    Goal("p99 ms", "and 99th percentile", "ms", at_most=300),
    Goal("streams MB", f"{STREAMS:,} idle event streams, the whole server", "MB", at_most=300),
    Goal("curves kB", f"{CURVES} curves of {LONG:,} points", "kB", at_most=500),
    Goal("curves s", "and the time until they are there", "s", at_most=1.0),
)


class Web(NamedTuple):
    """A server that runs."""

    address: str
    token: str
    pid: int

    def get(self, path: str) -> bytes:
        """The answer to one request."""
        asked = Request(f"http://{self.address}{path}")
        asked.add_header("Authorization", f"Bearer {self.token}")
        with urlopen(asked) as answer:
            found: bytes = answer.read()
        return found


@contextmanager
def serving() -> Iterator[Web]:
    """`hpc web` over the store and the daemon of this environment."""
    token = hpc("web", "token", "create", "--role", "admin", "--quiet").strip()
    command = [str(hpc_program()), "web", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip().removeprefix("http://").rstrip("/")
            yield Web(address, token, server.pid)
        finally:
            server.terminate()
            server.wait()


def read(web: Web, path: str, seconds: float) -> dict[str, float]:
    """What 50 readers of one list met, in milliseconds. The readers are another process."""
    command = [sys.executable, "-m", "harness.readers", web.address, f"/api/v1/{path}"]
    command += ["--readers", str(READERS), "--seconds", str(seconds)]
    done = subprocess.run(
        command,
        input=web.token,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    found = json.loads(done.stdout)
    if found["statuses"] != [200]:
        raise RuntimeError(f"{path}: answers of status {found['statuses']}")
    times = found["times"]
    return {
        "median": 1000 * median(times),
        "p99": 1000 * percentile(times, 0.99),
        "rate": len(times) / seconds,
        "size": found["size"] / 1000,
    }


def lists(web: Web, seconds: float, only: str) -> dict[str, float]:
    """Every list in turn; a table, and the worst of them."""
    rows: list[list[Cell]] = []
    worst: dict[str, float] = {"median ms": 0.0, "p99 ms": 0.0}
    for path in [each for each in LISTS if only in each]:
        found = read(web, path, seconds)
        rows.append([path, *(found[name] for name in ("median", "p99", "rate", "size"))])
        worst["median ms"] = max(worst["median ms"], found["median"])
        worst["p99 ms"] = max(worst["p99 ms"], found["p99"])
    print(table([f"{READERS} readers of", "median ms", "p99 ms", "answers/s", "kB"], rows))
    return worst


def streams(web: Web) -> dict[str, float]:
    """The memory of the server while so many streams are open and nothing happens."""
    before = _memory(web)
    host, _, port = web.address.rpartition(":")
    lines = ("GET /api/v1/events HTTP/1.1", f"Host: {web.address}")
    head = "\r\n".join((*lines, f"Authorization: Bearer {web.token}")) + "\r\n\r\n"
    opened = []
    for _ in range(STREAMS):
        one = socket.create_connection((host, int(port)))
        one.sendall(head.encode())
        opened.append(one)
    for one in opened:
        if b" 200 " not in one.recv(1 << 12):
            raise RuntimeError("a stream was refused")
    after = _memory(web)
    for one in opened:
        one.close()
    return {"streams MB": after, "without MB": before}


def _memory(web: Web) -> float:
    return float(psutil.Process(web.pid).memory_info().rss) / 1e6


def curves(web: Web) -> dict[str, float]:
    """One run's curves, logged here as any script would, and read once."""
    experiment = _post(web, "/api/v1/experiments", {"name": "long"})["id"]
    run = _post(web, f"/api/v1/experiments/{experiment}/runs", {})["run_id"]
    for at in range(0, LONG, 5000):
        points = [
            {"name": f"m{key}", "value": (step * (key + 7) % 1009) / 1009, "step": step}
            for key in range(CURVES)
            for step in range(at, at + 5000)
        ]
        _post(web, f"/api/v1/runs/{run}/metrics", points)
    begun = time.perf_counter()
    answer = web.get(f"/api/v1/runs/{run}/curves")
    return {"curves s": time.perf_counter() - begun, "curves kB": len(answer) / 1000}


def _post(web: Web, path: str, body: object) -> dict[str, str]:
    asked = Request(f"http://{web.address}{path}", json.dumps(body).encode())
    asked.add_header("Authorization", f"Bearer {web.token}")
    asked.add_header("Content-Type", "application/json")
    with urlopen(asked) as answer:
        found: dict[str, str] = json.load(answer)
    return found


def prepare(size: Size) -> None:
    """The queue with so many jobs that wait, and the store."""
    import hpcshell

    hpc("daemon", "start")
    hpcshell.submit(["sleep", "100000"], cpus=os.cpu_count() or 1)
    for at in range(0, size.jobs, 5000):
        hpcshell.submit_many([["true"]] * min(5000, size.jobs - at), hold=True)
    with open_store(url_of("", places(os.environ))) as store:
        fill(store, size)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--only", default="", help="only lists with this in their path")
    chosen = parser.parse_args()
    size = Size(2000, 200, 200_000) if chosen.quick else Size(100_000, 10_000, 10_000_000)
    with tempfile.TemporaryDirectory(prefix="hpc-", dir="/tmp") as home:
        os.environ["HPCSHELL_HOME"] = home
        try:
            begun = time.perf_counter()
            prepare(size)
            print(f"filled in {time.perf_counter() - begun:.0f} s\n")
            with serving() as web:
                figures = lists(web, 1.0 if chosen.quick else 5.0, chosen.only)
                figures |= streams(web) | curves(web)
        finally:
            hpc("daemon", "stop", "--cancel")
    print("\n" + goal_table(GOALS, figures))
    return int(chosen.strict and misses(GOALS, figures) > 0)


if __name__ == "__main__":
    sys.exit(main())
