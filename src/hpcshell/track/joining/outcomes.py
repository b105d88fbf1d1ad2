"""What a run is when its job is what it is.

The client's word on how its run ended stands; the job only adds to it how it ended itself. A run
that its client never ended takes the outcome of its job, and a run that nobody but the job made
follows it in everything. Of a job whose end nobody knows nothing follows but that the run is lost.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hpcshell.track.joining.facts import ENDED, GONE, JobFacts
from hpcshell.track.words import ENDED as RUN_ENDED

JOB: Final = "job"
"""The source of a run that nobody made: a job ran."""
FORGOTTEN: Final = "its scheduler has forgotten its job, and nobody knows how that ended"
_STATUSES: Final = {
    "PENDING": "PENDING",
    "RUNNING": "RUNNING",
    "SUSPENDED": "SUSPENDED",
    "COMPLETING": "RUNNING",
    "UNKNOWN": "UNKNOWN",
    GONE: "LOST",
    **{state: state for state in ENDED},
}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands: the columns of its row that a job may change."""

    source: str
    status: str
    reason: str | None = None
    exit_code: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    name: str = ""
    user: str = ""
    host: str = ""


def changes(run: Standing, before: JobFacts, after: JobFacts) -> dict[str, Any]:
    """What changes of a run as all that is known of its job goes from `before` to `after`."""
    if run.source == JOB:
        wanted = _mirror(run, after)
    elif run.status not in RUN_ENDED:
        wanted = _of_live(run, after)
    elif _ended_by(run, before) and before.attempt == after.attempt:
        wanted = _end(after) if after.state in ENDED else {}
    else:
        wanted = _remark(run, before, after)
    return {name: value for name, value in wanted.items() if getattr(run, name) != value}


def _mirror(run: Standing, job: JobFacts) -> dict[str, Any]:
    return {
        "name": run.name or job.name,
        "user": run.user or job.user,
        "host": run.host or (job.nodes[0] if job.nodes else ""),
        "status": _STATUSES[job.state],
        "reason": FORGOTTEN if job.state == GONE else job.reason,
        "exit_code": job.exit_code,
        "started_at": job.start_time,
        "ended_at": job.end_time,
    }


def _of_live(run: Standing, job: JobFacts) -> dict[str, Any]:
    """Of a run that its client has not ended."""
    if job.state in ENDED:
        return _end(job)
    if job.state == GONE:
        return {"status": "LOST", "reason": FORGOTTEN}
    if job.state == "SUSPENDED" and run.status == "RUNNING":
        return {"status": "SUSPENDED"}
    if job.state == "RUNNING" and run.status in ("PENDING", "SUSPENDED", "UNKNOWN"):
        return {"status": "RUNNING", "started_at": run.started_at or job.start_time}
    return {}


def _end(job: JobFacts) -> dict[str, Any]:
    return {
        "status": job.state,
        "reason": _why(job),
        "exit_code": job.exit_code,
        "ended_at": job.end_time or job.time,
    }


def _ended_by(run: Standing, job: JobFacts) -> bool:
    """Whether the run has its end from what was known of the job."""
    return job.state in ENDED and run.status == job.state and run.reason == _why(job)


def _why(job: JobFacts) -> str:
    how = f": {job.reason}" if job.reason else ""
    return f"its job ended as {job.state} before it had said how it went{how}"


def _remark(run: Standing, before: JobFacts, after: JobFacts) -> dict[str, Any]:
    """The client has ended it: only that its job went wrong afterwards is said, too."""
    if run.reason is not None and run.reason != _after(before):
        return {}
    if after.state not in ENDED or after.state in ("COMPLETED", run.status):
        return {"reason": None} if run.reason is not None else {}
    return {"reason": _after(after)}


def _after(job: JobFacts) -> str:
    how = f": {job.reason}" if job.reason else ""
    return f"its job then ended as {job.state}{how}"
