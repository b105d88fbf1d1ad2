"""What witnesses tell of jobs, written into their rows, and the runs that follow from it.

    take(connection, [Told(JobRef("slurm", "12"), facts)], now)
    link_run(connection, run_id, JobRef("slurm", "12"), now)

A page of events is one call: its questions grow with the hundreds of jobs in it, not with the jobs.
A job that no run is linked to gets one of its own as it starts; that is dropped once a client's run
says that it was this job.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, update

from hpcshell.core.errors import NotFound
from hpcshell.track.joining.facts import LIVE, UNKNOWN, JobFacts, merged
from hpcshell.track.joining.outcomes import JOB, Standing, changes
from hpcshell.track.store import experiments, writing
from hpcshell.track.store.jobnames import AT_ONCE, Names, ensure
from hpcshell.track.store.jobs import PLAIN, JobRef
from hpcshell.track.store.tables import jobs, runs

UNNAMED: Final = "Jobs"
"""The experiment of jobs that belong to none."""
REFRESHED: Final = 60.0
"""Seconds after which it is written down that a job was heard of, where nothing else is new."""
_SAME: Final = tuple(
    name for name in JobFacts.__struct_fields__ if name in jobs.c and name != "nodes"
)


class Told(msgspec.Struct, frozen=True):
    """What a witness tells of a job. `experiment`: that of its run, if it gets one of its own."""

    ref: JobRef
    facts: JobFacts
    experiment: str = UNNAMED


class Taken(msgspec.Struct, frozen=True):
    """What came of it: the keys of the rows that changed, and whether any of them is new."""

    changed: tuple[int, ...]
    new: int = 0


class Live(NamedTuple):
    """A job that may still go on, its user, and when it was last heard of. `doubted`: it is known
    that nobody knows what it does since."""

    ref: JobRef
    user: str
    heard: float
    doubted: bool


class _Change(msgspec.Struct):
    """A row, and what is known of the job without and with what is told now."""

    row: dict[str, Any]
    before: JobFacts
    after: JobFacts
    experiment: str

    @property
    def new(self) -> bool:
        """Whether anything is to be written: not each time that it still runs."""
        late = self.after.seen - self.before.seen >= REFRESHED
        return late or replace(self.after, **_when(self.before)) != self.before

    @property
    def begun(self) -> bool:
        """Whether the job has started or ended."""
        return self.after.state not in ("PENDING", UNKNOWN)


def take(connection: Connection, several: Sequence[Told], now: float) -> Taken:
    """Take in what is told, in one go; told again, it changes nothing. Raises `Wrong`."""
    names = Names(connection, (told.ref for told in several))
    found: dict[int, _Change] = {}
    for told in several:
        row = names.row(told.ref, now)
        change = found.get(id(row))
        if change is None:
            before = facts_of(row)
            change = found[id(row)] = _Change(row, before, before, told.experiment)
        change.after = merged(change.after, told.facts)
    moved = [each for each in found.values() if each.new]
    old = [each for each in moved if "key" in each.row]
    for each in moved:
        each.row |= values_of(each.after)
    names.make()
    if old:
        connection.execute(_written, [_bound(each.row) for each in old])
    _follow(connection, moved, now)
    return Taken(tuple(each.row["key"] for each in moved), len(moved) - len(old))


def link_run(connection: Connection, run_id: str, ref: JobRef, now: float) -> int:
    """The run is this job, from now on: it follows it, and the run that the job had made for itself
    is gone. The key of the job's row. Raises `NotFound` or `Wrong`."""
    key = ensure(connection, ref, now)
    linked(connection, run_id, key, now)
    return key


def linked(connection: Connection, run_id: str, key: int, now: float) -> None:
    """The same for a job whose row is there already. Raises `NotFound`."""
    done = connection.execute(update(runs).where(runs.c.run_id == run_id).values(job_key=key))
    if not done.rowcount:
        raise NotFound(f"there is no run {run_id}", "list the runs for their ids")
    own = select(runs.c.run_id, runs.c.note).where(
        runs.c.job_key == key, runs.c.source == JOB, runs.c.run_id != run_id
    )
    for other, note in connection.execute(own).all():
        connection.execute(
            update(runs).where(runs.c.run_id == run_id, runs.c.note == "").values(note=note)
        )
        connection.execute(delete(runs).where(runs.c.run_id == other))
    row = dict(connection.execute(select(jobs).where(jobs.c.key == key)).mappings().one())
    facts = facts_of(row)
    _follow(connection, [_Change(row, facts, facts, UNNAMED)], now)


