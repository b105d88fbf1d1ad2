"""Routes of clusters: how they answer, and what they have."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from hpcshell.clusters.survey import known_clusters, opened, site_document, statuses
from hpcshell.jobs.surroundings import configured, here, working_directory
from hpcshell.web.answers.asking import SCHEMA, Document, reply, shared
from hpcshell.web.context import Context
from hpcshell.web.security.callers import READ, needs

_TAGS: Final = ["clusters"]


@get(
    "/clusters",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="List the clusters",
    description="As `hpc cluster list --json` has it, without asking them; with `ask` as "
    "`hpc cluster status --json`.",
)
async def every(
    context: NamedDependency[Context],
    ask: Annotated[bool, QueryParameter(description="ask each of them how it is")] = False,
) -> Response[Document]:
    def look() -> Document:
        settings, places = configured(working_directory()).settings, here()
        names = known_clusters(settings, places)
        return {"schema": SCHEMA, "clusters": statuses(names, settings, places, ask=ask)}

    return reply(await shared(context, ("clusters", ask), look))


@get(
    "/clusters/{name:str}",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show a cluster's queues and limits",
    description="As `hpc cluster show --json` has it.",
)
async def show(
    context: NamedDependency[Context],
    name: Annotated[str, PathParameter(max_length=100)],
    refresh: Annotated[bool, QueryParameter(description="ask the site anew")] = False,
) -> Response[Document]:
    def look() -> Document:
        found = opened(name, configured(working_directory()).settings, here())
        return {"schema": SCHEMA, **site_document(found, anew=refresh)}

    return reply(await shared(context, ("cluster", name, refresh), look))


handlers: Final[list[Any]] = [every, show]
