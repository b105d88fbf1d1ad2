"""Runs: made, found, changed, deleted and brought back. What they log is in `points`."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, case, func, select

from hpcshell.core.errors import NotFound, Refused, Wrong
from hpcshell.core.words import quote
from hpcshell.track.records import Run
from hpcshell.track.store import configs, experiments, jobstates, lists, texts, writing
from hpcshell.track.store.documents import documents
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.filters.vocabulary import RUNS
from hpcshell.track.store.jobs import NO_PRICES, JobRef, Prices
from hpcshell.track.store.paging import Page, Wanted
from hpcshell.track.store.tables import params, runs, tags
from hpcshell.track.words import ENDED, status_of


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is to be made. Without `run_id` it gets one."""

    experiment_id: int
    run_id: str | None = None
    name: str = ""
    source: str = "rest"
    user: str = ""
    host: str = ""
    seed: int | None = None
    config: dict[str, Any] = {}
    """Becomes parameters, too; see `configs.flat`."""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    parent_run_id: str | None = None
    status: str = "RUNNING"
    started_at: float | None = None
    """`None`: now, unless it is pending."""
    job: JobRef | None = None


_known: Final = select(runs.c.run_id, runs.c.experiment_id, runs.c.deleted_at).where(
    runs.c.run_id == bindparam("run")
)
_number: Final = select(runs.c.seq).where(runs.c.run_id == bindparam("run"))
LATEST: Final = "@"
"""The run that was made last, as people write it."""
_latest: Final = (
    select(runs.c.run_id).where(runs.c.deleted_at.is_(None)).order_by(runs.c.seq.desc()).limit(1)
)
_DIGITS: Final = re.compile(r"\A[0-9a-f]{1,32}\Z")
_beginning: Final = (
    select(runs.c.run_id)
    .where(runs.c.run_id >= bindparam("from"), runs.c.run_id < bindparam("to"))
    .order_by(runs.c.run_id)
    .limit(2)
)
_its_params: Final = select(params.c.key, params.c.value).where(
    params.c.run_id == bindparam("run"), params.c.key.in_(bindparam("keys", expanding=True))
)
_LIVE: Final = runs.c.run_id == bindparam("run"), runs.c.deleted_at.is_(None)
_beat: Final = (
    runs.update()
    .where(*_LIVE)
    .values(
        heartbeat_at=bindparam("now"),
        status=case((runs.c.status == "LOST", "RUNNING"), else_=runs.c.status),
        reason=case((runs.c.status == "LOST", None), else_=runs.c.reason),
    )
)
_spoke: Final = _beat.values(updated_at=bindparam("now"))
_touch: Final = runs.update().where(*_LIVE).values(updated_at=bindparam("now"))


def new_id() -> str:
    """The id of another run."""
    return uuid.uuid4().hex


def create(connection: Connection, new: NewRun, now: float) -> Run:
    """Make it, or find the one that the same words made before. Raises `Exists` where the id is
    taken by a run of another experiment, `NotFound` or `Refused` by its experiment, `Wrong`."""
    run_id = texts.run_id(new.run_id) if new.run_id else new_id()
    known = connection.execute(_known, {"run": run_id}).first()
    if known is not None:
        if known.experiment_id != new.experiment_id:
            raise Exists(
                f"run {run_id} belongs to experiment {known.experiment_id}", "leave run_id out"
            )
        return show(connection, run_id)
    experiments.require_live(connection, new.experiment_id)
    config = configs.plain(new.config)
    flat = texts.pairs(configs.flat(config) | new.params, "param")
    checked = texts.pairs(new.tags, "tag")
    connection.execute(runs.insert(), _row(new, run_id, config, now))
    _put_params(connection, run_id, flat)
    writing.put(connection, tags, {"run_id": run_id}, checked)
    if new.job is not None:
        jobstates.link_run(connection, run_id, new.job, now)
    return show(connection, run_id)


