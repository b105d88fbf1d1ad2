"""What does a full store cost its readers? 100,000 jobs, 10,000 runs, ten million points.

Each list is read by 50 readers at a time, without a pause; then a thousand event streams are opened
and nothing happens on them; then 20 curves of 100,000 points each are asked for. The scheduler has
100,000 jobs that wait and 20,000 that have ended. The readers, who are a process of their own, and
the daemon share the machine with the server. A list is read twice: by readers who all ask the same,
as an open page does, and by readers who each ask for another number of rows, so that no answer of
one is any other's. "CPU ms" is what the server spends on one answer, whatever else the machine has
to do. The clock begins once the server has caught up with the scheduler, and rests.

    python benchmarks/web.py [--quick] [--strict] [--only runs] [--home DIRECTORY]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from hpcshell.client.client import Client
from hpcshell.machine.paths import places
from hpcshell.track.client.surroundings import host
from hpcshell.track.store import cursors
from hpcshell.track.store.opening import open_store, url_of
from hpcshell.web.tasks.following import stream_of

from harness.accounting import process_seconds
from harness.figures import Goal, median, misses, percentile
from harness.report import Cell, goal_table, table
from ours import hpc, hpc_program
from track_store import QUICK, WHOLE, Size, fill

PAGES = (
    *("experiments", "experiments/1/runs", "experiments/1/leaderboard?metric=loss"),
    *("runs", "runs?sort=-metrics.loss", "runs?sort=params.lr"),
    *("runs?filter=metrics.loss%20%3C%200.5", "runs?filter=attributes.status%20%3D%20%27LOST%27"),
    *("jobs", "jobs?state=FAILED", "queue", "queue?user=nobody", "history", "history?state=FAILED"),
    "priority",
)
UNPAGED = ("resources", "reservations", "gpus", "clusters", "sweeps", "tokens")
"""Lists without pages."""
FIGURES = "/metrics"
"""No list, but read as often: shown, and no goal."""
READERS = 50
STREAMS = 1000
CURVES, LONG = 20, 100_000
TOGETHER = 5000
"""Jobs of one submission."""
PATIENCE, RESTING = 600.0, 0.05
"""Seconds in which a server must come to rest, and the CPU time in one at which it does."""
READY = "filled"
"""A file in the state directory that says that all is there."""
SHOWN = ("median", "p99", "most", "cpu", "rate", "size")
GOALS = (
    Goal("median ms", "first page of the slowest list, median", "ms", at_most=100),
    Goal("p99 ms", "and 99th percentile", "ms", at_most=300),
    Goal("median apart ms", "where all ask for different pages", "ms", at_most=100, stretch=True),
    Goal("p99 apart ms", "and 99th percentile", "ms", at_most=300, stretch=True),
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

    def post(self, path: str, body: object) -> Any:
        """The answer to a document."""
        asked = Request(f"http://{self.address}{path}", json.dumps(body).encode())
        asked.add_header("Authorization", f"Bearer {self.token}")
        asked.add_header("Content-Type", "application/json")
        with urlopen(asked) as answer:
            return json.load(answer)


@contextlib.contextmanager
def serving() -> Iterator[Web]:
    """`hpc web` over the store and the daemon of this environment."""
    token = hpc("web", "token", "create", "--role", "admin", "--quiet").strip()
    command = [str(hpc_program()), "web", "--port", "0"]
    free = os.environ | {"HPC_WEB__RATE": "1000000"}  # all readers are one caller
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=free) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip().removeprefix("http://").rstrip("/")
            yield Web(address, token, server.pid)
        finally:
            server.terminate()
            server.wait()


def read(web: Web, path: str, seconds: float, *, apart: bool = False) -> dict[str, float]:
    """What 50 readers of one list met, in milliseconds. The readers are another process."""
    command = [sys.executable, "-m", "harness.readers", web.address, path]
    command += ["--readers", str(READERS), "--seconds", str(seconds)]
    before = process_seconds(web.pid)
    done = subprocess.run(
        [*command, *(["--apart"] if apart else [])],
        input=web.token,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    found = json.loads(done.stdout)
    if found["statuses"].keys() != {"200"}:
        raise RuntimeError(f"{path}: so many answers of each status: {found['statuses']}")
    times = found["times"]
    return {
        "median": 1000 * median(times),
        "p99": 1000 * percentile(times, 0.99),
        "most": 1000 * max(times),
        "cpu": 1000 * (process_seconds(web.pid) - before) / len(times),
        "rate": len(times) / seconds,
        "size": found["size"] / 1000,
    }


def lists(web: Web, seconds: float, only: str) -> dict[str, float]:
    """Every list in turn; a table, and the worst of them."""
    rows: list[list[Cell]] = []
    worst: dict[str, float] = {}
    for path in [each for each in (*PAGES, *UNPAGED) if only in each]:
        same = read(web, f"/api/v1/{path}", seconds)
        apart = same
        if path in PAGES:
            apart = read(web, f"/api/v1/{path}", seconds, apart=True)
        for name in ("median", "p99"):
            for words, found in ((name, same), (f"{name} apart", apart)):
                worst[f"{words} ms"] = max(worst.get(f"{words} ms", 0.0), found[name])
        rows.append(
            [path, *(same[name] for name in SHOWN), apart["median"], apart["p99"], apart["cpu"]]
        )
    rows.append([FIGURES, *(read(web, FIGURES, seconds)[name] for name in SHOWN), None, None, None])
    head = [f"{READERS} readers of", "median ms", "p99 ms", "most ms", "CPU ms", "answers/s", "kB"]
    print(table([*head, "apart: median", "p99", "CPU ms"], rows))
    return worst


def streams(web: Web) -> dict[str, float]:
    """The memory of the server while so many streams are open and nothing happens."""
    before = _memory(web)
    host, _, port = web.address.rpartition(":")
    lines = ("GET /api/v1/events HTTP/1.1", f"Host: {web.address}")
    head = "\r\n".join((*lines, f"Authorization: Bearer {web.token}")) + "\r\n\r\n"
    with contextlib.ExitStack() as opened:
        for _ in range(STREAMS):
            one = opened.enter_context(socket.create_connection((host, int(port))))
            one.sendall(head.encode())
            if b" 200 " not in one.recv(1 << 12):
                raise RuntimeError("a stream was refused")
        after = _memory(web)
    return {"streams MB": after, "without MB": before}


def _memory(web: Web) -> float:
    """Its own, without the pages of files that it has mapped, which the system may take back."""
    lines = Path(f"/proc/{web.pid}/smaps_rollup").read_text().splitlines()
    return (
        sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) * 1024 / 1e6
    )


def curves(web: Web, long: int) -> dict[str, float]:
    """One run's curves, logged here as any script would, and read once."""
    experiment = web.post("/api/v1/experiments", {"name": f"long-{time.time()}"})["id"]
    run = web.post(f"/api/v1/experiments/{experiment}/runs", {})["run_id"]
    for at in range(0, long, 5000):
        points = [
            {"name": f"m{key}", "value": (step * (key + 7) % 1009) / 1009, "step": step}
            for key in range(CURVES)
            for step in range(at, min(at + 5000, long))
        ]
        web.post(f"/api/v1/runs/{run}/metrics", points)
    begun = time.perf_counter()
    answer = web.get(f"/api/v1/runs/{run}/curves")
    return {"curves s": time.perf_counter() - begun, "curves kB": len(answer) / 1000}


