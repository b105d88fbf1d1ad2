"""The verb that tells what has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hpcshell.clusters import views
from hpcshell.clusters.known import Known
from hpcshell.clusters.lines import wanted
from hpcshell.clusters.lookout import on_record

if TYPE_CHECKING:
    from hpcshell.clusters.desk import Desk

AGE: Final = 60.0
"""Seconds that what is on record may lag behind the site."""


def history(
    desk: Desk,
    limit: int,
    offset: int = 0,
    elements: bool | None = None,
    **filters: Any,
) -> dict[str, Any]:
    """What has ended of what was submitted here, the latest first."""
    desk.look(age=AGE)
    cluster, ledger = desk.cluster, desk.cluster.ledger
    if not elements and not any(filters.values()):
        page = ledger.ended_entries(cluster.name, limit, offset)
        rows = [views.document(on_record(cluster, entry)) for entry in page]
        return {"rows": rows, "total": ledger.count_ended(cluster.name)}
    every = [on_record(cluster, entry) for entry in ledger.ended_entries(cluster.name, 0, 0)]
    rows = [
        row for known in every for row in _rows(known, apart=bool(elements)) if wanted(row, filters)
    ]
    return {
        "rows": rows[offset : offset + limit] if limit else rows[offset:],
        "total": len(rows),
    }


def _rows(known: Known, *, apart: bool) -> list[dict[str, Any]]:
    if apart and known.entry.array:
        return list(views.of_elements(known, known.elements))
    return [views.document(known)]
