"""Models that MLflow's client logged, and what runs took and made of data and models.

A model belongs to an experiment and, mostly, to the run that made it. What it is called, what it
was made with and how it did are on its row; its files are with the other artifacts, under its id.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, select

from hpcshell.core.errors import NotFound, Refused
from hpcshell.core.words import quote
from hpcshell.track.store import experiments, texts, writing
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.tables import models, uses

PENDING: Final = "PENDING"
MOST: Final = 10_000
"""Models of a search."""


class NewModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is to be made."""

    experiment_id: int
    run_id: str | None = None
    name: str = ""
    type: str = ""
    user: str = ""
    """Whose it is."""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}


class Model(NewModel, frozen=True, kw_only=True):
    """A model. `metrics`: each as its last point was said."""

    model_id: str
    """`m-` and 32 hexadecimal digits."""
    status: str = PENDING
    metrics: dict[str, Any] = {}
    created_at: float
    updated_at: float
    deleted_at: float | None = None


_MAPPINGS: Final = ("params", "tags", "metrics")
_shown: Final = select(models).where(models.c.model_id == bindparam("model"))
_of: Final = (
    select(models)
    .where(
        models.c.experiment_id.in_(bindparam("experiments", expanding=True)),
        models.c.deleted_at.is_(None),
    )
    .order_by(models.c.created_at.desc(), models.c.model_id)
    .limit(MOST)
)
_used: Final = (
    select(uses)
    .where(uses.c.run_id.in_(bindparam("runs", expanding=True)))
    .order_by(uses.c.run_id, uses.c.kind, uses.c.key)
)


def create(connection: Connection, new: NewModel, now: float) -> Model:
    """A new one. Raises `NotFound`, `Refused` or `Wrong`."""
    experiments.require_live(connection, new.experiment_id)
    made = Model(
        model_id=f"m-{uuid.uuid4().hex}",
        experiment_id=new.experiment_id,
        run_id=texts.run_id(new.run_id) if new.run_id else None,
        name=texts.word(new.name, "name"),
        type=texts.word(new.type, "model_type"),
        user=new.user,
        params=texts.pairs(new.params, "param"),
        tags=texts.pairs(new.tags, "tag"),
        created_at=now,
        updated_at=now,
    )
    values = msgspec.structs.asdict(made)
    values |= {column: _packed(values[column]) for column in _MAPPINGS}
    connection.execute(models.insert(), values)
    return made


def show(connection: Connection, model_id: str) -> Model:
    """The one of this id. Raises `NotFound`, also where it is deleted."""
    row = connection.execute(_shown, {"model": model_id}).mappings().first()
    if row is None or row["deleted_at"] is not None:
        raise NotFound(f"there is no model {quote(model_id)}", "search for its name")
    return _document(row)


def of(connection: Connection, experiment_ids: Sequence[int]) -> list[Model]:
    """Those of these experiments, the newest first."""
    rows = connection.execute(_of, {"experiments": list(experiment_ids)}).mappings()
    return [_document(row) for row in rows]


def finalize(connection: Connection, model_id: str, status: str, now: float) -> Model:
    """All of it has been logged, or will never be. Raises `NotFound`."""
    show(connection, model_id)
    _change(connection, model_id, now, {"status": status})
    return show(connection, model_id)


def set_params(connection: Connection, model_id: str, given: Mapping[str, str], now: float) -> None:
    """What it was made with. Raises `Exists` where a parameter has another value already."""
    its = show(connection, model_id).params
    for key in given.keys() & its.keys():
        if its[key] != given[key]:
            raise Exists(
                f"param {quote(key)} of model {model_id} is {quote(its[key])} already",
                "a parameter never changes; set a tag",
            )
    merged = its | texts.pairs(given, "param")
    _change(connection, model_id, now, {"params": _packed(merged)})


def set_tags(connection: Connection, model_id: str, given: Mapping[str, str], now: float) -> None:
    """Write these over what there is. Raises `NotFound` or `Wrong`."""
    merged = show(connection, model_id).tags | texts.pairs(given, "tag")
    _change(connection, model_id, now, {"tags": _packed(merged)})


def drop_tag(connection: Connection, model_id: str, key: str, now: float) -> None:
    """Take a tag away. Raises `NotFound` where it has none of that name."""
    its = dict(show(connection, model_id).tags)
    if its.pop(key, None) is None:
        raise NotFound(f"model {model_id} has no tag {quote(key)}", "show it for its tags")
    _change(connection, model_id, now, {"tags": _packed(its)})


def set_metrics(connection: Connection, model_id: str, last: Mapping[str, Any], now: float) -> None:
    """How it did: each metric as its last point was said. Raises `NotFound`."""
    merged = show(connection, model_id).metrics | dict(last)
    _change(connection, model_id, now, {"metrics": _packed(merged)})


def delete(connection: Connection, model_id: str, now: float) -> None:
    """Delete it. Raises `NotFound`."""
    show(connection, model_id)
    _change(connection, model_id, now, {"deleted_at": now})


def _change(connection: Connection, model_id: str, now: float, values: dict[str, Any]) -> None:
    changed = values | {"updated_at": now}
    connection.execute(models.update().where(models.c.model_id == model_id).values(changed))


def _document(row: RowMapping) -> Model:
    return Model(**{**row, **{name: msgspec.json.decode(row[name]) for name in _MAPPINGS}})


def _packed(value: Any) -> str:
    return msgspec.json.encode(value).decode()


# ---------------------------------------------------------------------------- what runs took


class Use(msgspec.Struct, frozen=True):
    """Something that a run took or made; see the table."""

    kind: str
    key: str
    body: str


def use(connection: Connection, run_id: str, used: Iterable[Use]) -> None:
    """Note what a run took or made; the same again is written over."""
    rows = [{"run_id": run_id, "kind": u.kind, "key": u.key, "body": u.body} for u in used]
    if len(rows) > texts.MOST_KEYS:
        raise Refused(f"{len(rows):,} are too many at once", f"at most {texts.MOST_KEYS:,}")
    if rows:
        connection.execute(writing.over(connection.dialect.name, uses), rows)


def used(connection: Connection, run_ids: Sequence[str]) -> dict[str, list[Use]]:
    """What each of these runs took and made."""
    found: dict[str, list[Use]] = {}
    for row in connection.execute(_used, {"runs": list(run_ids)}):
        found.setdefault(row.run_id, []).append(Use(row.kind, row.key, row.body))
    return found
