"""How clusters are: who answers, how often they are asked, what waits here."""

from __future__ import annotations

import os
from typing import Any

from hpcshell.clusters.cluster import Cluster, ledger_path
from hpcshell.clusters.desks import AUTO, find_here, open_cluster, open_ledger
from hpcshell.clusters.detecting import Finding
from hpcshell.clusters.lookout import picture
from hpcshell.core.errors import HpcError, NotFound
from hpcshell.core.settings import Settings
from hpcshell.machine import clock
from hpcshell.machine.paths import Places


def known_clusters(settings: Settings, places: Places) -> list[str]:
    """The clusters that are configured, and those that were submitted to."""
    used = open_ledger(places).clusters() if os.path.exists(ledger_path(places)) else []
    return list(dict.fromkeys([*settings.clusters, *used]))


def opened(name: str, settings: Settings, places: Places) -> Cluster:
    """The cluster of this name; `auto`: the one that is found here. Raises `NotFound`."""
    if name == AUTO:
        found = find_here(places)
        if found is None:
            raise NotFound("no scheduler answers here", "what was tried: hpc cluster detect")
        name = found
    return open_cluster(name, settings, places)


def statuses(
    names: list[str], settings: Settings, places: Places, *, ask: bool
) -> list[dict[str, Any]]:
    """The documents of these clusters, also of those that lead nowhere any more."""
    rows = []
    for name in names:
        try:
            rows.append(status(opened(name, settings, places), ask=ask))
        except HpcError as error:
            rows.append(unopened(name, places, error))
    return rows


def status(cluster: Cluster, *, ask: bool = True) -> dict[str, Any]:
    """The document of one cluster. With `ask` it is asked, unless the circuit is open, and what has
    ended is not counted any more."""
    jobs, trouble = _asked(cluster) if ask else (None, "")
    health, now = cluster.polls.health(), clock.now()
    trouble = trouble if ask else health.trouble
    snapshot = cluster.polls.snapshot()
    site = cluster.known_site()
    return {
        "name": cluster.name,
        "backend": cluster.settings.backend,
        "title": cluster.backend.title,
        "ssh": cluster.settings.ssh or None,
        "version": site.version if site else "",
        "flavour": site.flavour if site else "",
        "answers": not trouble and snapshot is not None,
        "trouble": trouble or None,
        "circuit": health.circuit(now),
        "retry": health.until if health.circuit(now) == "open" else None,
        "answered": health.answered or (snapshot.at if snapshot else None),
        "took": snapshot.took if snapshot else None,
        "questions": health.rate(now),
        "jobs": len(cluster.ledger.open_entries(cluster.name)) if jobs is None else jobs,
        "waiting_here": len(cluster.ledger.unsent(cluster.name)),
    }


def _asked(cluster: Cluster) -> tuple[int | None, str]:
    """How many submissions have not ended (None: nobody can tell), and what is wrong with it now
    ("": nothing)."""
    try:
        seen = picture(cluster)
    except HpcError as error:
        return None, error.message
    trouble = seen.another.message if seen.another is not None else seen.trouble
    return sum(not known.over for known in seen.known), trouble


def unopened(name: str, places: Places, error: HpcError) -> dict[str, Any]:
    """The document of one that leads nowhere (any more): what is on record of it. Raises the error
    where there never was one."""
    ledger = open_ledger(places) if os.path.exists(ledger_path(places)) else None
    last = ledger.last(name) if ledger is not None else None
    if last is None and isinstance(error, NotFound):
        raise error
    nothing = dict.fromkeys(("ssh", "retry", "answered", "took"))
    return nothing | {
        "name": name,
        "backend": last.backend if last else "",
        "title": last.backend if last else "-",
        "version": "",
        "flavour": "",
        "answers": False,
        "trouble": error.message,
        "circuit": "closed",
        "questions": 0.0,
        "jobs": len(ledger.open_entries(name)) if ledger is not None else 0,
        "waiting_here": len(ledger.unsent(name)) if ledger is not None else 0,
    }


def on_record(cluster: Cluster) -> list[dict[str, Any]]:
    """Label and name of what was submitted and has not ended, as far as is known here."""
    return [
        {"label": entry.number or f"w{entry.serial}", "name": entry.name, "state": ""}
        for entry in cluster.ledger.open_entries(cluster.name)
    ]


def site_document(cluster: Cluster, *, anew: bool = False) -> dict[str, Any]:
    """What a site tells of its queues and limits."""
    site = cluster.site(anew=anew)
    return {
        "name": cluster.name,
        "version": site.version,
        "flavour": site.flavour,
        "accounts": list(site.accounts),
        "qos": list(site.qos),
        "most_elements": site.most_elements,
        "highest_index": site.highest_index,
        "accounting": site.accounting,
        "partitions": [
            {
                "name": one.name,
                "default": one.default,
                "up": one.up,
                "max_time": one.max_time,
                "nodes": one.nodes,
                "cpus_per_node": one.cpus_per_node,
                "memory_per_node": one.memory_per_node,
                "gpus_per_node": one.gpus_per_node,
                "gpu_types": list(one.gpu_types),
                "features": list(one.features),
            }
            for one in site.partitions
        ],
        "lacks": dict(cluster.backend.lacks),
    }


def finding_document(finding: Finding, chosen: bool) -> dict[str, Any]:
    """What was found of one kind of scheduler."""
    return {
        "backend": finding.backend,
        "title": finding.title,
        "found": finding.alive,
        "chosen": chosen,
        "programs": list(finding.programs),
        "version": finding.site.version if finding.site else "",
        "flavour": finding.site.flavour if finding.site else "",
        "why": finding.why,
    }
