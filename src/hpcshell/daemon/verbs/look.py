"""Verbs that only look: queue, show, history, resources, outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hpcshell.core.errors import NotFound, Wrong
from hpcshell.core.lifecycle import label
from hpcshell.core.records import NO_INDEX, WHOLE, Job, State, Task
from hpcshell.daemon import views
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.finding import Found, find, resolve
from hpcshell.daemon.live import LiveJob
from hpcshell.daemon.orders import output_paths
from hpcshell.daemon.verbs.apart import node_view
from hpcshell.daemon.verbs.gpus import held_view
from hpcshell.machine import clock
from hpcshell.policy.cardfacts import enforcement
from hpcshell.policy.explain import explain, explain_suspended
from hpcshell.policy.regime import by_priority
from hpcshell.store.rows import Past, Wanted, indices_of

if TYPE_CHECKING:
    from hpcshell.daemon.face import Daemon
    from hpcshell.daemon.server import Ask, Peer

PAGE: Final = 1000
MOST: Final = 100_000
ELEMENTS_SHOWN: Final = 100_000


def job_document(engine: Engine, job_id: int, *, job: Job | None = None) -> dict[str, Any]:
    """The document of a whole job, live, ended, or (given as `job`) not yet accepted."""
    live = engine.live.get(job_id)
    if live is None and job is not None:
        live = LiveJob(job, indices_of(job))
    if live is None:
        return _ended_document(engine, job_id)
    if live.job.array is None:
        task = live.tasks.get(NO_INDEX) or Task(job=job_id)
        return _live_document(engine, live, task)
    failed = () if job is not None else _failed(engine, job_id, live)
    return _waiting_why(engine, live, views.array_view(live.job, live, engine.host, failed))


def _failed(engine: Engine, job_id: int, live: LiveJob) -> list[Task]:
    if all(outcome.value == "COMPLETED" for outcome in live.tally.counts):
        return []
    return engine.store.tasks(job_id, views.BAD, limit=views.FAILED_LISTED)


def _ended_document(engine: Engine, job_id: int) -> dict[str, Any]:
    stored = engine.store.job(job_id)
    if stored is None or stored.summary is None:
        raise NotFound(f"there is no job {job_id}", "hpc history lists those that have ended")
    if stored.job.array is None:
        task = engine.store.task(job_id)
        if task is not None:
            view = element_document(engine, stored.job, task)
            view["reason"] = view["reason"] or stored.summary.cause or None
            view["end_time"] = view["end_time"] or stored.summary.end_time
            return view
    failed = engine.store.tasks(job_id, views.BAD, limit=views.FAILED_LISTED)
    return views.ended_array_view(stored.job, stored.summary, engine.host, failed)


def element_document(engine: Engine, job: Job, task: Task) -> dict[str, Any]:
    """The document of one element, with the pid, and its cards, while it runs."""
    view = views.element_view(job, task, engine.host, pid=engine.pids.get(task.run))
    run = engine.runs.get(task.run)
    if run is not None and (run.claim.gpus or run.claim.shared):
        view["gpu_cards"] = held_view(run.claim, engine.host.cards)
    if view["gpus"]:
        view["gpu_enforcement"] = enforcement(engine.host.cards).sentence
    return view


def _live_document(engine: Engine, live: LiveJob, task: Task) -> dict[str, Any]:
    """The document of an element of a live job; it says why it waits or stands still."""
    view = element_document(engine, live.job, task)
    if task.state is State.PENDING:
        return _waiting_why(engine, live, view)
    if task.state is State.SUSPENDED:
        told = explain_suspended(engine.view, engine.policy, task.run, clock.now(), brief=True)
        view["reason_code"] = told.reason.code
    return view


def _waiting_why(engine: Engine, live: LiveJob, view: dict[str, Any]) -> dict[str, Any]:
    """Say why it waits, in the decider's words."""
    if view["state"] == "PENDING" or (view["elements"] and live.waiting):
        index = view["element"]
        told = explain(
            engine.view,
            engine.policy,
            live.job.id,
            NO_INDEX if index is None else index,
            clock.now(),
            brief=True,
        )
        view["reason"] = told.reason.sentence
        view["reason_code"] = told.reason.code
    return view


def document_of(engine: Engine, job: Job, index: int) -> dict[str, Any]:
    """The document of a job, or of one of its elements."""
    if index == NO_INDEX:
        return job_document(engine, job.id)
    return _element(engine, job, engine.live.get(job.id), index)


