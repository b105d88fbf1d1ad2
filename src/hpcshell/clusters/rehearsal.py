"""A submission that is not made: what would be said, and when it would start."""

from __future__ import annotations

from hpcshell.backends.contract import Order
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.orders import Orders
from hpcshell.clusters.submitting import KEY, Wanted, draft
from hpcshell.core.commands import Words


def script(cluster: Cluster, wanted: Wanted) -> tuple[str, Words, str]:
    """The job script, the command and the script's place of its first part."""
    order = _imagined(cluster, wanted)
    backend = cluster.backend
    return backend.script(order), backend.submit(order), order.job_script


def estimate(cluster: Cluster, wanted: Wanted) -> Words | None:
    """The question when it would start; None: the site has no such question."""
    return cluster.backend.estimate(_imagined(cluster, wanted))


def _imagined(cluster: Cluster, wanted: Wanted) -> Order:
    entry, parts = draft(cluster, wanted, f"{KEY}{'x' * 16}")
    return Orders(cluster).order(entry, *parts[0])
