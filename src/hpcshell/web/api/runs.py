"""Routes of runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, TypeAlias

import msgspec
from litestar import HttpMethod, Response, delete, get, patch, post, route
from litestar.di import NamedDependency, Provide
from litestar.enums import RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import BodyKwarg, JSONBody
from sqlalchemy import Connection

from hpcshell.core.errors import Wrong
from hpcshell.track.joining.refs import ref_of
from hpcshell.track.records import SCHEMA, Document, Run
from hpcshell.track.store import experiments, runs, texts
from hpcshell.track.store.jobs import JobRef, Prices
from hpcshell.track.store.paging import Wanted
from hpcshell.web.answers.asking import read
from hpcshell.web.context import Context
from hpcshell.web.jobs.changing import Asked, changed, own_run
from hpcshell.web.requests.addresses import Id, RunId, number_of
from hpcshell.web.requests.listing import asked
from hpcshell.web.requests.pairs import parted, texts_of
from hpcshell.web.requests.request import Tolerant
from hpcshell.web.requests.stated import (
    LARGEST_ELEMENT,
    NAMES,
    Code,
    Element,
    JobId,
    Kind,
    MaybeJobId,
    MaybeRunKey,
    Pairs,
    Status,
    Text,
    Time,
    Whole,
    Word,
    example,
)
from hpcshell.web.security.callers import READ, TRACK, caller_of, needs

_TAGS: Final = ["runs"]
Named: TypeAlias = Annotated[
    dict[str, Any],
    BodyKwarg(
        media_type=RequestEncodingType.JSON, schema_extra=NAMES | {"examples": [{"lr": 0.1}]}
    ),
]
"""Names and values."""


class NamedJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The job that a run is."""

    ALSO: ClassVar = example(kind="slurm", id="1234", cluster="mycluster")

    kind: Kind
    id: JobId
    cluster: Word | None = None
    element: Element | None = None
    """Of an array."""


class RunToMake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run that begins; it is the caller's. All of it may be left out."""

    ALSO: ClassVar = example(
        name="baseline", seed=1, config={"optimizer": {"lr": 0.1}}, tags={"gpu": "a100"}
    )

    run_id: MaybeRunKey | None = None
    """32 hexadecimal digits, where the client makes ids: the same one again is the same run."""
    name: Word | None = None
    seed: Whole | None = None
    config: dict[str, Any] | None = None
    """Any object. Its leaves become parameters: `optimizer.lr`."""
    params: Pairs | None = None
    tags: Pairs | None = None
    note: Text | None = None
    host: Word | None = None
    parent_run_id: MaybeRunKey | None = None
    status: Status | None = None
    started_at: Time | None = None
    job: NamedJob | None = None
    cluster: Word | None = None
    """Of the job that the next fields name."""
    element: Element | None = None
    slurm_job_id: MaybeJobId | None = None
    pbs_job_id: MaybeJobId | None = None
    lsf_job_id: MaybeJobId | None = None
    sge_job_id: MaybeJobId | None = None
    local_job_id: MaybeJobId | None = None


class RunChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed: what is left out stays. A tag that is `null` is taken away."""

    ALSO: ClassVar[dict[str, Any]] = example(note="the best so far", tags={"keep": "yes"}) | {
        "anyOf": [
            {"required": ["status"], "properties": {"status": {"type": "string"}}},
            {"properties": {"reason": {"type": "null"}, "exit_code": {"type": "null"}}},
        ]
    }

    name: Word | None = None
    note: Text | None = None
    status: Status | None = None
    reason: Text | None = None
    """Of the status."""
    exit_code: Code | None = None
    """With a status."""
    tags: Pairs = {}
    params: Pairs = {}


class Standing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a run stands."""

    ALSO: ClassVar = example(status="COMPLETED", exit_code=0)

    status: Status
    """Ours, or what others say: FINISHED, killed, ..."""
    reason: Text | None = None
    exit_code: Code | None = None
    time: Time | None = None
    """Since when, Unix seconds; now, where it is left out."""


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words about a run."""

    ALSO: ClassVar = example(note="the best so far")

    note: Text


class Runs(Document, frozen=True, kw_only=True):
    """A page of them."""

    schema: int = SCHEMA
    rows: list[Run]
    next: str | None = None
    """The `cursor` of the next page; `null`: this is the last."""


def prices(context: Context) -> Prices:
    """What an hour of one costs here."""
    return Prices(context.settings.track.cpu_hour, context.settings.track.gpu_hour)


@post(
    "/experiments/{id:str}/runs",
    guards=[needs(TRACK)],
    request_class=Tolerant,
    tags=_TAGS,
    summary="Begin a run",
    description="Answers with the run and its `run_id`. A run has one job at most: it is named by "
    "`job`, or by a field such as `slurm_job_id`.",
)
async def begin(
    request: Asked, context: NamedDependency[Context], id: Id, data: JSONBody[RunToMake]
) -> Response[Run]:
    caller = caller_of(request)
    new = _new(number_of(id), caller.user, data)

    def work(connection: Connection, now: float) -> Run:
        run = runs.create(connection, new, now)
        own_run(connection, caller, run.run_id)  # the id may be one of another's
        if data.note:
            runs.update(connection, run.run_id, note=data.note, now=now)
        return runs.show(connection, run.run_id, prices(context))

    return await changed(request, context, work)


def _new(experiment_id: int, user: str, data: RunToMake) -> runs.NewRun:
    return runs.NewRun(
        experiment_id=experiment_id,
        run_id=data.run_id,
        name=data.name or "",
        user=user,
        host=data.host or "",
        seed=data.seed,
        config=data.config or {},
        params=texts_of(data.params),
        tags=texts_of(data.tags),
        parent_run_id=data.parent_run_id,
        status=data.status or "RUNNING",
        started_at=data.started_at,
        job=_job_of(data),
    )


def _job_of(data: RunToMake) -> JobRef | None:
    """Raises `Wrong`, also for what stands beside no job."""
    texts.word(data.cluster or "", "cluster")
    if data.element is not None and not 0 <= data.element <= LARGEST_ELEMENT:
        raise Wrong(f"{data.element} is no element of an array", "write 0 or more")
    return ref_of(msgspec.to_builtins(data))


@get(
    "/experiments/{id:str}/runs",
    guards=[needs(READ)],
    dependencies={"wanted": Provide(asked)},
    tags=_TAGS,
    summary="List the runs of an experiment",
    description="Pages of them; see `GET /runs`.",
)
async def of_experiment(
    context: NamedDependency[Context], id: Id, wanted: NamedDependency[Wanted]
) -> Response[Runs]:
    return await _page(context, msgspec.structs.replace(wanted, experiments=(number_of(id),)))


@get(
    "/runs",
    guards=[needs(READ)],
    dependencies={"wanted": Provide(asked)},
    tags=_TAGS,
    summary="List runs",
    description="Pages of them, each with its parameters, tags, last metrics and job. `filter` and "
    "`sort` name columns, `metrics.NAME`, `params.NAME`, `tags.NAME` and `job.COLUMN`.",
)
async def every(
    context: NamedDependency[Context], wanted: NamedDependency[Wanted]
) -> Response[Runs]:
    return await _page(context, wanted)


async def _page(context: Context, wanted: Wanted) -> Response[Runs]:
    def work(connection: Connection) -> Runs:
        for id in wanted.experiments:
            experiments.exists(connection, id)
        page = runs.page(connection, wanted, prices(context))
        return Runs(rows=page.rows, next=page.next)

    return await read(context, ("runs", wanted), work)


@get(
    "/runs/{run_id:str}",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show a run",
    description="Deleted ones, too: `deleted_at` says so.",
)
async def show(context: NamedDependency[Context], run_id: RunId) -> Run:
    return await context.read(lambda connection: runs.show(connection, run_id, prices(context)))


# -------------------------------------------------------------------------------------- changes

Change = Callable[[Connection, float], None]


async def _change(request: Asked, context: Context, run_id: str, work: Change) -> Response[Run]:
    """Change a run of the caller's, and answer with it as it is then."""
    caller = caller_of(request)

    def whole(connection: Connection, now: float) -> Run:
        own_run(connection, caller, run_id)
        work(connection, now)
        return runs.show(connection, run_id, prices(context))

    return await changed(request, context, whole, status=200)


@patch(
    "/runs/{run_id:str}",
    guards=[needs(TRACK)],
    request_class=Tolerant,
    tags=_TAGS,
    summary="Change a run",
    description="Changes what is given, all of it or nothing. Others' runs are changed by "
    "operators.",
)
async def change(
    request: Asked, context: NamedDependency[Context], run_id: RunId, data: JSONBody[RunChange]
) -> Response[Run]:
    return await _change(
        request, context, run_id, lambda connection, now: _apply(connection, now, run_id, data)
    )


def _apply(connection: Connection, now: float, run_id: str, data: RunChange) -> None:
    if data.status is None and (data.reason is not None or data.exit_code is not None):
        raise Wrong("a reason and an exit code are those of a status", "say the status, too")
    runs.update(connection, run_id, name=data.name, note=data.note, now=now)
    if data.params:
        runs.set_params(connection, run_id, texts_of(data.params), now)
    if data.tags:
        _tag(connection, run_id, data.tags, now)
    if data.status is not None:
        runs.set_status(
            connection,
            run_id,
            data.status,
            reason=data.reason,
            exit_code=data.exit_code,
            now=now,
        )


