"""Why a job waits on a cluster: the site's own word for it, what that means, and when it expects to
start it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from hpcshell.clusters.cluster import Cluster
from hpcshell.core.records import Record
from hpcshell.core.sightings import Sighting
from hpcshell.core.units import format_duration
from hpcshell.machine import clock

FEW: Final = 5
"""Waits that are too few to tell anything."""
LATEST: Final = 200
OLDEST: Final = 30 * 86_400.0


class Wait(Record, frozen=True, kw_only=True):
    """How long jobs like one have waited: the median of so many, in seconds."""

    seconds: float
    of: int

    @property
    def why(self) -> str:
        return f"the median of {self.of} waits there is {format_duration(round(self.seconds))}"


def wait_of_history(cluster: Cluster, partition: str, cpus: int) -> Wait | None:
    """How long jobs of a partition and about this size have waited of late; else any."""
    known = [
        one
        for one in latest_ends(cluster)
        if one.start_time is not None and one.submit_time is not None
    ]
    alike = [one for one in known if _alike(one, partition, cpus)]
    chosen = alike if len(alike) >= FEW else known
    waits = [max(0.0, (one.start_time or 0) - (one.submit_time or 0)) for one in chosen]
    return Wait(seconds=median(waits), of=len(waits)) if len(waits) >= FEW else None


def latest_ends(cluster: Cluster) -> list[Sighting]:
    """How the latest jobs there ended. What was long ago tells nothing of today."""
    ends = cluster.ledger.past_waits(cluster.name, LATEST)
    oldest = clock.now() - OLDEST
    return [one for one in ends if one.end_time is not None and one.end_time >= oldest]


def _alike(one: Sighting, partition: str, cpus: int) -> bool:
    same = not partition or one.partition == partition
    return same and (one.cpus is None or cpus / 2 <= one.cpus <= cpus * 2)


def explain(cluster: Cluster, views: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents of `hpc explain` for these jobs."""
    return [_explained(cluster, view) for view in views]


def _explained(cluster: Cluster, view: dict[str, Any]) -> dict[str, Any]:
    waits = view["state"] == "PENDING"
    sentence = view["reason"] or ("it is held" if view["held"] else _no_reason(cluster, view))
    reason = {"code": view["reason_code"] or "None", "sentence": sentence}
    return {
        "id": view["id"],
        "label": view["label"],
        "state": view["state"],
        "reason": reason,
        "reasons": [reason] if waits else [],
        "promise": _promise(cluster, view) if waits else None,
        "promised": False,
        "interval": None,
        "blockers": [],
        "advice": None,
        "change": None,
        "standing": None,
    }


def _no_reason(cluster: Cluster, view: dict[str, Any]) -> str:
    if view["state"] == "PENDING":
        return f"{cluster.backend.title} gives no reason"
    return "it does not wait"


def _promise(cluster: Cluster, view: dict[str, Any]) -> dict[str, Any] | None:
    """When it is expected to start, by the site, else by what others have waited."""
    if view["expected_start"]:
        return {"start": view["expected_start"], "why": f"{cluster.name} expects so"}
    wait = wait_of_history(cluster, view["partition"], view["cpus"])
    if wait is None or not view["submit_time"]:
        return None
    return {"start": view["submit_time"] + wait.seconds, "why": wait.why}