def settle(web: Web) -> None:
    """Wait until the server has nothing to do: it takes in what the scheduler did before it."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        before = process_seconds(web.pid)
        time.sleep(1.0)
        if process_seconds(web.pid) - before < RESTING:
            return
    raise RuntimeError("the server does not come to rest")


def fill_scheduler(count: int) -> None:
    """So many jobs that wait behind one that has the machine; a fifth as many that have ended."""
    import hpcshell

    hpcshell.submit(["sleep", "100000"], cpus=os.cpu_count() or 1, output=os.devnull)
    for name, many in (("gone", count // 5), ("waits", count)):
        for at in range(0, many, TOGETHER):
            commands = [["true"]] * min(TOGETHER, many - at)
            hpcshell.submit_many(commands, hold=True, name=name)
        if name == "gone":
            hpc("cancel", "--name", name)


def fill_store(size: Size) -> None:
    """The tracker's database; what the scheduler did until now is known to it."""
    with contextlib.closing(Client(places(os.environ), autostart=False)) as daemon:
        last = max(event["seq"] for event in daemon.stream("events", since=0))
    with open_store(url_of("", places(os.environ))) as store:
        fill(store, size)
        store.change(lambda opened: cursors.move(opened, stream_of(host()), last, time.time()))


def measure(home: Path, size: Size, seconds: float, only: str = "") -> dict[str, float]:
    """All figures; what is there already is taken as it is."""
    os.environ["HPCSHELL_HOME"] = str(home)
    begun = time.perf_counter()
    hpc("daemon", "start")
    try:
        if not (home / READY).exists():
            fill_scheduler(size.jobs)
            fill_store(size)
            (home / READY).touch()
            print(f"filled in {time.perf_counter() - begun:.0f} s\n")
        with serving() as web:
            settle(web)
            figures = lists(web, seconds, only)
            long = min(LONG, size.points // CURVES)
            return figures | streams(web) | curves(web, long)
    finally:
        hpc("cancel", "--state", "RUNNING")
        hpc("daemon", "stop")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a hundredth of all that")
    parser.add_argument("--strict", action="store_true", help="exit code 1 where a goal is missed")
    parser.add_argument("--only", default="", help="only lists with this in their path")
    parser.add_argument("--home", type=Path, help="keep what was filled here, for another time")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hpc-", dir="/tmp") as directory:
        home = chosen.home or Path(directory)
        size, seconds = (QUICK, 0.3) if chosen.quick else (WHOLE, 4.0)
        before = os.getloadavg()[0]
        figures = measure(home, size, seconds, chosen.only)
    print(f"\nwithout a stream, the server has {figures['without MB']:.0f} MB")
    print(f"load before {before:.1f}, after {os.getloadavg()[0]:.1f}, of {os.cpu_count()} cores")
    print("\n" + goal_table(GOALS, figures))
    return int(chosen.strict and bool(misses(GOALS, figures)))


if __name__ == "__main__":
    sys.exit(main())
