"""Experiments: made, found, changed, deleted and brought back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, bindparam, func, select

from hpcshell.core.errors import NotFound, Refused
from hpcshell.core.words import nearest, quote
from hpcshell.track.records import Experiment
from hpcshell.track.store import lists, texts, writing
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.filters.vocabulary import EXPERIMENTS
from hpcshell.track.store.paging import Page, Wanted
from hpcshell.track.store.tables import experiment_tags, experiments, runs

_LIVE: Final = experiments.c.deleted_at.is_(None)
_shown: Final = select(experiments).where(experiments.c.id == bindparam("id"))
_named: Final = select(experiments).where(experiments.c.name == bindparam("name"), _LIVE)
_id_of: Final = select(experiments.c.id).where(experiments.c.name == bindparam("name"), _LIVE)
_many: Final = select(experiments).where(experiments.c.id.in_(bindparam("ids", expanding=True)))
_tags: Final = (
    select(experiment_tags)
    .where(experiment_tags.c.experiment_id.in_(bindparam("ids", expanding=True)))
    .order_by(experiment_tags.c.experiment_id, experiment_tags.c.key)
)
_counts: Final = (
    select(runs.c.experiment_id, func.count())
    .where(runs.c.experiment_id.in_(bindparam("ids", expanding=True)), runs.c.deleted_at.is_(None))
    .group_by(runs.c.experiment_id)
)
_deleted: Final = (
    select(experiments)
    .where(experiments.c.name == bindparam("name"), experiments.c.deleted_at.is_not(None))
    .order_by(experiments.c.id.desc())
    .limit(1)
)
_LOOKED_AT: Final = 10_000
_names: Final = select(experiments.c.name).order_by(experiments.c.id.desc()).limit(_LOOKED_AT)
_all_names: Final = _names.where(_LIVE)
_deleted_names: Final = _names.where(experiments.c.deleted_at.is_not(None))
HINT: Final = "hpc track experiments lists them"


def create(
    connection: Connection,
    name: str,
    *,
    description: str = "",
    owner: str = "",
    tags: Mapping[str, str] | None = None,
    now: float,
) -> Experiment:
    """A new one. Raises `Exists` where the name is taken, and `Wrong`."""
    texts.key(name, "experiment")
    if (there := connection.scalar(_id_of, {"name": name})) is not None:
        raise _taken(name, there)
    values = {
        "name": name,
        "description": texts.kept(description, "description"),
        "owner": texts.word(owner, "owner"),
        "created_at": now,
        "updated_at": now,
    }
    id = connection.scalar(experiments.insert().returning(experiments.c.id), values)
    assert id is not None
    writing.put(connection, experiment_tags, {"experiment_id": id}, texts.pairs(tags or {}, "tag"))
    return show(connection, id)


def ensure(
    connection: Connection, name: str, *, description: str = "", owner: str = "", now: float
) -> Experiment:
    """The one of this name, which is made where there is none. Raises `Wrong`."""
    found = named(connection, name)
    return found or create(connection, name, description=description, owner=owner, now=now)


def show(connection: Connection, id: int) -> Experiment:
    """The one of this number, deleted or not. Raises `NotFound`."""
    row = connection.execute(_shown, {"id": texts.row_id(id, "experiment")}).mappings().first()
    if row is None:
        raise _missing(id)
    return _documents(connection, [row])[0]


def exists(connection: Connection, id: int) -> None:
    """Raises `NotFound` unless it is there, deleted or not."""
    if connection.execute(_shown, {"id": texts.row_id(id, "experiment")}).first() is None:
        raise _missing(id)


def named(connection: Connection, name: str) -> Experiment | None:
    """The one of this name that is not deleted."""
    texts.key(name, "experiment")
    row = connection.execute(_named, {"name": name}).mappings().first()
    return None if row is None else _documents(connection, [row])[0]


def meant(connection: Connection, text: str) -> Experiment:
    """The one that a person means: by its number, deleted or not, or by its name. Raises
    `NotFound`."""
    by_name = named(connection, text) if text else None
    return by_name or _numbered(connection, text, _all_names, HINT)


def meant_deleted(connection: Connection, text: str) -> Experiment:
    """The same of those that are deleted, the latest that had the name; by its number any. Raises
    `NotFound`."""
    hint = "hpc track experiments --deleted lists them"
    row = connection.execute(_deleted, {"name": text}).mappings().first()
    if row is not None:
        return _documents(connection, [row])[0]
    return named(connection, text) or _numbered(connection, text, _deleted_names, hint)


def _numbered(connection: Connection, text: str, names: Select[Any], hint: str) -> Experiment:
    if text.isascii() and text.isdecimal() and len(text) < 20:
        return show(connection, int(text))
    near = nearest(text, connection.scalars(names))
    raise NotFound(
        f"there is no experiment {quote(text)}", f"did you mean {quote(near)}?" if near else hint
    )


def page(connection: Connection, wanted: Wanted) -> Page[Experiment]:
    """A page of them. Raises `Wrong`."""
    ids, after = lists.page(connection, EXPERIMENTS, wanted)
    rows = {row["id"]: row for row in connection.execute(_many, {"ids": ids}).mappings()}
    found = [rows[id] for id in ids if id in rows]
    return Page(rows=_documents(connection, found), next=after)


def update(
    connection: Connection,
    id: int,
    *,
    name: str | None = None,
    description: str | None = None,
    owner: str | None = None,
    now: float,
) -> None:
    """Change what is given. Raises `Exists`, `NotFound`, `Refused` or `Wrong`."""
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = texts.key(name, "experiment")
        if (there := connection.scalar(_id_of, {"name": name})) not in (None, id):
            raise _taken(name, there)
    if description is not None:
        values["description"] = texts.kept(description, "description")
    if owner is not None:
        values["owner"] = texts.word(owner, "owner")
    _change(connection, id, now, values)


def set_tags(connection: Connection, id: int, tags: Mapping[str, str], now: float) -> None:
    """Write these over what there is. Raises `NotFound`, `Refused` or `Wrong`."""
    checked = texts.pairs(tags, "tag")
    _change(connection, id, now, {})
    writing.put(connection, experiment_tags, {"experiment_id": id}, checked)


def set_tag(connection: Connection, id: int, key: str, value: str, now: float) -> None:
    """The same for one."""
    set_tags(connection, id, {key: value}, now)


def drop_tag(connection: Connection, id: int, key: str, now: float) -> None:
    """Take a tag away. Raises `NotFound` where it has none of that name."""
    _change(connection, id, now, {})
    gone = connection.execute(
        experiment_tags.delete().where(
            experiment_tags.c.experiment_id == id, experiment_tags.c.key == texts.key(key, "tag")
        )
    )
    if not gone.rowcount:
        raise NotFound(f"experiment {id} has no tag {quote(key)}", "show it for its tags")


def delete(connection: Connection, id: int, now: float) -> None:
    """Delete it with its runs, until it is restored or purged; again does nothing."""
    if show(connection, id).deleted_at is not None:
        return
    connection.execute(
        experiments.update().where(experiments.c.id == id).values(deleted_at=now, updated_at=now)
    )
    connection.execute(
        runs.update()
        .where(runs.c.experiment_id == id, runs.c.deleted_at.is_(None))
        .values(deleted_at=now)
    )


def restore(connection: Connection, id: int, now: float) -> None:
    """Bring it back, with the runs that were deleted with it. Raises `Exists` where another has
    taken its name."""
    found = show(connection, id)
    if found.deleted_at is None:
        return
    if (there := connection.scalar(_id_of, {"name": found.name})) is not None:
        raise _taken(found.name, there)
    connection.execute(
        experiments.update().where(experiments.c.id == id).values(deleted_at=None, updated_at=now)
    )
    connection.execute(
        runs.update()
        .where(runs.c.experiment_id == id, runs.c.deleted_at == found.deleted_at)
        .values(deleted_at=None)
    )


def require_live(connection: Connection, id: int) -> None:
    """Raises `NotFound` or `Refused` unless it is there and not deleted."""
    row = connection.execute(_shown, {"id": texts.row_id(id, "experiment")}).mappings().first()
    if row is None:
        raise _missing(id)
    if row["deleted_at"] is not None:
        raise Refused(
            f"experiment {id} is deleted", f"restore it first: hpc track undo --experiment {id}"
        )


def _change(connection: Connection, id: int, now: float, values: dict[str, Any]) -> None:
    require_live(connection, id)
    changed = values | {"updated_at": now}
    connection.execute(experiments.update().where(experiments.c.id == id).values(changed))


def _documents(connection: Connection, rows: Iterable[RowMapping]) -> list[Experiment]:
    known = list(rows)
    ids = [row["id"] for row in known]
    if not ids:
        return []
    counts = {row[0]: row[1] for row in connection.execute(_counts, {"ids": ids})}
    tags: dict[int, dict[str, str]] = {}
    for id, key, value in connection.execute(_tags, {"ids": ids}):
        tags.setdefault(id, {})[key] = value
    return [
        Experiment(**row, tags=tags.get(row["id"], {}), runs=counts.get(row["id"], 0))
        for row in known
    ]


def _taken(name: str, id: int) -> Exists:
    return Exists(
        f"there is an experiment {quote(name)} already, {id}",
        f"go on with experiment {id}, or take another name",
    )


def _missing(id: int) -> NotFound:
    return NotFound(f"there is no experiment {id}", HINT)
