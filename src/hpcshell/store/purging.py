"""Old jobs leave slice by slice: first what belongs to a job, then the job, then unused blobs.

A job on its way out stands in `purging`; a crash between two slices leaves a plan to go on with.
Which blobs are unused is seen only by looking at every job, live ones too: that is done only after
jobs have left, which is marked in `meta` until it is done.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hpcshell.store.change import Writer

_CHOOSE: Final = (
    "INSERT INTO purging SELECT id FROM job WHERE ended = 1 AND end_time < ?"
    " AND NOT EXISTS (SELECT 1 FROM purging) ORDER BY end_time, id LIMIT ?"
)
_SLICES: Final = (
    "DELETE FROM event WHERE seq IN (SELECT seq FROM purging CROSS JOIN event USING (job) LIMIT ?)",
    "DELETE FROM run WHERE id IN (SELECT id FROM purging CROSS JOIN run USING (job) LIMIT ?)",
    "DELETE FROM task WHERE (job, idx) IN"
    " (SELECT job, idx FROM purging CROSS JOIN task USING (job) LIMIT ?)",
)
_JOBS: Final = "DELETE FROM job WHERE id IN (SELECT job FROM purging)"
_DONE: Final = "DELETE FROM purging"
_DAEMON_EVENTS: Final = (
    "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE job IS NULL AND time < ? LIMIT ?)"
)
_MARK: Final = "INSERT OR IGNORE INTO meta VALUES ('jobs_left', 1)"
_UNMARK: Final = "DELETE FROM meta WHERE key = 'jobs_left'"
JOBS_LEFT: Final = "SELECT 1 FROM meta WHERE key = 'jobs_left'"
UNUSED_BLOBS: Final = (
    "SELECT hash FROM blob EXCEPT SELECT env FROM job EXCEPT SELECT script FROM job"
)
_DROP_BLOB: Final = "DELETE FROM blob WHERE hash = ?"


class Purged(NamedTuple):
    """How many jobs a call removed, the keys of blobs it removed, and whether there is more."""

    jobs: int
    blobs: tuple[str, ...]
    more: bool


def purge_jobs(writer: Writer, before: float, rows: int) -> Purged:
    """Within a change: remove about `rows` rows of jobs that ended before an instant."""
    writer.write("purge", _CHOOSE, (before, max(1, rows // 10)))
    left = rows
    for statement in _SLICES:
        left -= writer.write("purge", statement, (left,))
        if left <= 0:
            return Purged(0, (), True)
    jobs = writer.write("purge", _JOBS, ())
    if jobs:
        writer.write("purge", _MARK, ())
    writer.write("purge", _DONE, ())
    return Purged(jobs, (), jobs > 0)


def purge_rest(writer: Writer, before: float, unused: list[str]) -> Purged:
    """Within a change, when no such job is left: the daemon's own old events, and unused blobs."""
    writer.write("purge", _DAEMON_EVENTS, (before, -1))
    for key in unused:
        writer.write("purge", _DROP_BLOB, (key,))
    writer.write("purge", _UNMARK, ())
    return Purged(0, tuple(unused), False)
