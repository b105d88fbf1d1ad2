"""What each verb takes, type by type and bound by bound: clients are not trusted."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from hpcshell.core.errors import Wrong
from hpcshell.core.ids import LARGEST_ID
from hpcshell.core.records import WHOLE, Outcome, State
from hpcshell.core.words import nearest, quote
from hpcshell.daemon.bounds import LATEST, LONGEST, MOST

WORDS: Final = ("COMPLETING", *(each.value for each in (*State, *Outcome)))

Number = Annotated[int, Meta(ge=0, le=LARGEST_ID)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Rank = Annotated[int, Meta(ge=-MOST, le=MOST)]
Instant = Annotated[float, Meta(ge=0, le=LATEST)]
Ids = list[str | Number]
Place = Annotated[float, Meta(ge=-LARGEST_ID, le=LARGEST_ID)]


class Asked(msgspec.Struct, kw_only=True):
    """Arguments of a verb. What is not named here is not looked at."""

    dry_run: bool = False


class About(Asked, kw_only=True):
    """A verb about jobs: by id, or by what they are."""

    ids: Ids | None = None
    user: str | None = None
    names: list[str] | None = None
    states: list[str] | None = None
    all: bool = False


class Cancel(About, kw_only=True):
    signal: str | Annotated[int, Meta(ge=0, le=64)] | None = None
    cause: str | None = None


class Preempt(About, kw_only=True):
    mode: Literal["suspend", "requeue", "cancel"] = "requeue"
    grace: Annotated[float, Meta(ge=0, le=LONGEST)] | None = None


class Edit(About, kw_only=True):
    changes: dict[str, Any] = {}


class Rerun(About, kw_only=True):
    failed: bool = False


class Page(About, kw_only=True):
    """A verb that lists."""

    limit: Count | None = None
    offset: Count | None = None
    partition: str | None = None
    tags: list[str] | None = None
    elements: bool = False
    since: Annotated[float, Meta(ge=-LATEST, le=LATEST)] | None = None
    until: Annotated[float, Meta(ge=-LATEST, le=LATEST)] | None = None
    behind: Annotated[list[Place], Meta(min_length=2, max_length=3)] | None = None
    """Of the history: only what comes after the row of this end, id and element."""


class Jobs(About, kw_only=True):
    """All jobs with an id below `before`."""

    limit: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    before: Number | None = None
    partition: str | None = None
    tags: list[str] | None = None


class Show(About, kw_only=True):
    story: bool = False


class Wait(About, kw_only=True):
    any: bool = False
    timeout: Annotated[float, Meta(ge=-LATEST, le=LATEST)] | None = None


class Events(About, kw_only=True):
    since: Number | None = None
    follow: bool = False


class Reserve(Asked, kw_only=True):
    name: str
    edit: bool = False
    start: Instant | None = None
    end: Instant | None = None
    duration: Annotated[float, Meta(gt=0, le=LONGEST)] | None = None
    cpus: Annotated[int, Meta(ge=0, le=MOST)] | None = None
    memory: Count | None = None
    gpus: Annotated[int, Meta(ge=0, le=MOST)] | None = None
    others: dict[str, Annotated[int, Meta(ge=0, le=MOST)]] | None = None
    all: bool | None = None
    users: list[str] | None = None
    accounts: list[str] | None = None
    flex: bool | None = None
    idle: Annotated[float, Meta(ge=0, le=LONGEST)] | None = None


class Named(Asked, kw_only=True):
    name: str


class Reservations(Asked, kw_only=True):
    name: str | None = None


class SetNode(Asked, kw_only=True):
    state: Literal["up", "drain", "down"] = "up"
    reason: str | None = None


class SetGpus(Asked, kw_only=True):
    cards: list[Annotated[int, Meta(ge=0, le=MOST)]]
    state: Literal["up", "paused", "draining"] = "up"
    reason: str | None = None


class Stop(Asked, kw_only=True):
    cancel: bool = False


ASKED: Final[dict[str, type[Asked]]] = {
    "cancel": Cancel,
    "edit": Edit,
    "events": Events,
    "explain": About,
    "fairshare": Asked,
    "gpus": Asked,
    "measured": Asked,
    "hello": Asked,
    "history": Page,
    "hold": About,
    "jobs": Jobs,
    "outputs": About,
    "preempt": Preempt,
    "priority": Page,
    "queue": Page,
    "release": About,
    "node": Asked,
    "reload": Asked,
    "requeue": About,
    "rerun": Rerun,
    "reservations": Reservations,
    "reserve": Reserve,
    "resources": Asked,
    "resume": About,
    "set_gpus": SetGpus,
    "set_node": SetNode,
    "show": Show,
    "stop": Stop,
    "suspend": About,
    "unreserve": Named,
    "wait": Wait,
}

_DIFFER: Final = (
    "give a value that fits; where none was given, client and daemon differ: hpc daemon restart"
)

CHANGES: Final[dict[str, Any]] = {
    "cpus": Annotated[int, Meta(ge=1, le=MOST)],
    "memory": Count,
    "gpus": Count,
    "gpu_share": Annotated[int, Meta(ge=0, lt=WHOLE)],
    "gpu_type": str,
    "gpus_allowed": tuple[int, ...],
    "gpu_mem": Count,
    "others": dict[str, Count],
    "exclusive": bool,
    "time_limit": Annotated[float, Meta(gt=0, le=LONGEST)] | None,
    "name": str,
    "comment": str,
    "account": str,
    "qos": str,
    "reservation": str,
    "partition": str,
    "priority": Rank,
    "nice": Rank,
    "begin": Instant,
    "deadline": Instant | None,
    "tags": tuple[str, ...],
    "throttle": Annotated[int, Meta(ge=0, le=MOST)],
    "dependency": str | None,
}
"""The fields of a job that `edit` may change, and what they may become."""


def check_args(verb: str, args: dict[str, Any]) -> None:
    """Raise `Wrong` for arguments that the verb does not take as they are."""
    form = ASKED.get(verb)
    if form is None or not args:
        return
    try:
        asked = msgspec.convert(args, form)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Wrong(f"{verb}: {error}", _DIFFER) from None
    if isinstance(asked, About):
        for word in asked.states or ():
            _check_state(word)


def checked_change(name: str, value: Any) -> Any:
    """The value of a field to be edited. Raises `Wrong` for an unknown field or a bad value."""
    if name not in CHANGES:
        near = nearest(name, list(CHANGES))
        known = f"did you mean {near}?" if near else f"known are: {', '.join(sorted(CHANGES))}"
        raise Wrong(f"a job has no field {quote(name)} to change", known)
    try:
        return msgspec.convert(value, CHANGES[name])
    except (msgspec.ValidationError, RecursionError) as error:
        raise Wrong(
            f"{name} cannot be {quote(repr(value))}: {error}", "see: hpc edit --help"
        ) from None


def _check_state(word: str) -> None:
    if word.upper() not in WORDS:
        near = nearest(word.upper(), list(WORDS))
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(sorted(set(WORDS)))}"
        raise Wrong(f"{quote(word)} is no state", hint)
