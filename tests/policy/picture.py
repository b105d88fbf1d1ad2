"""Everything of a view that decisions can depend on, in a form that compares."""

from __future__ import annotations

from itertools import islice
from typing import Any

from hpcshell.policy.line import Entry
from hpcshell.policy.view import View

SHOWN = 30


def _late(entry: Entry) -> bool:
    return entry.late and bool(entry.waiting)


def picture(view: View) -> dict[str, Any]:
    """Two views with the same picture answer every question alike."""
    ready = [
        (line.entry.rank, line.entry.job.id, list(islice(line.elements(), SHOWN)), line.shape.need)
        for line in view.queue.turn
    ]
    jobs = {
        number: (entry.job, list(entry.waiting), entry.running, entry.gate, _late(entry))
        for number, entry in view.queue.jobs.items()
    }
    return {
        "ready": ready,
        "jobs": jobs,
        "free": view.room.free,
        "gpus": list(view.room.gpus),
        "claims": dict(view.claims),
        "waking": set(view.waking),
        "impossible": sorted(view.impossible(0.0), key=repr),
        "wake": view.next_wake(),
        "promised": dict(view.promised),
        "ends": sorted(view.ends(), key=repr),
        "leaving": dict(view.leaving),
        "limits": None if view.bounds is None else repr(view.bounds.throttle.copy()._used),
    }
