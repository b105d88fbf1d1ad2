"""Routes of files: artifacts and checkpoints of runs, uploaded or named where they lie."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from sqlalchemy import Connection

from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.words import quote
from hpcshell.machine import clock
from hpcshell.machine.beneath import open_beneath
from hpcshell.track.artifacts import Stored
from hpcshell.track.records import SCHEMA, Document, File
from hpcshell.track.store import files, runs, texts
from hpcshell.track.store.paging import DEFAULT, MOST
from hpcshell.web.answers.downloads import download
from hpcshell.web.context import Context
from hpcshell.web.jobs.changing import Asked, changed, own_run
from hpcshell.web.openapi import ANSWERS
from hpcshell.web.requests.addresses import RunId, tail
from hpcshell.web.requests.bodies import takes
from hpcshell.web.requests.stated import PATH, Count, Whole, stated
from hpcshell.web.requests.uploads import uploaded
from hpcshell.web.security.callers import READ, TRACK, caller_of, needs

_TAGS: Final = ["files"]
Kind = Literal["artifact", "checkpoint"]


NAMED: Final = PATH + "|^/"


class NamedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file on shared storage, which stays where it is."""

    uri: Annotated[str, stated(minLength=1, maxLength=texts.LONGEST_URI)] | None = None
    """Where it lies: a path, or a URL of whatever keeps it."""
    path: Annotated[str, stated(maxLength=texts.LONGEST_URI, pattern=NAMED)] | None = None
    """Its name within the run; the last part of `uri`, where it is left out. One that begins with
    `/` is where it lies."""
    kind: Kind | None = None
    step: Whole | None = None
    size: Count | None = None
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None


class Files(Document, frozen=True, kw_only=True):
    """A page of a run's files by their paths."""

    schema: int = SCHEMA
    rows: list[File]
    next: str | None = None


@get(
    "/runs/{run_id:str}/artifacts",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="List the files of a run",
    description="Artifacts and checkpoints, by their paths.",
)
async def listed(
    context: NamedDependency[Context],
    run_id: RunId,
    under: Annotated[
        str, QueryParameter(max_length=1000, description="a directory: only files beneath it")
    ] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=MOST)] = DEFAULT,
    cursor: Annotated[str, QueryParameter(max_length=1000)] = "",
) -> Files:
    page = await context.read(
        lambda connection: files.page(connection, run_id, under=under, limit=limit, after=cursor)
    )
    return Files(rows=page.rows, next=page.next)


@post(
    "/runs/{run_id:str}/artifacts",
    guards=[needs(TRACK)],
    tags=_TAGS,
    summary="Name a file on shared storage",
    description="Nothing is copied. It can be downloaded where it lies beneath one of [track] "
    "roots. 409 where a file was uploaded under this path.",
)
async def name(
    request: Asked, context: NamedDependency[Context], run_id: RunId, data: JSONBody[NamedFile]
) -> Response[File]:
    return await _named(request, context, run_id, data, data.kind or "artifact")


@post(
    "/runs/{run_id:str}/checkpoints",
    guards=[needs(TRACK)],
    tags=_TAGS,
    summary="Name a checkpoint on shared storage",
    description="As an artifact of the kind `checkpoint`, with its step.",
)
async def checkpoint(
    request: Asked, context: NamedDependency[Context], run_id: RunId, data: JSONBody[NamedFile]
) -> Response[File]:
    return await _named(request, context, run_id, data, data.kind or "checkpoint")


async def _named(
    request: Asked, context: Context, run_id: str, data: NamedFile, kind: str
) -> Response[File]:
    caller = caller_of(request)
    uri, path = _place(data)

    def work(connection: Connection, now: float) -> File:
        own_run(connection, caller, run_id)
        file = File(
            run_id=run_id,
            path=path,
            kind=kind,
            uri=uri,
            size=data.size,
            sha256=data.sha256,
            step=data.step,
            created_at=now,
        )
        return files.put(connection, file, now)

    return await changed(request, context, work)


