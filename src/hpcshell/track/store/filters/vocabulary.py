"""What filters and sortings may name: columns of the rows themselves, and what belongs to rows.

A column belongs to a row by its own table (`status`), by the job (`job.user`), or by a key
(`metrics.loss`, `params.lr`, `tags.team`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    String,
    Table,
    Text,
    func,
    literal_column,
    select,
)
from sqlalchemy.sql.selectable import FromClause

from hpcshell.core.errors import Wrong
from hpcshell.core.words import nearest, quote
from hpcshell.track.store import texts
from hpcshell.track.store.tables import (
    HEAD,
    experiment_tags,
    experiments,
    jobs,
    params,
    runs,
    series,
    tags,
)


class Keyed(NamedTuple):
    """A table with a row for each key of an owner, such as the parameters of a run."""

    table: Table
    owner: str
    """Its column that names the owner."""
    number: str | None
    """Its column of numbers, which may be NULL."""
    text: str | None
    """Its column of texts."""


class Vocabulary(NamedTuple):
    """All that can be named of one kind of rows."""

    kind: str
    table: Table
    id: Column[int]
    """The number by which rows were made one after the other."""
    owner: Column[Any]
    """What `Keyed.owner` holds."""
    columns: Mapping[str, ColumnElement[Any]]
    jobs: Mapping[str, ColumnElement[Any]]
    keyed: Mapping[str, Keyed]
    synonyms: Mapping[str, str]
    """What others call columns."""


class Term(NamedTuple):
    """Something that can be named: a column of the row or of its job, or a key."""

    space: str
    """`attributes`, `job`, or one of `Vocabulary.keyed`."""
    key: str


_OF_RUNS: Final = (
    *("run_id", "name", "status", "reason", "source", "user", "host", "seed", "note", "exit_code"),
    *("created_at", "started_at", "ended_at", "heartbeat_at", "updated_at", "experiment_id"),
    "parent_run_id",
)
_OF_JOBS: Final = (
    *("kind", "cluster", "id", "attempt", "label", "name", "user", "state", "exit_code"),
    *("signal", "reason", "submit_time", "start_time", "end_time", "cpus", "memory", "gpus"),
    *("time_limit", "partition", "account", "cpu_time", "max_rss", "unknown_since"),
)
_OF_EXPERIMENTS: Final = ("id", "name", "description", "owner", "created_at", "updated_at")

_EXPERIMENT: Final = (
    select(experiments.c.name)
    .where(experiments.c.id == runs.c.experiment_id)
    .correlate(runs)
    .scalar_subquery()
)
"""The name of the experiment of a run."""
_RUNS: Final = (
    select(func.count())
    .select_from(runs)
    .where(runs.c.experiment_id == experiments.c.id, runs.c.deleted_at.is_(None))
    .correlate(experiments)
    .scalar_subquery()
)
"""How many runs an experiment has that are not deleted."""

RUNS: Final = Vocabulary(
    kind="run",
    table=runs,
    id=runs.c.seq,
    owner=runs.c.run_id,
    columns={**{name: runs.c[name] for name in _OF_RUNS}, "experiment": _EXPERIMENT},
    jobs={name: jobs.c[name] for name in _OF_JOBS},
    keyed={
        "metrics": Keyed(series, "run_id", "last", None),
        "params": Keyed(params, "run_id", "number", "value"),
        "tags": Keyed(tags, "run_id", None, "value"),
    },
    synonyms={"id": "run_id", "run_name": "name", "user_id": "user"},
)
EXPERIMENTS: Final = Vocabulary(
    kind="experiment",
    table=experiments,
    id=experiments.c.id,
    owner=experiments.c.id,
    columns={**{name: experiments.c[name] for name in _OF_EXPERIMENTS}, "runs": _RUNS},
    jobs={},
    keyed={"tags": Keyed(experiment_tags, "experiment_id", None, "value")},
    synonyms={"experiment_id": "id"},
)

_SPACES: Final = {
    "attribute": "attributes",
    "attr": "attributes",
    "run": "attributes",
    "metric": "metrics",
    "param": "params",
    "parameter": "params",
    "parameters": "params",
    "tag": "tags",
    "jobs": "job",
}


_INSTANTS: Final = ("_at", "submit_time", "start_time", "end_time", "_since")


def term(vocabulary: Vocabulary, space: str, key: str) -> Term:
    """What `space.key` names. Raises `Wrong` with what is like it."""
    plain = _SPACES.get(space.lower(), space.lower())
    if plain in vocabulary.keyed:
        return Term(plain, texts.key(key, plain))
    known = _columns(vocabulary, plain)
    if known is None:
        spaces = ("attributes", *vocabulary.keyed, *(("job",) if vocabulary.jobs else ()))
        raise _unknown(f"{space}.{key}", plain, spaces)
    if plain == "attributes":
        key = vocabulary.synonyms.get(key, key)
    if key not in known:
        raise _unknown(key, key, known, _elsewhere(vocabulary, key) if plain != "job" else ())
    return Term(plain, key)


def is_instant(named: Term) -> bool:
    """Whether it is a column of Unix seconds."""
    return named.space in ("attributes", "job") and named.key.endswith(_INSTANTS)


def _columns(vocabulary: Vocabulary, space: str) -> Mapping[str, ColumnElement[Any]] | None:
    if space == "attributes":
        return vocabulary.columns
    return vocabulary.jobs if space == "job" and vocabulary.jobs else None


def column(vocabulary: Vocabulary, named: Term) -> ColumnElement[Any]:
    """The column of an attribute, or of the job."""
    return (vocabulary.jobs if named.space == "job" else vocabulary.columns)[named.key]


def is_text(column: ColumnElement[Any]) -> bool:
    """Whether it holds text and no numbers."""
    return isinstance(column.type, String)


def head(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The first characters of a long text, as the indices have them."""
    if not isinstance(column.type, Text):
        return column
    return func.substr(column, literal_column("1"), literal_column(str(HEAD)), type_=column.type)


def with_jobs(source: FromClause) -> FromClause:
    """Runs with their jobs, those that have one."""
    return source.join(jobs, runs.c.job_key == jobs.c.key)


def _elsewhere(vocabulary: Vocabulary, key: str) -> list[str]:
    """What else may be called so."""
    job = [f"job.{key}" if key in vocabulary.jobs else "job.COLUMN"] if vocabulary.jobs else []
    return [f"{space}.{key}" for space in vocabulary.keyed] + job


def _unknown(shown: str, word: str, known: Any, elsewhere: Iterable[str] = ()) -> Wrong:
    near = nearest(word, known)
    there = "there are " + ", ".join([*known, *elsewhere])
    return Wrong(f"{quote(shown)} is no column here", f"did you mean {near}?" if near else there)
