"""Artifacts as MLflow's client uploads, lists and downloads them: through this server.

    mlflow-artifacts:/EXPERIMENT/RUN/artifacts/PATH             files of a run, as in our own API
    mlflow-artifacts:/EXPERIMENT/models/MODEL/artifacts/PATH    files of a logged model

The experiment in such an address is not looked at: a run says itself which it belongs to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from sqlalchemy import Connection

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.words import quote
from hpcshell.machine import clock
from hpcshell.machine.beneath import directory, directory_beneath
from hpcshell.track.artifacts import Artifacts, Stored
from hpcshell.track.records import File
from hpcshell.track.store import files, models, runs
from hpcshell.track.store.paging import MOST
from hpcshell.web.answers.downloads import download
from hpcshell.web.api.files import sent
from hpcshell.web.context import Context
from hpcshell.web.jobs.changing import own_run
from hpcshell.web.mlflow import asked, told
from hpcshell.web.mlflow.calls import By, reads
from hpcshell.web.mlflow.calls import told as answered
from hpcshell.web.mlflow.models import owned
from hpcshell.web.mlflow.problems import Disabled, NotImplementedHere
from hpcshell.web.requests.addresses import tail
from hpcshell.web.requests.uploads import uploaded
from hpcshell.web.security.callers import READ, TRACK, caller_of, needs

Call = Request[Any, Any, Any]
MULTIPART: Final = "Multipart upload is not supported for the current artifact repository"
"""Words by which the client knows that it has to send the file as one."""
PRESIGNED: Final = "Presigned download is not supported for the current artifact repository"
_RUN: Final = re.compile(r"[0-9a-f]{32}")
_MODEL: Final = re.compile(r"m-[0-9a-f]{32}")


class Place(NamedTuple):
    """A file or directory of a run or of a model; `path` is empty for all that it has."""

    owner: str
    path: str

    @property
    def of_model(self) -> bool:
        """Whether a model has it."""
        return _MODEL.fullmatch(self.owner) is not None


class FileTold(msgspec.Struct, omit_defaults=True):
    path: str
    is_dir: bool
    file_size: int | None = None


class Listed(msgspec.Struct, omit_defaults=True):
    files: list[FileTold]
    root_uri: str = ""


def place_of(address: str) -> Place:
    """What an address names. Raises `Disabled`, `NotFound` or `Wrong`."""
    match address.strip("/").split("/"):
        case [_, "models", model, "artifacts", *rest] if _MODEL.fullmatch(model):
            place = Place(model, "/".join(rest))
        case [_, run, "artifacts", *rest] if _RUN.fullmatch(run):
            place = Place(run, "/".join(rest))
        case [_, "traces", *_]:
            raise Disabled("traces of MLflow are not kept here", "turn tracing off")
        case _:
            raise NotFound(f"{quote(address)} is nothing of a run or a model", "log it with a run")
    if place.path:
        files.path_of(place.path)
    return place


# -------------------------------------------------------------------------------------- listing


def _listed(connection: Connection, place: Place) -> list[FileTold]:
    """What a directory of a run holds, by name; nothing where there is no such directory."""
    found: dict[str, FileTold] = {}
    for file in _beneath(connection, place):
        name, slash, _ = file.path[len(place.path) :].lstrip("/").partition("/")
        found.setdefault(name, FileTold(name, bool(slash), None if slash else file.size))
    return list(found.values())


def _beneath(connection: Connection, place: Place) -> Iterator[File]:
    """All files of a run beneath a directory."""
    after = ""
    while True:
        page = files.page(connection, place.owner, under=place.path, limit=MOST, after=after)
        yield from page.rows
        if page.next is None:
            return
        after = page.next


def _on_disk(artifacts: Artifacts, place: Place) -> Iterator[FileTold]:
    parts = (place.owner, *filter(None, place.path.split("/")))
    try:
        with directory(artifacts.root) as top, directory_beneath(top, parts) as here:
            for entry in os.scandir(here):
                plain = entry.is_file(follow_symlinks=False)
                size = entry.stat(follow_symlinks=False).st_size if plain else None
                yield FileTold(entry.name, not plain, size)
    except NotFound:
        return


@get("/artifacts", guards=[needs(READ)], include_in_schema=False)
async def listing(request: Call, context: NamedDependency[Context]) -> Response[bytes]:
    """Files and directories, named from the directory that is asked for."""
    place = place_of(asked.given(request.query_params.get("path", ""), "path"))
    if place.of_model:
        await context.read(lambda connection: models.show(connection, place.owner))
        found = await context.work(lambda: sorted(_on_disk(context.artifacts, place), key=_name))
    else:
        found = await context.read(lambda connection: _listed(connection, place))
    return answered(Listed(found))


def _name(file: FileTold) -> str:
    return file.path


def _of_run(connection: Connection, said: asked.ListArtifacts) -> Listed:
    row = runs.show(connection, said.run)
    place = Place(row.run_id, files.path_of(said.path) if said.path else "")
    front = f"{said.path}/" if said.path else ""
    found = [
        msgspec.structs.replace(each, path=front + each.path) for each in _listed(connection, place)
    ]
    return Listed(found, told.artifact_uri(row.experiment_id, row.run_id))


# ------------------------------------------------------------------------------------ the files


def _allow(connection: Connection, place: Place, by: By) -> None:
    """Raises `NotFound` or `Refused` where the caller may not change it."""
    if place.of_model:
        owned(connection, asked.OneModel(model_id=place.owner), by)
    else:
        own_run(connection, by.caller, place.owner)
        runs.require_live(connection, place.owner)


def _named(request: Call) -> Place:
    place = place_of(tail(request, "artifacts"))
    if not place.path:
        raise Wrong("the path of a file is missing", "name a file")
    return place


@put("/artifacts/{path:path}", guards=[needs(TRACK)], status_code=200, include_in_schema=False)
async def upload(request: Call, context: NamedDependency[Context]) -> Response[bytes]:
    """Take a file in; it replaces the one of the same path."""
    place, by = _named(request), By(caller_of(request), clock.now())
    await context.read(lambda connection: _allow(connection, place, by))

    def keep(stored: Stored) -> None:
        if not place.of_model:
            size, digest = stored.size, stored.sha256
            file = File(
                run_id=place.owner, path=place.path, size=size, sha256=digest, created_at=by.now
            )
            context.store.change(lambda connection: files.put(connection, file, by.now))

    await uploaded(request, context, place.owner, place.path, keep)
    return answered(None)


@get(
    "/artifacts/{path:path}",
    guards=[needs(READ)],
    media_type="application/octet-stream",
    include_in_schema=False,
)
async def fetch(request: Call, context: NamedDependency[Context]) -> Response[Any]:
    """The bytes of a file."""
    place = _named(request)
    if not place.of_model:
        return await sent(request, context, place.owner, place.path)
    await context.read(lambda connection: models.show(connection, place.owner))
    descriptor = await context.work(context.artifacts.open, place.owner, place.path)
    return download(request.headers, context, descriptor, place.path)


@delete("/artifacts/{path:path}", guards=[needs(TRACK)], status_code=200, include_in_schema=False)
async def remove(request: Call, context: NamedDependency[Context]) -> Response[bytes]:
    """Delete a file, or all beneath a directory."""
    place, by = place_of(tail(request, "artifacts")), By(caller_of(request), clock.now())
    await context.read(lambda connection: _allow(connection, place, by))
    await context.work(_removed, context, place, by)
    return answered(None)


def _removed(context: Context, place: Place, by: By) -> None:
    def forget(connection: Connection) -> list[File]:
        gone = list(_beneath(connection, place))
        if place.path and not gone:
            gone = [files.show(connection, place.owner, place.path)]
        for file in gone:
            files.drop(connection, place.owner, file.path, by.now)
        return gone

    artifacts = context.artifacts
    with artifacts.placing:
        if place.of_model:
            gone = list(_files_of_model(artifacts, place))
        else:
            gone = [file.path for file in context.store.change(forget) if file.uri is None]
        for path in gone:
            artifacts.remove(place.owner, path)


def _files_of_model(artifacts: Artifacts, place: Place) -> Iterator[str]:
    """All files beneath a directory of a model; the file itself, where it is one."""
    found = list(_on_disk(artifacts, place))
    if not found and place.path:
        yield place.path
    for each in found:
        path = f"{place.path}/{each.path}".lstrip("/")
        if each.is_dir:
            yield from _files_of_model(artifacts, Place(place.owner, path))
        else:
            yield path


# ------------------------------------------------------------------- what the client can do without


@post(
    ["/mpu/create/{path:path}", "/mpu/complete/{path:path}", "/mpu/abort/{path:path}"],
    guards=[needs(TRACK)],
    status_code=200,
    include_in_schema=False,
)
async def multipart() -> None:
    """Uploads in parts."""
    raise NotImplementedHere(MULTIPART, "send the file as one: it may have any size")


@get("/presigned/{path:path}", guards=[needs(READ)], include_in_schema=False)
async def presigned() -> None:
    """Addresses of files elsewhere."""
    raise NotImplementedHere(PRESIGNED, "download the file from here")


proxy: Final[list[Any]] = [listing, upload, fetch, remove, multipart, presigned]
tracking: Final[list[Any]] = [reads("GET", "/artifacts/list", asked.ListArtifacts, _of_run)]
