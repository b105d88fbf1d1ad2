"""Routes of jobs: submitted, listed, shown and changed."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from litestar import Response, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.enums import RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import BodyKwarg, JSONBody, PathParameter, QueryParameter

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.ids import Ids, Last, select
from hpcshell.core.words import quote
from hpcshell.jobs.doors import Door
from hpcshell.jobs.editing import changes_from
from hpcshell.jobs.opened import door
from hpcshell.track.store.paging import DEFAULT, Place
from hpcshell.web.answers.asking import (
    SCHEMA,
    Document,
    Listing,
    On,
    given,
    reply,
    shared,
    told,
)
from hpcshell.web.answers.paging import paged, place_of
from hpcshell.web.api.queue import Partition, chosen
from hpcshell.web.context import Context
from hpcshell.web.jobs.changing import Asked
from hpcshell.web.jobs.once import once
from hpcshell.web.jobs.owners import check_owner
from hpcshell.web.jobs.submitting import NewJob, submit
from hpcshell.web.requests.listing import Cursor, Limit
from hpcshell.web.security.callers import JOBS, READ, Caller, caller_of, needs

_TAGS: Final = ["jobs"]
WINDOWS: Final = 40
"""So often the daemon is asked on for one page, of some thousand ids each time, before a page that
is not full is given out."""

JobId: TypeAlias = Annotated[
    str,
    PathParameter(
        pattern=r"^[A-Za-z0-9_.:\[\]@~-]{1,200}$",
        description="12, an element 12_3, or @ for the last job; `on` a cluster also its own",
    ),
]
Options: TypeAlias = Annotated[
    dict[str, Any],
    BodyKwarg(
        media_type=RequestEncodingType.JSON,
        schema_extra={"propertyNames": {"pattern": "^[a-z][a-z0-9_-]*$"}, "minProperties": 1},
    ),
]
"""Options of a job by their names."""
DryRun: TypeAlias = Annotated[
    bool, QueryParameter(name="dry_run", description="change nothing, and say what would be")
]


def one_job(text: str, on: str | None) -> str:
    """What names one job or one element, and never several. Raises `Wrong`."""
    if on is not None and on != "local":
        if not re.fullmatch(r"[A-Za-z0-9_.:\[\]@~-]{1,200}", text):
            raise Wrong(f"{quote(text)} is no id of a job", "write it as GET /jobs has it")
        return text
    found = select(text)
    if isinstance(found, Ids) and found.first == found.last and _one(found.indices):
        return text
    if isinstance(found, Last) and _one(found.indices):
        return text
    raise Wrong(
        f"{quote(text)} does not name one job", "write 12, or 12_3; GET /jobs?name= finds names"
    )


def _one(indices: Any) -> bool:
    return indices is None or len(indices) == 1


# ------------------------------------------------------------------------------------- looking


@get(
    "/jobs",
    guards=[needs(READ)],
    dependencies={"filters": Provide(chosen)},
    tags=_TAGS,
    summary="List jobs",
    description="All of them, whether they have ended or not, the latest submitted first. A page "
    "may have fewer rows than `limit` and still have a `next`.",
)
async def every(
    context: NamedDependency[Context],
    filters: NamedDependency[Document],
    on: On = None,
    partition: Partition = None,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> Response[Listing]:
    asked = filters | given(partition=partition)
    whose = {"on": on, **asked}
    place = await place_of(context, "jobs", whose, cursor)

    def ask() -> tuple[Document, Place | None]:
        way = door(on)
        find = _of_cluster if hasattr(way, "page") else _of_daemon
        rows, after = find(way, place, limit, asked)
        return {"schema": SCHEMA, "rows": rows}, after

    return await paged(context, "jobs", whose, place, ask, limit=limit)


def _of_daemon(
    way: Door, place: Place | None, limit: int, asked: Document
) -> tuple[list[Document], Place | None]:
    before = place.id if place is not None else None
    rows: list[Document] = []
    for _ in range(WINDOWS):
        answer = way.call("jobs", limit=limit - len(rows), **given(before=before), **asked)
        rows += answer["rows"]
        before = answer["before"]
        if before is None or len(rows) >= limit:
            break
    return rows, None if before is None else Place(0, None, before)


def _of_cluster(
    way: Door, place: Place | None, limit: int, asked: Document
) -> tuple[list[Document], Place | None]:
    """Of a desk, which has no wire between: all of it is there."""
    found = (
        way.call("queue", limit=0, **asked)["rows"] + way.call("history", limit=0, **asked)["rows"]
    )
    found.sort(key=_rank, reverse=True)
    if place is not None:
        last = (place.value or 0.0, place.id)
        found = [row for row in found if _rank(row) < last]
    rows = found[:limit]
    more = len(found) > limit
    return rows, Place(0, *_rank(rows[-1])) if more else None


def _rank(row: Document) -> tuple[float, int]:
    digits = re.sub(r"[^0-9]", "", str(row["id"])) or "0"
    return row.get("submit_time") or 0.0, int(digits[:15])


@get(
    "/jobs/{job_id:str}",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show a job",
    description="All about it, as `hpc show --json` has it.",
)
async def show(
    context: NamedDependency[Context],
    job_id: JobId,
    on: On = None,
    story: Annotated[bool, QueryParameter(description="also what happened to it, and why")] = False,
) -> Response[Document]:
    named = [one_job(job_id, on)]
    return reply(await told(context, "show", on=on, make=_first, ids=named, story=story))


def _first(answer: Document) -> Document:
    if len(answer["jobs"]) != 1:
        raise Wrong(f"that names {len(answer['jobs'])} jobs", "name one of them")
    job: Document = answer["jobs"][0]
    return job


@get(
    "/jobs/{job_id:str}/explain",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Say why a job waits",
    description="And when it is to start, as `hpc explain --json` has it.",
)
async def explain(
    context: NamedDependency[Context], job_id: JobId, on: On = None
) -> Response[Document]:
    named = [one_job(job_id, on)]

    def ask() -> Document:
        return {"schema": SCHEMA, "jobs": door(on).call("explain", ids=named)["jobs"]}

    return reply(await shared(context, ("explain", on, *named), ask))


# ----------------------------------------------------------------------------------- submitting


@post(
    "/jobs",
    guards=[needs(JOBS)],
    tags=_TAGS,
    summary="Submit jobs",
    description="One, or a list of which all are accepted or none. Each is answered as "
    "`hpc submit --json` does: once its id is told it is on disk. With an `Idempotency-Key` the "
    "same request is never carried out twice.",
)
async def create(
    request: Asked,
    context: NamedDependency[Context],
    data: JSONBody[NewJob | list[NewJob]],
    on: On = None,
    dry_run: DryRun = False,
) -> Response[Document | list[Document]]:
    caller = caller_of(request)
    several = data if isinstance(data, list) else [data]

    def work() -> Document | list[Document]:
        made = submit(caller, several, on, dry_run)
        return made if isinstance(data, list) else made[0]

    return await once(request, context, work, status=200 if dry_run else 201)


# ------------------------------------------------------------------------------------- changing


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it is to be done."""

    dry_run: bool = False


