"""`hpc explain`: why a job waits."""

from __future__ import annotations

import time
from typing import Any

from hpcshell.cli import describe
from hpcshell.cli.reach import client, ids_argument, selectors
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.units import format_duration
from hpcshell.core.words import safe


@verb("explain", "hpc explain 12", "hpc explain @ --json")
@ids_argument()
def command(talk: Talk, ids: tuple[str, ...]) -> int:
    """Say why jobs wait, and when they are to start.

    The answer is the scheduler's own: it is what decides. Without an ID, your last job.
    """
    named = selectors(ids, "@")
    if not named:
        return 0
    jobs = client().call("explain", ids=named)["jobs"]
    if talk.json:
        talk.document({"schema": SCHEMA, "jobs": jobs})
        return 0
    for job in jobs:
        talk.data(*_text(talk, job, time.time()))
    return 0


def _standing(standing: dict[str, Any] | None) -> list[str]:
    """What its place comes from, where that is more than its own priority."""
    if standing is None or standing["order"] == "priority" or standing["priority"] is None:
        return []
    rows = [row for row in standing["factors"] if row["points"]]
    parts = [f"{row['factor']} {row['value']:g} x {row['weight']:g}" for row in rows]
    told = f"  priority {standing['priority']:g} by order {standing['order']}"
    return [f"{told}: {' + '.join(parts)}" if len(parts) > 1 else told]


def _text(talk: Talk, job: dict[str, Any], now: float) -> list[str]:
    label = job.get("label") or job["id"]
    lines = [f"job {label} {talk.state(job['state'])}: {safe(job['reason']['sentence'])}"]
    lines += [
        f"  also: {safe(reason['sentence'])}"
        for reason in job["reasons"]
        if reason["sentence"] != job["reason"]["sentence"]
    ]
    promise = job.get("promise")
    if promise and promise.get("start") is not None:
        ahead = max(0.0, promise["start"] - now)
        start = describe.instant(promise["start"])
        begins = "goes on" if job["state"] == "SUSPENDED" else "starts"
        lines.append(f"  {begins} at the latest {start} (in {format_duration(round(ahead))})")
    if promise and promise.get("why"):
        lines.append(f"  {safe(promise['why'])}")
    lines += _standing(job.get("standing"))
    if job.get("advice") and job["advice"] not in job["reason"]["sentence"]:
        lines.append(f"  hint: {safe(job['advice'])}")
    return lines
