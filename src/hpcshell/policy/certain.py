"""Whether a promise stands whatever has come in already."""

from __future__ import annotations

from hpcshell.policy.line import Entry
from hpcshell.policy.regime import Requested
from hpcshell.policy.view import View


def certain(view: View) -> bool:
    """Whether runs are expected to take their time limits."""
    return isinstance(view.queue.regime.foresight, Requested)


def stands(view: View, place: tuple[float, int]) -> bool:
    """Whether nothing that is known can come before what is promised a start at that `place` in
    line: (rank, job).

    Whatever is ahead of it in line, and not in the line yet, may take its place, and so may others
    where ranks change. Nobody knows where runs make room, or where limits let in as many as others
    have ended.
    """
    regime = view.queue.regime
    if not certain(view) or regime.preempting or regime.timely:
        return False
    if view.bounds is not None and view.bounds.throttle.keeps():
        return False
    return not any(
        _may_come(entry)
        for entry in view.queue.jobs.values()
        if (entry.rank, entry.job.id) < place and entry.waits()
    )


def _may_come(entry: Entry) -> bool:
    """Whether any of it is to join the line later, by itself."""
    if entry.job.held and entry.job.held != "dependency":
        return False
    fresh = entry.waiting if entry.freed is None else entry.freed
    in_line = 0 if entry.place is None or entry.late else len(fresh)
    in_line += sum(len(line.again or ()) for line in entry.all_lines() if line.place is not None)
    waiting = len(entry.waiting) + len(entry.tasks)
    return in_line < waiting or entry.room() < waiting
