"""`hpc explain`: why a job waits."""

from __future__ import annotations

import time
from typing import Any, Final

from hpcshell.cli import describe
from hpcshell.cli.reach import door, ids_argument, selectors
from hpcshell.cli.talk import SCHEMA, Talk
from hpcshell.cli.verb import verb
from hpcshell.core.units import format_duration
from hpcshell.core.words import safe

BLOCKERS: Final = 5
"""Of those in the way so many are named."""


@verb("explain", "hpc explain 12", "hpc explain 12 15-17", "hpc explain @ --json", on=True)
@ids_argument()
def command(talk: Talk, ids: tuple[str, ...]) -> int:
    """Say why jobs wait, and when they are to start.

    All that keeps them, who is in the way, between when and when they start, and the smallest
    change that would start them sooner. The answer is the scheduler's own: it is what decides.
    Without an ID, your last job.
    """
    named = selectors(ids, "@")
    if not named:
        return 0
    jobs = door().call("explain", ids=named)["jobs"]
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
    lines += [*_blockers(job["blockers"]), *_when(job, now), *_standing(job.get("standing"))]
    if job.get("gpu_enforcement"):
        lines.append(f"  gpu shares: {safe(job['gpu_enforcement'])}")
    return [*lines, *_hint(job, now)]


def _blockers(blockers: list[dict[str, Any]]) -> list[str]:
    """Who is in the way, and until when."""
    if not blockers:
        return []
    told = []
    for by in blockers[:BLOCKERS]:
        element = by.get("element")
        label = f"{by['id']}" if element is None else f"{by['id']}_{element}"
        why = safe(by.get("why") or "")
        if by.get("until") is not None:
            why += f" until {describe.instant(by['until'])}"
        told.append(f"job {label} ({why})" if why else f"job {label}")
    if len(blockers) > BLOCKERS:
        told.append(f"{len(blockers) - BLOCKERS} more")
    return [f"  in the way: {', '.join(told)}"]


def _when(job: dict[str, Any], now: float) -> list[str]:
    """When it starts, at the latest and at the earliest, and where that comes from."""
    promise = job.get("promise") or {}
    earliest = (job.get("interval") or {}).get("earliest")
    latest = (job.get("interval") or {}).get("latest")
    start, lines = promise.get("start"), []
    if start is not None:
        begins = "goes on" if job["state"] == "SUSPENDED" else "starts"
        surely = " at the latest" if job["promised"] else ""
        lines.append(f"  {begins}{surely} {_at(start, now)}")
    if promise.get("why"):
        lines.append(f"  {safe(promise['why'])}")
    if earliest is not None and earliest["start"] != start:
        lines.append(f"  at the earliest {_at(earliest['start'], now)}, {safe(earliest['why'])}")
    if latest is not None and latest["start"] != start:
        lines.append(f"  at the latest {_at(latest['start'], now)}, {safe(latest['why'])}")
    return lines


def _at(start: float, now: float) -> str:
    ahead = round(max(0.0, start - now))
    return f"{describe.instant(start)} (in {format_duration(ahead)})" if ahead else "now"


def _hint(job: dict[str, Any], now: float) -> list[str]:
    """What to do about it: the smallest change with which it starts sooner, else what would start
    it at once."""
    advice, change = job.get("advice"), job.get("change")
    if change and change["options"] not in (advice or ""):
        told = f"with {safe(change['options'])} it would start {_at(change['start'], now)}"
        if change["now"] is not None:
            told += f", {format_duration(round(change['now'] - change['start']))} sooner"
        return [f"  hint: {told}"]
    if advice and advice not in job["reason"]["sentence"]:
        return [f"  hint: {safe(advice)}"]
    return []
