"""Figures in the text format of Prometheus, and which there are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Final

from hpcshell.client.client import Client
from hpcshell.clusters.survey import known_clusters, statuses
from hpcshell.jobs.surroundings import configured, here, working_directory
from hpcshell.web.counting import BOUNDS, Counts
from hpcshell.web.events.hub import Hub

CLUSTERS: Final = 50
"""So many clusters have figures of their own; those of the others are added up."""
OTHER: Final = "other"
Labels = Mapping[str, str]


class Figures:
    """Samples by the name of their metric, in the order in which these were added first.

    `newer`: as OpenMetrics, where the metric of a counter has no `_total` in its own name.
    """

    def __init__(self, *, newer: bool = False) -> None:
        self._newer = newer
        self._metrics: dict[str, list[str]] = {}

    def add(
        self, name: str, kind: str, help: str, value: float, labels: Labels | None = None
    ) -> None:
        """One sample of a gauge or a counter."""
        self._lines(name, kind, help).append(_sample(name, labels or {}, value))

    def histogram(
        self, name: str, help: str, buckets: list[int], total: float, labels: Labels
    ) -> None:
        """All samples of a histogram for these labels; `buckets` are not added up."""
        lines = self._lines(name, "histogram", help)
        counts = list(accumulate(buckets))
        for bound, count in zip((*map(_number, BOUNDS), "+Inf"), counts, strict=True):
            lines.append(_sample(f"{name}_bucket", {**labels, "le": bound}, count))
        lines.append(_sample(f"{name}_count", labels, counts[-1]))
        lines.append(_sample(f"{name}_sum", labels, total))

    def take(self, other: Figures) -> None:
        """The metrics of another one, which has none of the same name."""
        self._metrics.update(other._metrics)

    def text(self) -> str:
        """All of it, without the end mark of OpenMetrics."""
        return "".join(f"{line}\n" for lines in self._metrics.values() for line in lines)

    def _lines(self, name: str, kind: str, help: str) -> list[str]:
        metric = name.removesuffix("_total") if self._newer and kind == "counter" else name
        head = [f"# HELP {metric} {help}", f"# TYPE {metric} {kind}"]
        return self._metrics.setdefault(metric, head)


def _sample(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(each)}"' for key, each in labels.items())
    return f"{name}{{{inside}}} {_number(value)}" if inside else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if isinstance(value, float) and math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value)) if value != int(value) else str(int(value))


# ---------------------------------------------------------------------------------- which there are


def of_requests(figures: Figures, counts: Counts, hub: Hub) -> None:
    """What this server was asked."""
    for (method, route, status), count in list(counts.requests.items()):
        labels = {"method": method, "route": route, "status": status}
        figures.add("hpcshell_requests_total", "counter", "Requests answered.", count, labels)
    for route, latencies in list(counts.latencies.items()):
        figures.histogram(
            "hpcshell_request_seconds",
            "Seconds that requests took.",
            list(latencies.buckets),
            latencies.sum,
            {"route": route},
        )
    figures.add("hpcshell_requests_running", "gauge", "Requests being answered.", counts.running)
    figures.add("hpcshell_event_streams", "gauge", "Streams of events.", hub.listeners)
    figures.add("hpcshell_last_event", "gauge", "Number of the latest event known.", hub.last)


def of_daemon(figures: Figures) -> None:
    """This machine's scheduler. Raises `Unreachable`: nobody starts it to be measured."""
    asked = Client(here(), autostart=False)
    try:
        queue = asked.call("queue", limit=0, offset=0)
        found = asked.call("resources")
        cards = asked.call("gpus")["cards"] if found["detected"]["gpus"] else []
    finally:
        asked.close()
    figures.add("hpcshell_daemon_up", "gauge", "Whether the scheduler answers.", 1)
    help = "Elements of jobs that have not ended, by state."
    for state in ("PENDING", "RUNNING", "SUSPENDED", "COMPLETING"):
        figures.add("hpcshell_jobs", "gauge", help, queue["counts"].get(state, 0), {"state": state})
    for kind in ("total", "free", "used"):
        for name, unit in (("cpus", "cpus"), ("memory", "memory_bytes"), ("gpus", "gpus")):
            metric = f"hpcshell_{unit}_{kind}"
            figures.add(metric, "gauge", f"{name} of the machine: {kind}.", found[kind][name])
    for card in cards:
        _add_card(figures, card)


def _add_card(figures: Figures, card: dict[str, Any]) -> None:
    labels = {"gpu": str(card["number"])}
    up = 1 if card["state"] == "up" else 0
    figures.add("hpcshell_gpu_up", "gauge", "Whether jobs get the card.", up, labels)
    for field, name, help in (
        ("allocated", "allocated", "Part of the card that is given to jobs."),
        ("load", "load", "Load of the card: 1 is all of it."),
        ("memory", "memory_bytes", "Memory of the card."),
        ("memory_used", "memory_used_bytes", "Memory of the card that is in use."),
        ("temperature", "temperature_celsius", "Temperature of the card."),
        ("power", "power_watts", "Power that the card draws."),
    ):
        if card.get(field) is not None:
            figures.add(f"hpcshell_gpu_{name}", "gauge", help, card[field], labels)


def of_clusters(figures: Figures) -> None:
    """The clusters, as far as is known without asking them."""
    settings, places = configured(working_directory()).settings, here()
    names = known_clusters(settings, places)
    rows = statuses(names, settings, places, ask=False)
    others = {"jobs": 0, "waiting_here": 0}
    for number, row in enumerate(rows):
        labels = {"cluster": row["name"]}
        if number >= CLUSTERS:
            others = {field: others[field] + row[field] for field in others}
            continue
        _add_cluster(figures, row, labels)
        answers = 1 if row["answers"] else 0
        figures.add("hpcshell_cluster_up", "gauge", "Whether the cluster answers.", answers, labels)
    if len(rows) > CLUSTERS:
        _add_cluster(figures, others, {"cluster": OTHER})


def _add_cluster(figures: Figures, row: dict[str, Any], labels: Labels) -> None:
    help = "Submissions to the cluster that have not ended."
    figures.add("hpcshell_cluster_jobs", "gauge", help, row["jobs"], labels)
    help = "Parts of submissions that wait here for the cluster."
    figures.add("hpcshell_cluster_waiting_here", "gauge", help, row["waiting_here"], labels)
