"""`/metrics`: figures for Prometheus, in its text format.

Whatever is a label has few values: states, partitions, cards, clusters, routes. Never a user, a job
or anything else that somebody may make up.
"""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency

from hpcshell.core.errors import HpcError
from hpcshell.web.context import Context
from hpcshell.web.figures import Figures, of_clusters, of_daemon, of_requests
from hpcshell.web.security.callers import READ, needs

PLAIN: Final = "text/plain; version=0.0.4"
OPEN_METRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@get(
    "/metrics",
    guards=[needs(READ)],
    tags=["server"],
    media_type="text/plain",
    summary="Figures for Prometheus",
    description="In its text format, or as OpenMetrics where that is asked for.",
)
async def metrics(
    request: Request[Any, Any, Any], context: NamedDependency[Context]
) -> Response[str]:
    newer = "application/openmetrics-text" in request.headers.get("accept", "")
    figures = Figures(newer=newer)
    of_requests(figures, context.counts, context.hub)
    text: bytes = await context.shared.answer(
        ("metrics", newer), lambda: context.work(_asked, newer)
    )
    told = figures.text() + text.decode() + ("# EOF\n" if newer else "")
    return Response(told, media_type=OPEN_METRICS if newer else PLAIN)


def _asked(newer: bool) -> bytes:
    figures = Figures(newer=newer)
    for add in (of_daemon, of_clusters):
        part = Figures(newer=newer)
        try:
            add(part)
        except HpcError:  # what does not answer has no figures; that it is down is one
            part = Figures(newer=newer)
            if add is of_daemon:
                part.add("hpcshell_daemon_up", "gauge", "Whether the scheduler answers.", 0)
        figures.take(part)
    return figures.text().encode()


handlers: Final[list[Any]] = [metrics]
