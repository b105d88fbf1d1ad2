"""What commands about sweeps tell, as documents: a list, what was submitted, what was cancelled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from hpcshell.core.errors import HpcError
from hpcshell.sweeps.face import Sweep, listed
from hpcshell.sweeps.folder import outputs
from hpcshell.sweeps.keeping import Round
from hpcshell.sweeps.standing import BAD, ended_well

if TYPE_CHECKING:
    from hpcshell.flow.results.report import Report


def rows(project: str, limit: int) -> tuple[list[dict[str, Any]], dict[str, HpcError]]:
    """The latest `limit` sweeps (0: all) of a project, the latest first, then those that are
    damaged; and what is wrong with each of these."""
    found, damaged = listed(project)
    told = [_row_of(project, sweep, damaged) for sweep in found[: limit or None]]
    known = {row["id"] for row in told}
    return told + [_row(project, id, "damaged") for id in damaged if id not in known], damaged


def recent(project: str, limit: int) -> tuple[dict[str, Any], dict[str, HpcError]]:
    """The same as a document, which says where the sweeps were looked for."""
    told, damaged = rows(project, limit)
    return {"project": os.path.realpath(project), "rows": told}, damaged


def cancelled(sweep: Sweep, *, dry_run: bool) -> dict[str, Any]:
    """Cancel what waits and runs of a sweep; what that was, and what went wrong."""
    live = [one.id for one in sweep.standings() if one.state in ("PENDING", "RUNNING")]
    trouble = [] if dry_run else sweep.cancel()
    return {"dry_run": dry_run, "id": sweep.id, "cancelled": live, "trouble": trouble}


def submitted(sweep: Sweep, done: Round) -> int:
    """How many points a round submitted."""
    intents = sweep.folder.ledger().intents
    return sum(len(intents[one.key].points) for one in done.step.taken)


def begun(sweep: Sweep, done: Round) -> dict[str, Any]:
    """How a sweep stands after a round, and what that submitted."""
    count = submitted(sweep, done)
    batches = [{"on": one.on, "jobs": one.jobs} for one in done.step.taken]
    return {**sweep.status(), "submitted": count, "batches": batches, "notes": done.said}


def best_of(id: str, found: Report) -> dict[str, Any]:
    """The best points of a sweep."""
    return {"id": id, "metric": found.metric, "direction": found.direction, "best": found.best}


def report_of(id: str, found: Report) -> dict[str, Any]:
    """All that a sweep came to."""
    return {**msgspec.to_builtins(found), "id": id}


def errors_of(id: str, groups: Any) -> dict[str, Any]:
    """What points failed of."""
    return {"id": id, "errors": groups}


def _row_of(project: str, sweep: Sweep, damaged: dict[str, HpcError]) -> dict[str, Any]:
    """The row of one that may prove to be damaged, too."""
    try:
        status = sweep.status()
    except HpcError as error:
        damaged[sweep.id] = error
        return _row(project, sweep.id, "damaged")
    return _row(project, sweep.id, _state(status), status)


def _row(
    project: str, id: str, state: str, status: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    known = status or {"counts": {}, "on": [], "directory": f"{outputs(project)}/{id}"}
    counts = known["counts"]
    return {
        "id": id,
        "created": known.get("created"),
        "points": known.get("points"),
        "completed": counts.get("COMPLETED", 0),
        "failed": sum(counts.get(state, 0) for state in BAD),
        "state": state,
        "on": known["on"],
        "directory": known["directory"],
    }


def _state(status: dict[str, Any]) -> str:
    """One word for the whole of it."""
    counts = status["counts"]
    if counts.get("UNKNOWN"):
        return "unknown"
    if status["live"]:
        return "running" if counts.get("RUNNING") else "waiting"
    if status["stopped"]:
        return "stopped"
    return "complete" if ended_well(counts) == status["points"] else "incomplete"
