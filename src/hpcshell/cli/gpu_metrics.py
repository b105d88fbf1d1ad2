"""`hpc gpu metrics`: how long jobs ran, and how busy the cards were."""

from __future__ import annotations

from typing import Any

from hpcshell.cli.reach import client
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.errors import Refused
from hpcshell.core.words import safe


@verb("metrics", "hpc gpu metrics", "hpc gpu metrics --json | jq .jobs.median")
def metrics(talk: Talk) -> int:
    """Show how long jobs ran, and how busy the cards were.

    Times are of the jobs of the box that have ended; loads are averages and peaks over gpus.window.
    """
    from hpcshell.gpu.looking import cards, times
    from hpcshell.jobs.surroundings import configured, working_directory

    if not configured(working_directory()).settings.box.metrics:
        raise Refused("metrics are switched off", "box.metrics (logging.metrics_enabled) says so")
    daemon = client()
    jobs, found = times(daemon), cards(daemon)
    if talk.json:
        talk.document({"schema": SCHEMA, "jobs": jobs, "cards": found})
        return 0
    talk.data(talk.paint("Performance Metrics", "bold"), *_times(jobs))
    if found:
        talk.data("", "GPU Utilization:", *map(_card, found))
    else:
        talk.say("nobody tells of cards here: hpc gpu status says why")
    return 0


def _times(jobs: dict[str, Any]) -> list[str]:
    return [
        f"Total Jobs: {jobs['total']:,}",
        f"Avg Execution Time: {_seconds(jobs['average'])}",
        f"Median Execution Time: {_seconds(jobs['median'])}",
    ]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}s"


def _card(card: dict[str, Any]) -> str:
    told = [f"{_part(card['load_average'])} avg", f"{_part(card['load_peak'])} peak"]
    state = "" if card["state"] == "up" else f" ({safe(card['state'].upper())})"
    return f"  GPU {card['number']}: {', '.join(told)}{state}"


def _part(load: float | None) -> str:
    return "-" if load is None else f"{load:.1%}"