class Cancel(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it is to be cancelled. `signal`: it is sent this instead, and goes on."""

    signal: str | None = None


class Rerun(Change, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it is to be run again. `failed`: of an array only what did not complete."""

    failed: bool = False


def _act(caller: Caller, verb: str, id: str, on: str | None, args: Document) -> Document:
    """The change of one job, by somebody who may."""
    way = door(on)
    jobs = way.call("show", ids=[id])["jobs"]
    if not jobs:
        raise NotFound(f"there is no job {quote(id)}", "GET /jobs lists what there is")
    for job in jobs:
        check_owner(caller, job)
    # by its number, and not by a word that may mean another job by now
    named = id if hasattr(way, "page") else jobs[0]["label"]
    answer = way.call(verb, ids=[named], **args)
    if verb == "rerun" and not args.get("dry_run"):
        from hpcshell.jobs.tending import see_to

        see_to(way)
    return {"schema": SCHEMA, "dry_run": args.get("dry_run", False), **answer}


async def _changed(
    request: Asked, context: Context, verb: str, id: str, on: str | None, args: Document
) -> Response[Document]:
    caller, named = caller_of(request), one_job(id, on)
    return await once(request, context, lambda: _act(caller, verb, named, on, args))


def _verb(verb: str, summary: str) -> HTTPRouteHandler:
    @post(
        f"/jobs/{{job_id:str}}/{verb}",
        guards=[needs(JOBS)],
        status_code=200,
        tags=_TAGS,
        operation_id=f"{verb.title()}Job",
        summary=summary,
        description=f"As `hpc {verb} --json`: `jobs` are those that changed, `unchanged` those "
        "that did not, and why.",
    )
    async def act(
        request: Asked,
        context: NamedDependency[Context],
        job_id: JobId,
        data: JSONBody[Change | None] = None,
        on: On = None,
    ) -> Response[Document]:
        said = data or Change()
        return await _changed(request, context, verb, job_id, on, {"dry_run": said.dry_run})

    return act


@post(
    "/jobs/{job_id:str}/cancel",
    guards=[needs(JOBS)],
    status_code=200,
    tags=_TAGS,
    summary="Cancel a job, or send it a signal",
    description="As `hpc cancel --json`. One that has ended is `unchanged`.",
)
async def cancel(
    request: Asked,
    context: NamedDependency[Context],
    job_id: JobId,
    data: JSONBody[Cancel | None] = None,
    on: On = None,
) -> Response[Document]:
    said = data or Cancel()
    args = given(signal=said.signal) | {"dry_run": said.dry_run}
    return await _changed(request, context, "cancel", job_id, on, args)


@post(
    "/jobs/{job_id:str}/rerun",
    guards=[needs(JOBS)],
    status_code=200,
    tags=_TAGS,
    summary="Submit a job again that has ended",
    description="As `hpc rerun --json`: it becomes a new job.",
)
async def rerun(
    request: Asked,
    context: NamedDependency[Context],
    job_id: JobId,
    data: JSONBody[Rerun | None] = None,
    on: On = None,
) -> Response[Document]:
    said = data or Rerun()
    args = {"failed": said.failed, "dry_run": said.dry_run}
    return await _changed(request, context, "rerun", job_id, on, args)


@patch(
    "/jobs/{job_id:str}",
    guards=[needs(JOBS)],
    tags=_TAGS,
    summary="Change a job that has not ended",
    description="An object of options as `hpc edit` takes them: `time_limit`, `priority`, `tag`, "
    "...; `null` takes one away.",
)
async def edit(
    request: Asked,
    context: NamedDependency[Context],
    job_id: JobId,
    data: Options,
    on: On = None,
    dry_run: DryRun = False,
) -> Response[Document]:
    args = {"changes": changes_from(data), "dry_run": dry_run}
    return await _changed(request, context, "edit", job_id, on, args)


_VERBS: Final = {
    "hold": "Keep a job from starting",
    "release": "Let a held job start",
    "suspend": "Let a running job stand still",
    "resume": "Let a suspended job go on",
    "requeue": "Put a running job back into the queue",
}
handlers: Final[list[Any]] = [
    every,
    show,
    explain,
    create,
    cancel,
    rerun,
    edit,
    *(_verb(verb, summary) for verb, summary in _VERBS.items()),
]
