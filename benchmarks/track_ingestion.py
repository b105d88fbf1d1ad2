"""How many points of metrics are taken in a second, and what does it cost to see them again?

Everything goes through the store's one writer into SQLite on disk, synced before it is answered:
batches of 1,000 points over five metrics one after the other, single points of many callers at the
same time, and lines of spool files, each with two metrics. Then 20 curves of 100,000 points are
made smaller and encoded, and a page is read from the middle of a million points. Last, the same
comes over HTTP to a server of its own: a spool file, sent by the client's own courier, and batches
of 1,000 points as JSON (`POST /runs/{id}/metrics`), one after the other.

    python benchmarks/track_ingestion.py [--quick] [--strict]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec
from hpcshell.track.client.addresses import parse
from hpcshell.track.client.delivery import Delivery
from hpcshell.track.client.wire import Server
from hpcshell.track.points.append import append
from hpcshell.track.points.chunks import Points
from hpcshell.track.points.ingest import take_in
from hpcshell.track.points.reading import curves, raw
from hpcshell.track.store import experiments, runs
from hpcshell.track.store.opening import open_store
from hpcshell.track.store.runs import NewRun
from hpcshell.track.store.store import Store
from sqlalchemy import URL, Connection

import track_store
from harness.figures import Goal, misses
from harness.report import goal_table
from web import Web, serving

BATCHES: Final = 1000
METRICS: Final = 5
EACH: Final = 200
"""Points of each metric in a batch."""
SINGLE: Final = 10_000
LINES: Final = 1000
"""Of a batch of a spool file."""
NOW: Final = track_store.NOW

GOALS = (
    Goal("batches", "batches of 1,000 points", "points/s", at_least=20_000),
    Goal("single", "single points of many callers", "points/s", at_least=1_000, stretch=True),
    Goal("spool", "lines of spool files", "points/s", at_least=20_000),
    Goal("http spool", "a spool file over HTTP", "points/s", at_least=20_000),
    Goal("http batches", "batches of 1,000 points over HTTP", "points/s", at_least=20_000),
    Goal("curves", "20 curves of 100,000 points, encoded", "s", at_most=1.0),
    Goal("answer", "that answer", "kB", at_most=500),
    Goal("page", "1,000 points from the middle of a million", "s", at_most=0.3),
    Goal("long", "a curve of a million points", "s", at_most=1.0),
)


def logged(store: Store, run: str, metrics: dict[str, Points]) -> Future[int]:
    """Points on their way to a run."""
    return store.enqueue(lambda connection: append(connection, run, metrics, NOW))


def rate_of_batches(store: Store, run: str, count: int) -> float:
    """Points a second."""
    begun = monotonic()
    for batch in range(count):
        steps = range(batch * EACH, (batch + 1) * EACH)
        times, values = [NOW + step for step in steps], [1 / (1 + step) for step in steps]
        metrics = {f"metric{at}": Points(steps, times, values) for at in range(METRICS)}
        logged(store, run, metrics).result()
    return count * METRICS * EACH / (monotonic() - begun)


def rate_of_single(store: Store, run: str, count: int) -> float:
    """Points a second, each in a change of its own."""
    begun = monotonic()
    waiting = [
        logged(store, run, {"single": Points([step], [NOW], [0.5])}) for step in range(count)
    ]
    for one in waiting:
        one.result()
    return count / (monotonic() - begun)


def rate_of_spool(store: Store, run: str, count: int) -> float:
    """Points a second, the lines being there already."""
    batches = [spooled(batch * LINES, LINES) for batch in range(count)]
    begun, offset = monotonic(), 0
    for lines in batches:
        work = partial(_taken, run=run, offset=offset, lines=lines)
        offset = store.change(work)
    return count * LINES * 2 / (monotonic() - begun)


def spooled(first: int, count: int) -> bytes:
    """Lines of a spool file, of so many steps."""
    said = [
        {"k": "m", "t": NOW, "s": step, "v": {"a": 1 / 3, "b": step / 7}}
        for step in range(first, first + count)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in said)


def _taken(connection: Connection, run: str, offset: int, lines: bytes) -> int:
    return take_in(connection, f"{run}-0", offset, lines, NOW).offset


def seeing(store: Store, run: str, long: int) -> dict[str, float]:
    """What it costs to look at many points; each metric is put there first."""
    keys = [f"curve{at}" for at in range(track_store.CURVES)]
    for at, key in enumerate(keys):
        logged(store, run, {key: track_store.curve_of(long, at)}).result()
    for part in range(10):
        logged(store, run, {"million": track_store.curve_of(long, part)}).result()
    with store.reading() as connection:
        begun = monotonic()
        answer = msgspec.json.encode(curves(connection, run, keys))
        seen = monotonic()
        raw(connection, run, "million", since=long // 2)
        paged = monotonic()
        curves(connection, run, ["million"])
        return {
            "curves": seen - begun,
            "answer": len(answer) / 1000,
            "page": paged - seen,
            "long": monotonic() - paged,
        }


def over_http(directory: Path, share: float) -> dict[str, float]:
    """Points a second that a server takes in, all of it on disk when it says so."""
    os.environ["HPCSHELL_HOME"] = str(directory / "home")
    with serving() as web:
        experiment = web.post("/api/v1/experiments", {"name": "bench"})["id"]
        run = web.post(f"/api/v1/experiments/{experiment}/runs", {})["run_id"]
        steps = int(100_000 * share)
        file = directory / f"{run}-0.jsonl"
        file.write_bytes(spooled(0, steps))
        begun = monotonic()
        _deliver(file, web)
        sent = monotonic()
        batches = int(200 * share)
        for batch in range(batches):
            points = [
                {"name": f"metric{at}", "value": 1 / (1 + step), "step": step, "time": NOW + step}
                for step in range(batch * EACH, (batch + 1) * EACH)
                for at in range(METRICS)
            ]
            web.post(f"/api/v1/runs/{run}/metrics", points)
        done = monotonic()
        rates = {"http spool": 2 * steps / (sent - begun)}
        return rates | {"http batches": batches * EACH * METRICS / (done - sent)}


def _deliver(file: Path, web: Web) -> None:
    """Send a spool file as the thread beside a training does, without its pauses."""
    server = Server(parse(f"http://{web.address}", web.token))
    with file.open("rb") as opened, contextlib.closing(server):
        delivery = Delivery(opened.fileno(), file.stem, server)
        while delivery.waiting:
            step = delivery.step()
            if not step.moved:
                raise RuntimeError(f"the server takes no more: {step.trouble}")


def measure(directory: Path, share: float) -> dict[str, float]:
    """All figures, of this share of the work."""
    return _in_process(directory, share) | over_http(directory, share)


def _in_process(directory: Path, share: float) -> dict[str, float]:
    with open_store(URL.create("sqlite", database=str(directory / "track.db"))) as store:
        experiment = store.change(lambda c: experiments.create(c, "bench", now=NOW)).id
        run = store.change(lambda c: runs.create(c, NewRun(experiment_id=experiment), NOW)).run_id
        return {
            "batches": rate_of_batches(store, run, int(BATCHES * share)),
            "single": rate_of_single(store, run, int(SINGLE * share)),
            "spool": rate_of_spool(store, run, int(200 * share)),
            **seeing(store, run, int(track_store.LONG * share)),
        }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a twentieth of the work")
    parser.add_argument("--strict", action="store_true", help="exit code 1 where a goal is missed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        figures = measure(Path(directory), 0.05 if options.quick else 1.0)
    print(goal_table(GOALS, figures))
    return 1 if misses(GOALS, figures) and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
