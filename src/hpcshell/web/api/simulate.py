"""The route that runs a workload under scheduling policies."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.web.answers.asking import Document, reply
from hpcshell.web.context import Context
from hpcshell.web.requests.stated import example
from hpcshell.web.security.callers import READ, needs

LARGEST: Final = 32 << 20
"""Characters of a log."""
MOST_JOBS: Final = 200_000
"""Jobs that are made up."""
_PLAIN: Final = ("order", "fill", "predict", "variant", "engine", "cpus", "since", "until", "jobs")
_MAKING: Final = ("seed", "load", "overestimate")
_FLAGS: Final = {"since": "from"}


class Simulation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be simulated, named as the options of `hpc simulate`: a log (`swf`), or one that
    is made up (`generate`)."""

    ALSO: ClassVar = example(generate="lublin", jobs=100, policies=["fcfs", "easy"], seed=1)

    swf: str | None = None
    """The text of a log in the Standard Workload Format, or of `sacct -P`."""
    generate: Literal["lublin", "lublin:all", "lublin:batch", "lublin:interactive"] | None = None
    policies: list[str] = []
    """`fcfs`, `greedy`, `easy` (unless said), `hybrid:4`, `conservative`, ..."""
    order: str | None = None
    fill: str | None = None
    predict: str | None = None
    variant: str | None = None
    engine: Literal["auto", "compiled", "python"] | None = None
    cpus: int | None = None
    since: str | None = None
    until: str | None = None
    jobs: int | str | None = None
    """With `generate`: how many; else which, `100` or `11-20`."""
    faults: list[str] = []
    """`3d down 64 cpus for 12h`."""
    seed: int | None = None
    load: float | None = None
    overestimate: float | None = None


def words_of(asked: Simulation) -> list[str]:
    """The words of the command. Raises `Wrong`."""
    if asked.generate is not None and str(asked.jobs or 0).isdigit():
        _check_count(int(asked.jobs or 0))
    for policy in asked.policies:
        if "/" in policy or policy.endswith(".toml"):
            raise Wrong(f"{quote(policy)} is a file, which is not read", "name a policy")
    words = ["simulate", *(f"--policy={policy}" for policy in asked.policies)]
    words += [f"--fault={fault}" for fault in asked.faults]
    if asked.generate is not None:
        words.append(f"--generate={asked.generate}")
    for name in (*_PLAIN, *_MAKING):
        if (value := getattr(asked, name)) is not None:
            words.append(f"--{_FLAGS.get(name, name)}={value}")
    return words + (["-"] if asked.swf is not None else [])


def _check_count(jobs: int) -> None:
    if jobs > MOST_JOBS:
        raise Wrong(
            f"{jobs:,} jobs are too many to be made up here",
            f"at most {MOST_JOBS:,}; hpc simulate at the prompt makes more",
        )


@post(
    "/simulate",
    guards=[needs(READ)],
    status_code=200,
    tags=["simulation"],
    summary="Run a workload under scheduling policies",
    description="What `hpc simulate --json` answers: an object for one policy, an array for "
    "several. What takes longer than a minute is stopped.",
)
async def simulate(
    context: NamedDependency[Context], data: JSONBody[Simulation]
) -> Response[Document | list[Document]]:
    log = data.swf or ""
    if len(log) > LARGEST:
        raise Wrong(f"the log has {len(log):,} characters", f"at most {LARGEST:,} are read")
    return reply(await context.apart.document(words_of(data), log.encode(errors="replace")))


handlers: Final[list[Any]] = [simulate]
