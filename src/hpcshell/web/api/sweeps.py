"""Routes of sweeps, those of one project directory at a time.

The directory is that in which the server was started, unless another is named. That must lie
beneath the home directory of the server's user, or beneath one of [track] roots, also once all
symbolic links are followed: nobody can have a file read that lies elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.core.words import quote
from hpcshell.sweeps import documents
from hpcshell.sweeps.face import Sweep, open_sweep
from hpcshell.sweeps.folder import check_id
from hpcshell.web.answers.asking import SCHEMA, Document, reply, shared
from hpcshell.web.context import Context
from hpcshell.web.jobs.changing import Asked
from hpcshell.web.jobs.once import once
from hpcshell.web.jobs.owners import check_server_owner
from hpcshell.web.security.callers import JOBS, READ, caller_of, needs

_TAGS: Final = ["sweeps"]

Directory: TypeAlias = Annotated[
    str | None,
    QueryParameter(
        name="directory",
        max_length=4096,
        pattern="^/",
        description="the project, by its absolute path; the directory in which the server was "
        "started, where it is left out",
    ),
]
SweepId: TypeAlias = Annotated[
    str, PathParameter(pattern=r"^[^./\\\s-][^/\\\s]{0,99}$", description="as it is listed")
]
Metric: TypeAlias = Annotated[
    str, QueryParameter(name="metric", max_length=300, description="other than the specification's")
]
Direction: TypeAlias = Annotated[
    Literal["minimize", "maximize"] | None,
    QueryParameter(name="direction", description="which end of it is best"),
]


def project_of(context: Context, directory: str | None) -> str:
    """The real path of a project. Raises `Wrong`, `NotFound` and `Refused`."""
    if directory is None:
        return os.getcwd()
    if not directory.startswith("/") or "\0" in directory:
        raise Wrong(f"{quote(directory, 200)} is no absolute path", "write it from / on")
    real = os.path.realpath(directory)
    roots = (os.path.expanduser("~"), os.getcwd(), *context.settings.track.roots)
    if not any(_beneath(real, os.path.realpath(root)) for root in roots):
        raise Refused(
            f"{quote(directory, 200)} lies outside the directories that are served",
            "name one beneath the home directory, or list its root in [track] roots",
        )
    if not os.path.isdir(real):
        raise NotFound(f"there is no directory {quote(directory, 200)}", "look at the spelling")
    return real


def _beneath(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _opened(project: str, id: str) -> Sweep:
    """By its id, and never by a path."""
    return open_sweep(check_id(id), project)


async def _look(
    context: Context, directory: str | None, id: str, key: Any, tell: Callable[[Sweep], Document]
) -> Response[Document]:
    def look() -> Document:
        return tell(_opened(project_of(context, directory), id))

    return reply(await shared(context, ("sweep", directory, id, key), look))


@get(
    "/sweeps",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="List the sweeps of a project",
    description="The latest first, as `hpc sweep recent --json` has it. `project` is the directory "
    "that was looked into; another is named by `directory`.",
)
async def recent(
    context: NamedDependency[Context],
    directory: Directory = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 20,
) -> Response[Document]:
    def look() -> Document:
        told, _ = documents.recent(project_of(context, directory), limit)
        return {"schema": SCHEMA, **told}

    return reply(await shared(context, ("sweeps", directory, limit), look))


@get(
    ["/sweeps/{sweep_id:str}", "/sweeps/{sweep_id:str}/status"],
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show how a sweep stands",
    description="As `hpc sweep status --json` has it.",
)
async def status(
    context: NamedDependency[Context], sweep_id: SweepId, directory: Directory = None
) -> Response[Document]:
    return await _look(context, directory, sweep_id, "status", lambda sweep: sweep.status())


@get(
    "/sweeps/{sweep_id:str}/best",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="List the best points of a sweep",
    description="As `hpc sweep best --json` has it.",
)
async def best(
    context: NamedDependency[Context],
    sweep_id: SweepId,
    directory: Directory = None,
    count: Annotated[int, QueryParameter(ge=1, le=1000)] = 10,
    metric: Metric = "",
    direction: Direction = None,
) -> Response[Document]:
    def tell(sweep: Sweep) -> Document:
        found = _report(sweep, metric, direction, count)
        return {"schema": SCHEMA, **documents.best_of(sweep.id, found)}

    return await _look(context, directory, sweep_id, ("best", count, metric, direction), tell)


@get(
    "/sweeps/{sweep_id:str}/report",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show what a sweep came to",
    description="As `hpc sweep report --json` has it.",
)
async def report(
    context: NamedDependency[Context],
    sweep_id: SweepId,
    directory: Directory = None,
    metric: Metric = "",
    direction: Direction = None,
) -> Response[Document]:
    def tell(sweep: Sweep) -> Document:
        return documents.report_of(sweep.id, _report(sweep, metric, direction, 5))

    return await _look(context, directory, sweep_id, ("report", metric, direction), tell)


def _report(sweep: Sweep, metric: str, direction: Any, best: int) -> Any:
    from hpcshell.sweeps.reporting import report

    standings = sweep.standings()
    return report(sweep.spec, standings, metric=metric, direction=direction, best=best)


@get(
    "/sweeps/{sweep_id:str}/errors",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show what points of a sweep failed of",
    description="As `hpc sweep errors --json` has it.",
)
async def errors(
    context: NamedDependency[Context], sweep_id: SweepId, directory: Directory = None
) -> Response[Document]:
    def tell(sweep: Sweep) -> Document:
        from hpcshell.sweeps.errors import errors as grouped

        return {"schema": SCHEMA, **documents.errors_of(sweep.id, grouped(sweep.standings()))}

    return await _look(context, directory, sweep_id, "errors", tell)


# ------------------------------------------------------------------------------------- changing


class SweepCancel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it is to be cancelled."""

    dry_run: bool = False


