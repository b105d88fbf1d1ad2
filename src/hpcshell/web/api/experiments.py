"""Routes of experiments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from sqlalchemy import Connection

from hpcshell.core.errors import Refused
from hpcshell.track.records import SCHEMA, Document, Experiment
from hpcshell.track.store import experiments, texts
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.paging import Wanted
from hpcshell.web.answers.asking import read
from hpcshell.web.context import Context
from hpcshell.web.jobs.changing import Asked, changed, own_experiment
from hpcshell.web.requests.addresses import Id, number_of
from hpcshell.web.requests.listing import asked
from hpcshell.web.requests.pairs import parted, texts_of
from hpcshell.web.requests.request import Tolerant
from hpcshell.web.requests.stated import Name, Pairs, Text, Word, example
from hpcshell.web.security.callers import OPERATE, READ, TRACK, caller_of, needs

_TAGS: Final = ["experiments"]
_DELETED: Final = "What is deleted can be restored for as long as [track] keep_deleted says."


class NewExperiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An experiment that is to be made; it is the caller's."""

    ALSO: ClassVar = example(name="resnet", description="depth and rate", tags={"team": "vision"})

    name: Name
    description: Text = ""
    tags: Pairs = {}
    """Texts; numbers and the like become some."""


class ExperimentChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed: what is left out stays. A tag that is `null` is taken away."""

    ALSO: ClassVar = example(description="depth, rate and width", tags={"team": None})

    name: Name | None = None
    description: Text | None = None
    owner: Word | None = None
    """Only an operator gives an experiment to somebody else."""
    tags: Pairs = {}


class Experiments(Document, frozen=True, kw_only=True):
    """A page of them."""

    schema: int = SCHEMA
    rows: list[Experiment]
    next: str | None = None
    """The `cursor` of the next page; `null`: this is the last."""


@post(
    "/experiments",
    guards=[needs(TRACK)],
    request_class=Tolerant,
    responses={200: ResponseSpec(Experiment, description="the one that there was")},
    tags=_TAGS,
    summary="Make an experiment",
    description="Answers with the experiment and its `id`. Where the name is taken: 409, or, with "
    "`?existing=true`, 200 and the experiment that there is, as it is: for scripts that run more "
    "than once.",
)
async def make(
    request: Asked,
    context: NamedDependency[Context],
    data: JSONBody[NewExperiment],
    existing: Annotated[bool, QueryParameter(description="answer with the one there is")] = False,
) -> Response[Experiment]:
    owner = caller_of(request).user
    # What is wrong is, also where there is one already.
    tags = texts.pairs(texts_of(data.tags), "tag")
    description = texts.kept(data.description, "description")

    def work(connection: Connection, now: float) -> Experiment:
        return experiments.create(
            connection,
            data.name,
            description=description,
            owner=owner,
            tags=tags,
            now=now,
        )

    def find(connection: Connection) -> Experiment | None:
        return experiments.named(connection, data.name)

    if existing and (there := await context.read(find)) is not None:
        return Response(there, status_code=200)
    try:
        return await changed(request, context, work)
    except Exists:
        if existing and (there := await context.read(find)) is not None:
            return Response(there, status_code=200)  # somebody else was quicker
        raise


@get(
    "/experiments",
    guards=[needs(READ)],
    dependencies={"wanted": Provide(asked)},
    tags=_TAGS,
    summary="List experiments",
    description="Pages of them. `filter` and `sort` name columns and `tags.NAME`: "
    "`?filter=name = 'fit'` finds one by its name.",
)
async def every(
    context: NamedDependency[Context], wanted: NamedDependency[Wanted]
) -> Response[Experiments]:
    def work(connection: Connection) -> Experiments:
        page = experiments.page(connection, wanted)
        return Experiments(rows=page.rows, next=page.next)

    return await read(context, ("experiments", wanted), work)


@get(
    "/experiments/{id:str}",
    guards=[needs(READ)],
    tags=_TAGS,
    summary="Show an experiment",
    description="Deleted ones, too: `deleted_at` says so.",
)
async def show(context: NamedDependency[Context], id: Id) -> Experiment:
    return await context.read(lambda connection: experiments.show(connection, number_of(id)))


# -------------------------------------------------------------------------------------- changes

Change = Callable[[Connection, float], None]


async def _change(
    request: Asked, context: Context, number: int, work: Change
) -> Response[Experiment]:
    """Change an experiment of the caller's, and answer with it as it is then."""
    caller = caller_of(request)

    def whole(connection: Connection, now: float) -> Experiment:
        own_experiment(connection, caller, number)
        work(connection, now)
        return experiments.show(connection, number)

    return await changed(request, context, whole, status=200)


@patch(
    "/experiments/{id:str}",
    guards=[needs(TRACK)],
    request_class=Tolerant,
    tags=_TAGS,
    summary="Change an experiment",
    description="Changes what is given. Others' experiments are changed by operators.",
)
async def change(
    request: Asked, context: NamedDependency[Context], id: Id, data: JSONBody[ExperimentChange]
) -> Response[Experiment]:
    number = number_of(id)
    if data.owner is not None and not caller_of(request).may(OPERATE):
        raise Refused("an experiment's owner is changed by operators", "ask one of them")

    def work(connection: Connection, now: float) -> None:
        experiments.update(
            connection,
            number,
            name=data.name,
            description=data.description,
            owner=data.owner,
            now=now,
        )
        _tag(connection, number, data.tags, now)

    return await _change(request, context, number, work)


def _tag(connection: Connection, id: int, tags: dict[str, Any], now: float) -> None:
    written, dropped = parted(tags)
    experiments.set_tags(connection, id, written, now)
    for key in dropped & experiments.show(connection, id).tags.keys():
        experiments.drop_tag(connection, id, key, now)


@delete(
    "/experiments/{id:str}",
    guards=[needs(TRACK)],
    status_code=200,
    tags=_TAGS,
    summary="Delete an experiment with its runs",
    description=f"{_DELETED} Deleting it again does nothing.",
)
async def remove(request: Asked, context: NamedDependency[Context], id: Id) -> Response[Experiment]:
    number = number_of(id)
    return await _change(
        request,
        context,
        number,
        lambda connection, now: experiments.delete(connection, number, now),
    )


@post(
    "/experiments/{id:str}/restore",
    guards=[needs(TRACK)],
    status_code=200,
    tags=_TAGS,
    summary="Bring a deleted experiment back",
    description="With the runs that were deleted with it; 409 where another has its name now.",
)
async def restore(
    request: Asked, context: NamedDependency[Context], id: Id
) -> Response[Experiment]:
    number = number_of(id)
    return await _change(
        request,
        context,
        number,
        lambda connection, now: experiments.restore(connection, number, now),
    )


handlers: Final[list[Any]] = [make, every, show, change, remove, restore]