def _tag(connection: Connection, run_id: str, tags: dict[str, Any], now: float) -> None:
    written, dropped = parted(tags)
    runs.set_tags(connection, run_id, written, now)
    for key in dropped & runs.show(connection, run_id).tags.keys():
        runs.drop_tag(connection, run_id, key, now)


@delete(
    "/runs/{run_id:str}",
    guards=[needs(TRACK)],
    status_code=200,
    tags=_TAGS,
    summary="Delete a run",
    description="It can be restored for as long as [track] keep_deleted says. Deleting it again "
    "does nothing.",
)
async def remove(request: Asked, context: NamedDependency[Context], run_id: RunId) -> Response[Run]:
    return await _change(
        request, context, run_id, lambda connection, now: runs.delete(connection, run_id, now)
    )


@post(
    "/runs/{run_id:str}/restore",
    guards=[needs(TRACK)],
    status_code=200,
    tags=_TAGS,
    summary="Bring a deleted run back",
    description="403 where its experiment is deleted: restore that.",
)
async def restore(
    request: Asked, context: NamedDependency[Context], run_id: RunId
) -> Response[Run]:
    return await _change(
        request, context, run_id, lambda connection, now: runs.restore(connection, run_id, now)
    )


@post(
    "/runs/{run_id:str}/heartbeat",
    guards=[needs(TRACK)],
    status_code=200,
    tags=_TAGS,
    summary="Say that a run lives",
    description="One that has said nothing for as long as [track] lost_after says is LOST.",
)
async def heartbeat(
    request: Asked, context: NamedDependency[Context], run_id: RunId
) -> Response[Run]:
    return await _change(
        request, context, run_id, lambda connection, now: runs.heartbeat(connection, run_id, now)
    )


def _both_ways(path: str, summary: str, description: str) -> Callable[[Any], HTTPRouteHandler]:
    """A route by PUT and by POST: what is sent twice is the same either way."""
    return route(
        path,
        http_method=[HttpMethod.PUT, HttpMethod.POST],
        guards=[needs(TRACK)],
        request_class=Tolerant,
        status_code=200,
        tags=_TAGS,
        summary=summary,
        description=description,
    )


@_both_ways(
    "/runs/{run_id:str}/status",
    "Say how a run stands",
    "One that has ended takes what comes late: metrics, and another status.",
)
async def status(
    request: Asked, context: NamedDependency[Context], run_id: RunId, data: JSONBody[Standing]
) -> Response[Run]:
    def work(connection: Connection, now: float) -> None:
        runs.set_status(
            connection,
            run_id,
            data.status,
            time=data.time,
            reason=data.reason,
            exit_code=data.exit_code,
            now=now,
        )

    return await _change(request, context, run_id, work)


@_both_ways(
    "/runs/{run_id:str}/params",
    "Say what a run ran with",
    "An object of names and values. A parameter never changes: 409 where it has another value.",
)
async def params(
    request: Asked, context: NamedDependency[Context], run_id: RunId, data: Named
) -> Response[Run]:
    given = texts_of(_bare(data, "params"))
    return await _change(
        request,
        context,
        run_id,
        lambda connection, now: runs.set_params(connection, run_id, given, now),
    )


@_both_ways(
    "/runs/{run_id:str}/tags",
    "Tag a run",
    "An object of names and values, which are written over what there is; `null` takes one away.",
)
async def tags(
    request: Asked, context: NamedDependency[Context], run_id: RunId, data: Named
) -> Response[Run]:
    given = _bare(data, "tags")
    return await _change(
        request, context, run_id, lambda connection, now: _tag(connection, run_id, given, now)
    )


def _bare(names: dict[str, Any], word: str) -> dict[str, Any]:
    """They may be wrapped, as `metrics` may be: `{"params": {"lr": 0.1}}`."""
    inner = names.get(word)
    return inner if len(names) == 1 and isinstance(inner, dict) else names


@_both_ways("/runs/{run_id:str}/note", "Write a note about a run", "In place of the one it has.")
async def note(
    request: Asked, context: NamedDependency[Context], run_id: RunId, data: JSONBody[Note]
) -> Response[Run]:
    return await _change(
        request,
        context,
        run_id,
        lambda connection, now: runs.update(connection, run_id, note=data.note, now=now),
    )


@_both_ways(
    "/runs/{run_id:str}/job",
    "Say which job a run is",
    "The job of a scheduler; it need not be known yet.",
)
async def job(
    request: Asked, context: NamedDependency[Context], run_id: RunId, data: JSONBody[NamedJob]
) -> Response[Run]:
    named = ref_of({"job": msgspec.to_builtins(data)})
    assert named is not None
    return await _change(
        request, context, run_id, lambda connection, now: runs.link(connection, run_id, named, now)
    )


handlers: Final[list[Any]] = [
    *(begin, of_experiment, every, show, change, remove, restore, heartbeat),
    *(status, params, tags, note, job),
]