class Resume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the points go, and what each gets; what is left out is as it was."""

    on: str | None = None
    options: dict[str, Any] = {}
    move: bool = False
    """What waits elsewhere is cancelled there and goes along."""


async def _change(
    request: Asked,
    context: Context,
    directory: str | None,
    id: str,
    act: Callable[[Sweep], Document],
) -> Response[Document]:
    caller = caller_of(request)

    def work() -> Document:
        check_server_owner(caller, f"sweep {quote(id)}")
        return act(_opened(project_of(context, directory), id))

    return await once(request, context, work)


@post(
    "/sweeps/{sweep_id:str}/cancel",
    guards=[needs(JOBS)],
    status_code=200,
    tags=_TAGS,
    summary="Cancel what waits and runs of a sweep",
    description="As `hpc sweep cancel --json`.",
)
async def cancel(
    request: Asked,
    context: NamedDependency[Context],
    sweep_id: SweepId,
    data: JSONBody[SweepCancel | None] = None,
    directory: Directory = None,
) -> Response[Document]:
    dry_run = data is not None and data.dry_run
    return await _change(
        request,
        context,
        directory,
        sweep_id,
        lambda sweep: {"schema": SCHEMA, **documents.cancelled(sweep, dry_run=dry_run)},
    )


@post(
    "/sweeps/{sweep_id:str}/resume",
    guards=[needs(JOBS)],
    status_code=200,
    tags=_TAGS,
    summary="Run what is missing of a sweep or has failed",
    description="As `hpc sweep resume --json`.",
)
async def resume(
    request: Asked,
    context: NamedDependency[Context],
    sweep_id: SweepId,
    data: JSONBody[Resume | None] = None,
    directory: Directory = None,
) -> Response[Document]:
    said = data or Resume()

    def act(sweep: Sweep) -> Document:
        done = sweep.resume(on=said.on, options=said.options, move=said.move)
        return documents.begun(sweep, done)

    return await _change(request, context, directory, sweep_id, act)


handlers: Final[list[Any]] = [recent, status, best, report, errors, cancel, resume]
