"""The route that says who would start when."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from hpcshell.web.answers.asking import Document, reply
from hpcshell.web.context import Context
from hpcshell.web.requests.stated import example
from hpcshell.web.security.callers import READ, needs

MOST: Final = 1000
"""Changes of one kind."""


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The changes, named as the options of `hpc whatif`; without any the queue as it stands."""

    ALSO: ClassVar = example(submit=["cpus=2 time=1h"])

    submit: list[str] = []
    """Another job each, in options of `hpc submit`: `cpus=8 time=2h count=3`."""
    policy: str | None = None
    order: str | None = None
    add: list[str] = []
    """More of something: `gpus=2`, `mem=16G`."""
    remove: list[str] = []
    cancel: list[int | str] = []
    time: dict[str, str] = {}
    """By jobs, another time limit."""
    priority: dict[str, int] = {}
    hold: list[int | str] = []
    release: list[int | str] = []
    at: str | None = None
    runs: str | None = None
    """How long jobs run: `limit`, `predicted`, or a part of the limit as `0.5`."""
    unlimited: str | None = None
    first: int | None = None
    horizon: str | None = None
    budget: str | None = None
    all: bool = False
    """Also the jobs that start when they would."""


def words_of(asked: Question) -> list[str]:
    """The words of the command."""
    words = ["whatif"]
    for name in ("submit", "add", "remove", "cancel", "hold", "release"):
        words += [f"--{name}={each}" for each in getattr(asked, name)[:MOST]]
    for name in ("time", "priority"):
        words += [f"--{name}={job}={to}" for job, to in getattr(asked, name).items()]
    for name in ("policy", "order", "at", "runs", "unlimited", "first", "horizon", "budget"):
        if (value := getattr(asked, name)) is not None:
            words.append(f"--{name}={value}")
    return words + (["--all"] if asked.all else [])


@post(
    "/whatif",
    guards=[needs(READ)],
    status_code=200,
    tags=["jobs"],
    summary="Say who would start when",
    description="As things stand, and after changes, as `hpc whatif --json` has it. Nothing is "
    "changed.",
)
async def whatif(
    context: NamedDependency[Context], data: JSONBody[Question | None] = None
) -> Response[Document]:
    return reply(await context.apart.document(words_of(data or Question())))


handlers: Final[list[Any]] = [whatif]