def _place(data: NamedFile) -> tuple[str, str]:
    """Where it lies, and its name within the run. Raises `Wrong`."""
    uri, path = data.uri, data.path or ""
    if path.startswith("/") and uri in (None, path):
        uri, path = path, ""
    if not uri and path:
        raise Wrong(
            f"{quote(path, 200)} is relative, and nothing says to what",
            f'send where the file lies, from / on: {{"uri": "/shared/{path}"}}',
        )
    if not uri:
        raise Wrong("nothing says where the file lies", 'send {"uri": "/shared/best.pt"}')
    return uri, path or uri.rstrip("/").rpartition("/")[2]


# -------------------------------------------------------------------------------------- uploads


@put(
    "/runs/{run_id:str}/artifacts/{path:path}",
    guards=[needs(TRACK)],
    status_code=201,
    operation_class=takes("application/octet-stream", "the file, as it is"),
    tags=_TAGS,
    summary="Upload a file",
    description="The body is the file, of any kind; it takes the place of one of the same path. "
    "What is answered is on disk. Archives are kept as they are.",
)
async def upload(
    request: Asked,
    context: NamedDependency[Context],
    run_id: RunId,
    kind: FromQuery[Kind] = "artifact",
    step: Annotated[int | None, QueryParameter(ge=-(2**63), le=2**63 - 1)] = None,
) -> Response[File]:
    caller, path = caller_of(request), files.path_of(tail(request, "artifacts"))

    def allowed(connection: Connection) -> None:
        own_run(connection, caller, run_id)
        runs.require_live(connection, run_id)

    def keep(stored: Stored) -> File:
        file = File(
            run_id=run_id,
            path=path,
            kind=kind,
            size=stored.size,
            sha256=stored.sha256,
            step=step,
            created_at=clock.now(),
        )
        return context.store.change(lambda connection: files.put(connection, file, file.created_at))

    await context.read(allowed)
    return Response(await uploaded(request, context, run_id, path, keep), status_code=201)


# ------------------------------------------------------------------------------------ downloads


@get(
    "/runs/{run_id:str}/artifacts/{path:path}",
    guards=[needs(READ)],
    opt={ANSWERS: ("application/octet-stream", "text/plain")},
    media_type="application/octet-stream",
    tags=_TAGS,
    summary="Download a file",
    description="To be saved, never shown: text/plain for logs and the like, bytes for all else. "
    "Understands `Range` and `If-None-Match`.",
)
async def fetch(request: Asked, context: NamedDependency[Context], run_id: RunId) -> Response[Any]:
    return await sent(request, context, run_id, tail(request, "artifacts"))


async def sent(request: Asked, context: Context, run_id: str, path: str) -> Response[Any]:
    """A file of a run's as an answer, wherever it lies. Raises `NotFound` or `Refused`."""
    file = await context.read(lambda connection: files.show(connection, run_id, path))
    if file.uri is None:
        descriptor = await context.work(context.artifacts.open, run_id, path)
        return download(request.headers, context, descriptor, path, f'"{file.sha256}"')
    roots = context.settings.track.roots
    descriptor = await context.work(open_named, roots, file.uri)
    return download(request.headers, context, descriptor, path)


def open_named(roots: tuple[str, ...], uri: str) -> int:
    """A descriptor of a file on shared storage. Raises `NotFound` or `Refused`."""
    path = uri.removeprefix("file://")
    for root in roots:
        top = root.rstrip("/") + "/"
        if path.startswith(top) and len(path) > len(top):
            return open_beneath(root, path[len(top) :])
    raise Refused(
        f"the file lies at {quote(uri, 200)}, which is not read from here",
        "copy it from there, or name its directory in [track] roots",
    )


@delete(
    "/runs/{run_id:str}/artifacts/{path:path}",
    guards=[needs(TRACK)],
    status_code=200,
    tags=_TAGS,
    summary="Delete a file",
    description="For good, if it was uploaded; a file on shared storage stays where it is.",
)
async def remove(request: Asked, context: NamedDependency[Context], run_id: RunId) -> File:
    caller, path = caller_of(request), tail(request, "artifacts")

    def forget(connection: Connection) -> File:
        own_run(connection, caller, run_id)
        file = files.show(connection, run_id, path)
        files.drop(connection, run_id, path, clock.now())
        return file

    def work() -> File:
        with context.artifacts.placing:
            file = context.store.change(forget)
            if file.uri is None:
                context.artifacts.remove(run_id, path)
            return file

    return await context.work(work)


handlers: Final[list[Any]] = [listed, name, checkpoint, upload, fetch, remove]