def _row(new: NewRun, run_id: str, config: dict[str, Any], now: float) -> dict[str, Any]:
    status = status_of(new.status)
    started = new.started_at
    if started is None and status != "PENDING":
        started = now
    return {
        "run_id": run_id,
        "experiment_id": new.experiment_id,
        "name": texts.word(new.name, "name"),
        "status": status,
        "source": texts.key(new.source, "source")[:16],
        "user": texts.word(new.user, "user"),
        "host": texts.word(new.host, "host"),
        "seed": None if new.seed is None else texts.whole(new.seed, "seed"),
        "config": configs.encoded(config),
        "parent_run_id": texts.run_id(new.parent_run_id) if new.parent_run_id else None,
        "created_at": now,
        "started_at": None if started is None else texts.instant(started, "started_at"),
        "ended_at": started if status in ENDED else None,
        "heartbeat_at": now,
        "updated_at": now,
    }


def show(connection: Connection, run_id: str, prices: Prices = NO_PRICES) -> Run:
    """The run of this id, deleted or not. Raises `NotFound`, or `Wrong` for what is no id."""
    number = connection.scalar(_number, {"run": texts.run_id(run_id)})
    found = [] if number is None else documents(connection, [number], prices)
    if not found:
        raise _missing(run_id)
    return found[0]


def meant(connection: Connection, text: str) -> str:
    """The id of the run that a person means: by its id, by first digits that no other has, or `@`,
    the latest. Raises `NotFound` or `Wrong`."""
    digits = text.strip().lower()
    if digits == LATEST:
        latest = connection.scalar(_latest)
        if latest is None:
            raise NotFound("there is no run yet", "begin one: hpcshell.track.run(EXPERIMENT)")
        return str(latest)
    if not _DIGITS.match(digits):
        raise Wrong(f"{quote(text)} is no id of a run", "write its id, or its first digits")
    ids = connection.scalars(_beginning, {"from": digits, "to": digits + "g"}).all()
    if not ids:
        raise _missing(text)
    if len(ids) > 1 and ids[0] != digits:
        raise Wrong(f"more than one run begins with {quote(text)}", "write more of its digits")
    return str(ids[0])


def page(connection: Connection, wanted: Wanted, prices: Prices = NO_PRICES) -> Page[Run]:
    """A page of them. Raises `Wrong`."""
    numbers, after = lists.page(connection, RUNS, wanted)
    return Page(rows=documents(connection, numbers, prices), next=after)


# ------------------------------------------------------------------------------------ changes


def set_status(
    connection: Connection,
    run_id: str,
    status: str,
    *,
    time: float | None = None,
    reason: str | None = None,
    exit_code: int | None = None,
    now: float,
) -> None:
    """How it stands since `time` (`None`: now). One that ended may go on: MLflow resumes runs.
    Raises `NotFound`, `Refused` or `Wrong`."""
    word = status_of(status)
    since = now if time is None else texts.instant(time, "time")
    values: dict[str, Any] = {
        "status": word,
        "reason": None if reason is None else texts.kept(reason, "reason"),
        "exit_code": None if exit_code is None else texts.code(exit_code),
        "ended_at": since if word in ENDED else None,
    }
    if word != "PENDING":
        values["started_at"] = func.coalesce(runs.c.started_at, since)
    if word not in ENDED:
        values["heartbeat_at"] = now
    _change(connection, run_id, now, values)


def heartbeat(connection: Connection, run_id: str, now: float) -> None:
    """It lives; one that was lost runs again. Raises `NotFound` or `Refused`."""
    if not connection.execute(_beat, {"run": texts.run_id(run_id), "now": now}).rowcount:
        require_live(connection, run_id)


def update(
    connection: Connection,
    run_id: str,
    *,
    name: str | None = None,
    note: str | None = None,
    now: float,
) -> None:
    """Change what is given. Raises `NotFound`, `Refused` or `Wrong`."""
    values = {}
    if name is not None:
        values["name"] = texts.word(name, "name")
    if note is not None:
        values["note"] = texts.kept(note, "note")
    _change(connection, run_id, now, values)


def set_params(connection: Connection, run_id: str, given: Mapping[str, str], now: float) -> None:
    """What it ran with: it says so, and lives. A parameter never changes: raises `Exists` where one
    has another value, and `NotFound`, `Refused` or `Wrong`."""
    checked = texts.pairs(given, "param")
    spoke(connection, run_id, now)
    there = params_of(connection, run_id, checked)
    for key, value in there.items():
        if checked[key] != value:
            raise Exists(
                f"param {quote(key)} of run {run_id} is {quote(value)} already",
                "a parameter never changes; log a metric, or set a tag",
            )
    _put_params(connection, run_id, {key: checked[key] for key in checked.keys() - there.keys()})


