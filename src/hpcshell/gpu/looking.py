"""What the box holds: its jobs that wait, run and have ended, and its cards."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any, Final

from hpcshell.client.client import Client
from hpcshell.gpu.adding import TAG

PAGE: Final = 1000
SCHEMA: Final = 1
MOST: Final = 100_000
"""Ended jobs that figures are worked out from."""


def rows(client: Client, verb: str, **filters: Any) -> Iterator[dict[str, Any]]:
    """All rows of `queue` or `history` that these choose, page by page."""
    offset = 0
    while True:
        page = client.call(verb, limit=PAGE, offset=offset, **filters)
        yield from page["rows"]
        offset += len(page["rows"])
        if not page["rows"] or offset >= min(page["total"], MOST):
            return


def starts(client: Client, job: int) -> list[dict[str, Any]]:
    """The events of a job's starts on cards, in order: their `detail` has `gpus` and `attempt`."""
    story = client.stream("events", ids=[str(job)], since=0)
    return [event for event in story if event["kind"] == "start" and event["detail"]]


def band(priority: int) -> str:
    """High, normal or low, whatever the number."""
    return "high" if priority > 500 else "low" if priority < 500 else "normal"


def status(client: Client) -> dict[str, Any]:
    """How the machine stands: its queue, its cards (`resources`), and whether they are well."""
    found, hello = client.call("gpus"), client.call("hello")
    health = found.pop("health")
    return {
        "status": "running",
        "version": hello["version"],
        "uptime": max(0.0, time.time() - hello["started"]),
        "jobs_processed": client.call("history", limit=0, offset=0)["total"],
        "queue": found.pop("queue"),
        "health": {**health, "healthy": health["state"] == "HEALTHY"},
        "resources": found,
    }


def active(client: Client) -> list[dict[str, Any]]:
    """The documents of what runs."""
    return list(rows(client, "queue", states=["RUNNING"]))


def ended(client: Client) -> dict[str, Any]:
    """How many have ended."""
    found: dict[str, Any] = client.call("history", tags=[TAG], limit=0, offset=0)
    return found


def cards(client: Client) -> list[dict[str, Any]]:
    """The cards with what is given out of each, as `hpc gpu status --json` has them."""
    found: list[dict[str, Any]] = client.call("gpus")["cards"]
    return found


def times(client: Client) -> dict[str, Any]:
    """How many jobs there were, and how long those ran that have ended, in seconds."""
    ran = [
        row["end_time"] - row["start_time"] - (row["suspended"] or 0.0)
        for row in rows(client, "history", tags=[TAG])
        if row["start_time"] is not None and row["end_time"] is not None
    ]
    live = client.call("queue", tags=[TAG], limit=0, offset=0)["total"]
    return {
        "total": live + ended(client)["total"],
        "ran": len(ran),
        "average": statistics.fmean(ran) if ran else None,
        "median": statistics.median(ran) if ran else None,
    }


def health(found: dict[str, Any]) -> dict[str, Any]:
    """Of the answer to `gpus`, whether all is well and how shares are kept apart."""
    return {"schema": SCHEMA, **found["health"], "enforcement": found["enforcement"]}
