"""The verb that waits for ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from hpcshell.clusters import views
from hpcshell.clusters.finding import find
from hpcshell.clusters.lines import documents
from hpcshell.machine import clock

if TYPE_CHECKING:
    from hpcshell.clusters.desk import Desk

LONGEST: Final = 60.0
"""Seconds between two looks, at the most."""


def wait(
    desk: Desk, ids: Sequence[str], any: bool = False, timeout: float | None = None
) -> dict[str, Any]:
    """Until all (or one) of the jobs have ended; looks less often the less happens."""
    deadline = None if timeout is None else clock.monotonic() + timeout
    interval, before = desk.cluster.settings.poll, ""
    while True:
        seen = desk.look()
        found = find(desk.cluster, seen, ids)
        jobs = [view for one in found for view in documents(one, desk.cluster.name)]
        done = [views.end_of(view) for view in jobs if views.is_over(view)]
        pending = [
            {"id": view["id"], "element": view["element"]}
            for view in jobs
            if not views.is_over(view)
        ]
        if not pending or (any and done):
            return {"done": done, "pending": pending, "timed_out": False}
        if seen.another is not None:
            raise seen.another
        left = None if deadline is None else deadline - clock.monotonic()
        if left is not None and left <= 0:
            return {"done": done, "pending": pending, "timed_out": True}
        now = str([(view["state"], view["elements"]) for view in jobs])
        interval = desk.cluster.settings.poll if now != before else interval * 1.5
        interval, before = min(interval, LONGEST), now
        desk.pause(interval if left is None else min(interval, left))
