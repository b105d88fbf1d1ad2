"""Verbs that tell what jobs do: queue, show, explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpcshell.clusters import views
from hpcshell.clusters.finding import find
from hpcshell.clusters.lines import Line, counts_of, documents, lines_of

if TYPE_CHECKING:
    from hpcshell.clusters.desk import Desk


def queue(desk: Desk, limit: int, offset: int = 0, **filters: Any) -> dict[str, Any]:
    """What has not ended: first what runs, then what waits."""
    user = filters.get("user")
    if user and user != desk.cluster.user and not filters.get("ids"):
        from hpcshell.clusters.others import picture_of

        seen = picture_of(desk.cluster, user)
    else:
        seen = desk.look()
    lines = sorted(lines_of(desk.cluster, seen, filters), key=Line.order)
    page = lines[offset : offset + limit] if limit else lines[offset:]
    answer: dict[str, Any] = {
        "rows": [line.document() for line in page],
        "total": len(lines),
        "counts": dict(counts_of(lines)),
    }
    trouble = seen.another.message if seen.another is not None else seen.trouble
    if trouble:
        answer["trouble"] = {
            "cluster": desk.cluster.name,
            "message": trouble,
            "hint": seen.another.hint if seen.another is not None else None,
            "since": seen.at or None,
        }
    return answer


def show(desk: Desk, ids: Sequence[str], story: bool = False) -> dict[str, Any]:
    """Everything about the jobs named."""
    found = find(desk.cluster, desk.look(), ids)
    jobs = [view for one in found for view in documents(one, desk.cluster.name)]
    for view in jobs if story else ():
        view["story"] = _story(view)
    return {"jobs": jobs}


def explain(desk: Desk, ids: Sequence[str]) -> dict[str, Any]:
    """Why jobs wait, in the site's words, and when it expects to start them."""
    from hpcshell.clusters.explaining import explain

    return {"jobs": explain(desk.cluster, show(desk, ids)["jobs"])}


def _story(view: dict[str, Any]) -> list[dict[str, Any]]:
    """What happened to a job as far as the site tells."""
    told = (("submit", "submit_time", "PENDING"), ("start", "start_time", "RUNNING"))
    ends = (("end", "end_time", view["state"]),) if views.is_over(view) else ()
    return [
        {
            "seq": None,
            "time": view[field],
            "job": view["id"],
            "element": view["element"],
            "kind": kind,
            "state": state,
            "cause": view["reason"] if kind == "end" else None,
            "detail": None,
        }
        for kind, field, state in (*told, *ends)
        if view[field]
    ]
