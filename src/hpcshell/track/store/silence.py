"""Runs of which nothing has been heard for too long: they are lost, which is no end."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, or_, select, update

from hpcshell.core.units import format_duration
from hpcshell.track.joining.outcomes import FORGOTTEN, JOB
from hpcshell.track.store.tables import jobs, runs

_SPEAKING: Final = ("RUNNING", "UNKNOWN")
"""Statuses of runs that should be heard of."""
_ALIVE: Final = ("PENDING", "RUNNING", "SUSPENDED", "COMPLETING")


def lose(connection: Connection, after: float, now: float) -> int:
    """Runs that have said nothing for `after` seconds, and whose job is not known to be alive, are
    lost; those that have spoken again are running. How many changed."""
    alive = select(jobs.c.key).where(jobs.c.state.in_(_ALIVE), jobs.c.unknown_since.is_(None))
    silent = update(runs).where(
        runs.c.status.in_(_SPEAKING),
        runs.c.source != JOB,
        runs.c.heartbeat_at < now - after,
        or_(runs.c.job_key.is_(None), runs.c.job_key.not_in(alive)),
    )
    why = f"nothing has been heard of it for {format_duration(after)}"
    lost = connection.execute(silent.values(status="LOST", reason=why, updated_at=now)).rowcount
    spoke = update(runs).where(
        runs.c.status == "LOST",
        runs.c.source != JOB,
        runs.c.heartbeat_at >= now - after,
        or_(runs.c.reason.is_(None), runs.c.reason != FORGOTTEN),
    )
    return (
        lost
        + connection.execute(spoke.values(status="RUNNING", reason=None, updated_at=now)).rowcount
    )
