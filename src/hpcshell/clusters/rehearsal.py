"""A submission that is not made: what would be said, and when it would start."""

from __future__ import annotations

from hpcshell.backends.contract import Order
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.orders import Orders, split
from hpcshell.clusters.staging import placed
from hpcshell.clusters.submitting import KEY, Wanted, completed
from hpcshell.core.commands import Words
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry


def script(cluster: Cluster, wanted: Wanted) -> tuple[str, Words, str]:
    """The job script, the command and the script's place of its first part."""
    order = _imagined(cluster, wanted)
    backend = cluster.backend
    return backend.script(order), backend.submit(order), order.job_script


def estimate(cluster: Cluster, wanted: Wanted) -> Words | None:
    """The question when it would start; None: the site has no such question."""
    return cluster.backend.estimate(_imagined(cluster, wanted))


def _imagined(cluster: Cluster, wanted: Wanted) -> Order:
    key = f"{KEY}{'x' * 16}"
    directory = f"{cluster.directory}/{key}"
    spec = completed(placed(wanted.spec, directory))
    entry = Entry(
        serial=0,
        key=key,
        cluster=cluster.name,
        backend=cluster.backend.name,
        name=spec.submission.name,
        user=cluster.user,
        submitted=clock.now(),
        directory=directory,
        spec=spec,
        parents=wanted.parents,
        any=wanted.any,
    )
    return Orders(cluster).order(entry, *split(entry.array, cluster.known_site(), key)[0])