def live(
    connection: Connection, *, kind: str = "", but: str = "", id: str = "", seen: bool = False
) -> list[Live]:
    """The jobs that may still go on, of a kind, or of all kinds but one. `seen`: only those that a
    witness has seen."""
    states = LIVE if seen else (UNKNOWN, *LIVE)
    wanted: list[ColumnElement[bool]] = [jobs.c.state.in_(states)]
    wanted += [column == value for column, value in ((jobs.c.kind, kind), (jobs.c.id, id)) if value]
    if but:
        wanted.append(jobs.c.kind != but)
    named = jobs.c.kind, jobs.c.id, jobs.c.cluster, jobs.c.element
    columns = *named, jobs.c.user, jobs.c.updated_at, jobs.c.unknown_since
    return [
        Live(
            JobRef(of, number, cluster, None if element == PLAIN else element),
            user,
            heard,
            doubted=since is not None and since >= heard,
        )
        for of, number, cluster, element, user, heard, since in connection.execute(
            select(*columns).where(*wanted)
        )
    ]


# ------------------------------------------------------------------------------------------- rows


def _when(facts: JobFacts) -> dict[str, float]:
    return {"time": facts.time, "seen": facts.seen}


def facts_of(row: Mapping[str, Any]) -> JobFacts:
    """What a row says that is known."""
    values = {name: row[name] for name in _SAME}
    unknown = row["state"] == UNKNOWN
    return JobFacts(
        **values,
        time=row["state_time"],
        seen=(row["unknown_since"] or 0.0) if unknown else row["updated_at"],
        nodes=tuple(msgspec.json.decode(row["nodes"])),
    )


def values_of(facts: JobFacts) -> dict[str, Any]:
    """The columns of a row that say it."""
    values = {name: getattr(facts, name) for name in _SAME}
    return values | {
        "attempt": facts.attempt or 1,
        "state_time": facts.time,
        "updated_at": facts.seen,
        "nodes": msgspec.json.encode(facts.nodes).decode(),
    }


_WRITTEN: Final = (*_SAME, "state_time", "updated_at", "nodes")
_written: Final = (
    update(jobs)
    .where(jobs.c.key == bindparam("row_key"))
    .values({name: bindparam(f"to_{name}") for name in _WRITTEN})
)


def _bound(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"row_key": row["key"]} | {f"to_{name}": row[name] for name in _WRITTEN}


# ------------------------------------------------------------------------------------------- runs

_FOLLOWING: Final = tuple(name for name in Standing.__struct_fields__ if name != "source")
_followed: Final = (
    update(runs)
    .where(runs.c.run_id == bindparam("of_run"))
    .values({name: bindparam(f"to_{name}") for name in (*_FOLLOWING, "updated_at")})
)


def _follow(connection: Connection, moved: Sequence[_Change], now: float) -> None:
    """Change the runs of these jobs, and make runs for those that have none and have begun."""
    by_job = _runs_of(connection, [each.row["key"] for each in moved])
    written, alone = [], []
    for each in moved:
        linked_runs = by_job.get(each.row["key"], [])
        if not linked_runs and each.begun:
            alone.append(each)
        for run_id, run in linked_runs:
            if new := changes(run, each.before, each.after):
                whole = {name: new.get(name, getattr(run, name)) for name in _FOLLOWING}
                named = {f"to_{name}": value for name, value in whole.items()}
                written.append(named | {"of_run": run_id, "to_updated_at": now})
    if written:
        connection.execute(_followed, written)
    if alone:
        _make_runs(connection, alone, now)


def _runs_of(connection: Connection, keys: Sequence[int]) -> dict[int, list[tuple[str, Standing]]]:
    found: dict[int, list[tuple[str, Standing]]] = {}
    columns = [runs.c[name] for name in Standing.__struct_fields__]
    for at in range(0, len(keys), AT_ONCE):
        of_these = runs.c.job_key.in_(keys[at : at + AT_ONCE])
        rows = connection.execute(select(runs.c.job_key, runs.c.run_id, *columns).where(of_these))
        for key, run_id, *values in rows:
            standing = Standing(**dict(zip(Standing.__struct_fields__, values, strict=True)))
            found.setdefault(key, []).append((run_id, standing))
    return found


def _make_runs(connection: Connection, alone: Sequence[_Change], now: float) -> None:
    homes = {
        name: experiments.ensure(connection, name, now=now).id
        for name in sorted({each.experiment for each in alone})
    }
    blank = Standing(source=JOB, status=UNKNOWN)
    rows = []
    for each in alone:
        mirror = changes(blank, each.before, each.after)
        rows.append(
            {name: mirror.get(name, getattr(blank, name)) for name in _FOLLOWING}
            | {
                "run_id": run_id_of(each.row),
                "experiment_id": homes[each.experiment],
                "source": JOB,
                "created_at": each.after.submit_time or each.after.start_time or now,
                "updated_at": now,
                "job_key": each.row["key"],
            }
        )
    connection.execute(writing.once(connection.dialect.name, runs), rows)


def run_id_of(row: Mapping[str, Any]) -> str:
    """The id of the run that a job gets which has none: the same each time."""
    words = "/".join(str(row[name]) for name in ("kind", "cluster", "id", "element"))
    return hashlib.sha256(f"job/{words}".encode()).hexdigest()[:32]