def params_of(connection: Connection, run_id: str, keys: Iterable[str]) -> dict[str, str]:
    """Those of these parameters that it has."""
    known = connection.execute(_its_params, {"run": run_id, "keys": list(keys)})
    return {row[0]: row[1] for row in known}


def set_tags(connection: Connection, run_id: str, given: Mapping[str, str], now: float) -> None:
    """Write these over what there is. Raises `NotFound`, `Refused` or `Wrong`."""
    checked = texts.pairs(given, "tag")
    touch(connection, run_id, now)
    writing.put(connection, tags, {"run_id": run_id}, checked)


def drop_tag(connection: Connection, run_id: str, key: str, now: float) -> None:
    """Take a tag away. Raises `NotFound` where it has none of that name."""
    touch(connection, run_id, now)
    its = tags.c.run_id == run_id, tags.c.key == texts.key(key, "tag")
    if not connection.execute(tags.delete().where(*its)).rowcount:
        raise NotFound(f"run {run_id} has no tag {quote(key)}", "show it for its tags")


def link(connection: Connection, run_id: str, job: JobRef, now: float) -> None:
    """Say which job it is: see `jobstates.link_run`. Raises `NotFound`, `Refused` or `Wrong`."""
    touch(connection, run_id, now)
    jobstates.link_run(connection, run_id, job, now)


def delete(connection: Connection, run_id: str, now: float) -> None:
    """Delete it until it is restored or purged; again does nothing. Raises `NotFound`."""
    gone = connection.execute(
        runs.update().where(*_LIVE).values(deleted_at=now, updated_at=now), {"run": run_id}
    )
    if not gone.rowcount:
        _there(connection, run_id)


def restore(connection: Connection, run_id: str, now: float) -> None:
    """Bring it back. Raises `NotFound`, and `Refused` where its experiment is deleted."""
    known = _there(connection, run_id)
    if known.deleted_at is None:
        return
    experiments.require_live(connection, known.experiment_id)
    connection.execute(
        runs.update().where(runs.c.run_id == run_id).values(deleted_at=None, updated_at=now)
    )


def spoke(connection: Connection, run_id: str, now: float) -> None:
    """It changes now, by what it has said itself: it lives. Raises as `touch`."""
    if not connection.execute(_spoke, {"run": texts.run_id(run_id), "now": now}).rowcount:
        require_live(connection, run_id)


def touch(connection: Connection, run_id: str, now: float) -> None:
    """It changes now, by whoever it is. Raises `NotFound`, and `Refused` where it is deleted."""
    if not connection.execute(_touch, {"run": texts.run_id(run_id), "now": now}).rowcount:
        require_live(connection, run_id)


def require_live(connection: Connection, run_id: str) -> None:
    """Raises `NotFound` or `Refused` unless it is there and not deleted."""
    if _there(connection, run_id).deleted_at is not None:
        raise Refused(f"run {run_id} is deleted", f"restore it first: hpc track undo {run_id}")


def exists(connection: Connection, run_id: str) -> None:
    """Raises `NotFound` unless it is there, deleted or not."""
    _there(connection, run_id)


def _there(connection: Connection, run_id: str) -> Any:
    known = connection.execute(_known, {"run": texts.run_id(run_id)}).first()
    if known is None:
        raise _missing(run_id)
    return known


def _change(connection: Connection, run_id: str, now: float, values: Mapping[str, Any]) -> None:
    changed = {**values, "updated_at": now}
    statement = runs.update().where(*_LIVE).values(changed)
    if not connection.execute(statement, {"run": texts.run_id(run_id)}).rowcount:
        require_live(connection, run_id)


def _put_params(connection: Connection, run_id: str, given: Mapping[str, str]) -> None:
    if given:
        rows = [
            {"run_id": run_id, "key": key, "value": value, "number": configs.value_of(value)}
            for key, value in given.items()
        ]
        connection.execute(params.insert(), rows)


def _missing(run_id: str) -> NotFound:
    return NotFound(f"there is no run {quote(run_id)}", "hpc track runs lists them")
