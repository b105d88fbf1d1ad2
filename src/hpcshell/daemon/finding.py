"""From what a user typed to jobs: ids, elements, ranges, names, `@`; and dependencies by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hpcshell.core.dependencies import parse
from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.core.ids import (
    Ids,
    Last,
    Named,
    Selector,
    element_of,
    format_selector,
    select,
)
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Dependencies, Dependency, Job
from hpcshell.core.submission import Submission
from hpcshell.core.words import quote
from hpcshell.daemon.engine import Engine
from hpcshell.store.rows import indices_of


@dataclass(frozen=True)
class Found:
    """A job, and which of its elements are meant (None: all of it)."""

    job: Job
    elements: IndexSet | None = None
    text: str = ""


def find(engine: Engine, args: dict[str, Any], uid: int) -> list[Found]:
    """The jobs the request names by `ids`, or by filters alone (`user`, `names`, `states`,
    `all`)."""
    selectors = args.get("ids") or []
    if not isinstance(selectors, list):
        raise Wrong("ids must be a list", 'as in [12, "7_3"]')
    if not selectors:
        return _by_filters(engine, args)
    found: dict[tuple[int, str], Found] = {}
    for text in selectors:
        for one in resolve(engine, str(text), uid):
            found[(one.job.id, str(one.elements or ""))] = one
    return list(found.values())


def _by_filters(engine: Engine, args: dict[str, Any]) -> list[Found]:
    names, user, states = args.get("names"), args.get("user"), args.get("states")
    if not (names or user or states or args.get("all")):
        raise Wrong("no job was named", "give an id, a name, @ for your last job, or a filter")
    return [
        Found(live.job)
        for live in engine.live.values()
        if (not names or live.job.name in names) and (not user or live.job.user == user)
    ]


def resolve(engine: Engine, text: str, uid: int) -> list[Found]:
    """What one selector names. Raises `NotFound` when that is nothing."""
    found = list(_resolve(engine, select(text), uid))
    if not found:
        raise NotFound(
            f"there is no job {quote(text)}", "hpc queue and hpc history list what there is"
        )
    return found


def _resolve(engine: Engine, selector: Selector, uid: int) -> Iterator[Found]:
    match selector:
        case Ids(first=first, last=last, indices=indices):
            for job_id in range(first, min(last, engine.last_job) + 1):
                job = job_by_id(engine, job_id)
                if job is not None:
                    yield Found(job, _checked(job, indices))
        case Last(back=back, indices=indices):
            last_id = engine.store.last_job_id(uid, back)
            job = None if last_id is None else job_by_id(engine, last_id)
            if job is not None:
                yield Found(job, _checked(job, indices))
        case Named(name=name):
            ids, indices = named(engine, name, uid), None
            if not ids and (part := element_of(name)) is not None:
                ids, indices = named(engine, part[0], uid), part[1]
            for job_id in ids:
                job = job_by_id(engine, job_id)
                if job is not None:
                    yield Found(job, _checked(job, indices))


def _checked(job: Job, elements: IndexSet | None) -> IndexSet | None:
    if elements is None:
        return None
    if job.array is None:
        raise NotFound(f"job {job.id} is no array", f"name it as {job.id}")
    missing = elements.minus(elements.within(indices_of(job)))
    if missing:
        raise NotFound(
            f"job {job.id} has no element {missing}", f"its elements are {job.array.indices}"
        )
    return elements


def job_by_id(engine: Engine, job_id: int) -> Job | None:
    live = engine.live.get(job_id)
    if live is not None:
        return live.job
    stored = engine.store.job(job_id)
    return None if stored is None else stored.job


def named(engine: Engine, name: str, uid: int) -> list[int]:
    """Live jobs of this name; if there is none, the latest that ended."""
    live = sorted(engine.by_name.get((uid, name), ()))
    return live or engine.store.job_ids_by_name(name, uid)[:1]


def visible(job: Job, uid: int, verb: str) -> None:
    """Raise `Refused` when this caller may not do that to this job."""
    if uid not in (0, job.uid):
        raise Refused(
            f"job {job.id} belongs to {job.user}: you cannot {verb} it", f"ask {job.user}"
        )


def resolve_dependencies(
    engine: Engine, submission: Submission, uid: int, job_id: int
) -> Dependencies | None:
    """The dependency expression with names and `@` turned into ids; every parent must exist."""
    if not submission.dependency:
        return None
    parsed = parse(submission.dependency)
    terms: list[Dependency] = []
    for term in parsed.terms:
        if term.parent is None:
            terms.append(Dependency(kind=term.kind))
            continue
        for found in _parents(engine, term.parent, uid, job_id):
            for index in found.elements or (None,):
                terms.append(
                    Dependency(kind=term.kind, job=found.job.id, index=index, delay=term.delay)
                )
    return Dependencies(terms=tuple(terms), any=parsed.any, on_never=submission.on_never)


def _parents(engine: Engine, parent: Selector, uid: int, job_id: int) -> list[Found]:
    if isinstance(parent, Ids) and parent.first <= job_id <= parent.last:
        raise Wrong(f"job {job_id} cannot depend on itself", "name a job submitted before")
    found = list(_resolve(engine, parent, uid))
    if not found:
        raise NotFound(
            f"dependency on {format_selector(parent)}: there is no such job",
            "a parent must be submitted first; hpc queue lists what there is",
        )
    return found