def documents(engine: Engine, found: Found) -> Iterable[dict[str, Any]]:
    """One document for the job, or one for each element named."""
    if found.elements is None:
        yield job_document(engine, found.job.id)
        return
    live = engine.live.get(found.job.id)
    for index in islice(found.elements, ELEMENTS_SHOWN):
        yield _element(engine, found.job, live, index)


def _element(engine: Engine, job: Job, live: LiveJob | None, index: int) -> dict[str, Any]:
    task = live.task(index) if live is not None else None
    task = task or engine.store.task(job.id, index) or Task(job=job.id, index=index)
    if live is not None:
        return _live_document(engine, live, task)
    return element_document(engine, job, task)


def show(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Everything about the jobs named; with `story` also all that happened to them."""
    shown = []
    for found in find(daemon.engine, ask.args, peer.uid):
        for view in documents(daemon.engine, found):
            if ask.args.get("story"):
                entries = daemon.engine.store.story(found.job.id, view["element"])
                view["story"] = [views.entry_document(entry) for entry in entries]
            shown.append(view)
    return {"jobs": shown}


def queue(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """What has not ended: first what runs, then what waits, in the order it will be considered."""
    engine, args = daemon.engine, ask.args
    limit, offset = _page(args)
    chosen, total = _chosen(engine, args, peer.uid)
    page = [engine.live[job] for job in islice(chosen, offset, offset + limit)]
    if args.get("elements"):
        rows = [row for live in page for row in _rows(engine, live)]
    else:
        rows = [job_document(engine, live.job.id) for live in page]
    if args.get("all"):
        since = clock.now() - engine.host.settings.daemon.recent
        past = _past(engine, {**args, "since": since}, limit=max(0, limit - len(rows)), offset=0)
        rows += past["rows"]
    return {"rows": rows, "total": total, "counts": engine.roll.counts()}


def _rows(engine: Engine, live: LiveJob) -> Iterable[dict[str, Any]]:
    """An array as its begun elements, then one row for the rest."""
    if live.job.array is None:
        yield job_document(engine, live.job.id)
        return
    for task in live.tasks.values():
        yield _element(engine, live.job, live, task.index)
    if live.waiting:
        rest = _element(engine, live.job, live, live.waiting.first)
        rest.update(label=f"{live.job.id}_[{live.waiting}]", element=None)
        yield rest


def _chosen(engine: Engine, args: dict[str, Any], uid: int) -> tuple[Iterable[int], int]:
    """The ids of the jobs asked for, in order, and how many there are."""
    asked = {name: args[name] for name in _FILTERS if args.get(name)}
    if args.get("ids"):
        named = {one.job.id for text in args["ids"] for one in resolve(engine, str(text), uid)}
        found = [job for job in _fitting(engine, asked) if job in named]
    elif not asked and engine.regime.rank is by_priority:
        return engine.roll, len(engine.live)
    else:
        key = ("queue", msgspec.json.encode(asked, order="sorted"))
        found = engine.remembered.get(key, lambda: _fitting(engine, asked))
    return found, len(found)


def _fitting(engine: Engine, asked: dict[str, Any]) -> list[int]:
    """The live jobs that all filters let pass, in order."""
    user = asked.get("user")
    if user and not engine.users[user]:
        return []
    if user and engine.users[user] == len(engine.live):
        asked = {name: value for name, value in asked.items() if name != "user"}
    begun = asked.get("states") and "PENDING" not in _upper(asked["states"])
    jobs: Iterable[LiveJob] = (
        engine.live[job] for job in (engine.roll.begun() if begun else _listed(engine))
    )
    for name, make in _FILTERS.items():
        if name in asked:
            jobs = filter(make(asked[name]), jobs)
    return [live.job.id for live in jobs]


def _listed(engine: Engine) -> Iterable[int]:
    """All live jobs: those of which something has begun, then those that wait in their order."""
    if engine.regime.rank is by_priority:
        return engine.roll
    entries = engine.view.queue.jobs
    waiting = (job for job, live in engine.live.items() if not live.tasks)
    return chain(engine.roll.begun(), sorted(waiting, key=lambda job: (entries[job].rank, job)))


def _upper(states: Iterable[Any]) -> set[str]:
    return {str(state).upper() for state in states}


def _state_filter(states: Iterable[Any]) -> Callable[[LiveJob], bool]:
    wanted = _upper(states)
    waiting = "PENDING" in wanted

    def test(live: LiveJob) -> bool:
        if not live.tasks:
            return waiting
        return live.state().value in wanted or (waiting and bool(live.waiting))

    return test


_FILTERS: Final[dict[str, Callable[[Any], Callable[[LiveJob], bool]]]] = {
    "user": lambda user: lambda live: live.job.user == user,
    "names": lambda names: lambda live: live.job.name in names,
    "partition": lambda partition: lambda live: live.job.partition == partition,
    "tags": lambda tags: lambda live: set(tags) <= set(live.job.tags),
    "states": _state_filter,
}


def _page(args: dict[str, Any]) -> tuple[int, int]:
    limit, offset = args.get("limit"), args.get("offset") or 0
    limit = PAGE if limit is None else limit
    for name, value in (("limit", limit), ("offset", offset)):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 2**53:
            raise Wrong(f"{name} cannot be {value!r}", "give a whole number, at least 0")
    return min(limit, MOST), offset


def history(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """What has ended, latest first."""
    limit, offset = _page(ask.args)
    return _past(daemon.engine, ask.args, limit=limit, offset=offset)


def _past(engine: Engine, args: dict[str, Any], *, limit: int, offset: int) -> dict[str, Any]:
    wanted = Wanted(
        users=(str(args["user"]),) if args.get("user") else (),
        names=tuple(map(str, args.get("names") or ())),
        outcomes=tuple(str(state).upper() for state in args.get("states") or ()),
        tags=tuple(map(str, args.get("tags") or ())),
        since=args.get("since"),
        until=args.get("until"),
        elements=bool(args.get("elements")),
    )
    total = None
    if wanted.since is None and wanted.until is None:  # instants differ from one look to the next
        total = engine.remembered.get(("history", wanted), lambda: engine.store.ended(wanted))
    behind = _behind(args, elements=wanted.elements)
    past, total = engine.store.history(
        wanted, limit=limit, offset=offset, behind=behind, total=total
    )
    return {"rows": [past_document(engine, row) for row in past], "total": total}


def _behind(args: dict[str, Any], *, elements: bool) -> tuple[float, ...] | None:
    """The place of the last row of the page before: when it ended, its job, its element."""
    place = args.get("behind")
    if place is not None and len(place) != (3 if elements else 2):
        raise Wrong("behind must be the place of a row", "its end_time, its id, and its element")
    return place and tuple(place)


def past_document(engine: Engine, row: Past) -> dict[str, Any]:
    """The document of a row of the history."""
    if row.task is None:
        assert row.summary is not None
        return views.ended_array_view(row.job, row.summary, engine.host, None)
    view = element_document(engine, row.job, row.task)
    if row.summary is not None:
        view["reason"] = view["reason"] or row.summary.cause or None
    return view


def resources(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """What the machine has, what of it is claimed and by whom."""
    engine = daemon.engine
    host, claims = engine.host, engine.view.claims
    return {
        "schema": views.SCHEMA,
        "hostname": host.hostname,
        "total": views.resources_view(host.total),
        "free": views.resources_view(engine.view.free),
        "used": views.resources_view(engine.view.used),
        "detected": views.resources_view(host.detected),
        "overridden": list(host.overridden),
        "node": node_view(engine, clock.now()),
        "claims": [
            {
                "job": claim.job,
                "element": None if claim.index < 0 else claim.index,
                "run": claim.run,
                "cpus": claim.cpus if claim.suspended is None else 0,
                "memory": claim.memory,
                "gpus": list(claim.gpus),
                "gpu_shares": {str(card): share / WHOLE for card, share in claim.shared},
                "others": claim.others,
                "end": claim.end if claim.suspended is None else None,
                "suspended": claim.suspended is not None,
                "reservation": claim.reservation or None,
            }
            for claim in claims.values()
        ],
    }


def outputs(daemon: Daemon, peer: Peer, ask: Ask) -> dict[str, Any]:
    """Where the output of the latest run lies, or will lie."""
    engine = daemon.engine
    rows = []
    for found in find(engine, ask.args, peer.uid):
        live = engine.live.get(found.job.id)
        for index in islice(found.elements or indices_of(found.job), ELEMENTS_SHOWN):
            task = live.task(index) if live is not None else None
            task = (
                task
                or engine.store.task(found.job.id, index)
                or Task(job=found.job.id, index=index)
            )
            rows.append(_output(engine, found.job, task))
    return {"outputs": rows}


def _output(engine: Engine, job: Job, task: Task) -> dict[str, Any]:
    stdout, stderr = output_paths(job, task, engine.host)
    view = views.element_view(job, task, engine.host)
    return {
        "id": job.id,
        "label": label(task),
        "element": view["element"],
        "run": task.run or None,
        "attempt": task.attempt,
        "state": view["state"],
        "exit_code": task.exit_code,
        "signal": task.signal,
        "reason": view["reason"],
        "stdout": stdout,
        "stderr": stderr or stdout,
    }
