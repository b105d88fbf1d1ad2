"""Old jobs leave slice by slice: first what belongs to a job, then the job, then unused blobs.

A job on its way out stands in `purging`; a crash between two slices leaves a plan to go on with.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hpcshell.store.change import Writer

_CHOOSE: Final = (
    "INSERT OR IGNORE INTO purging SELECT id FROM job"
    " WHERE ended = 1 AND end_time < ? ORDER BY end_time, id LIMIT ?"
)
_SLICES: Final = (
    "DELETE FROM event WHERE seq IN (SELECT seq FROM purging CROSS JOIN event USING (job) LIMIT ?)",
    "DELETE FROM run WHERE id IN (SELECT id FROM purging CROSS JOIN run USING (job) LIMIT ?)",
    "DELETE FROM task WHERE (job, idx) IN"
    " (SELECT job, idx FROM purging CROSS JOIN task USING (job) LIMIT ?)",
)
_DAEMON_EVENTS: Final = (
    "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE job IS NULL AND time < ? LIMIT ?)"
)
_JOBS: Final = "DELETE FROM job WHERE id IN (SELECT job FROM purging)"
_DONE: Final = "DELETE FROM purging"
_BLOBS: Final = (
    "DELETE FROM blob WHERE hash NOT IN"
    " (SELECT env FROM job WHERE env IS NOT NULL"
    "  UNION SELECT script FROM job WHERE script IS NOT NULL)"
)


class Purged(NamedTuple):
    """How many jobs a call removed, and whether there is more to remove."""

    jobs: int
    more: bool


def purge(writer: Writer, before: float, rows: int) -> Purged:
    """Within a change: remove about `rows` rows of jobs that ended before an instant."""
    chosen = writer.write("purge", _CHOOSE, (before, max(1, rows // 10)))
    left = rows
    for statement in _SLICES:
        left -= writer.write("purge", statement, (left,))
        if left <= 0:
            return Purged(0, True)
    writer.write("purge", _DAEMON_EVENTS, (before, left))
    jobs = writer.write("purge", _JOBS, ())
    writer.write("purge", _DONE, ())
    if chosen == 0:
        writer.write("purge", _BLOBS, ())
    return Purged(jobs, chosen > 0)
