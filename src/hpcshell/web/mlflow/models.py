"""Logged models, as MLflow's client of version 3 makes and finds them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.words import quote
from hpcshell.track.store import models
from hpcshell.track.store.errors import Exists
from hpcshell.track.store.filters.parse import parse
from hpcshell.track.store.filters.tree import Missing, Node, Number, Several, Value
from hpcshell.track.store.models import Model, NewModel
from hpcshell.web.jobs.changing import own_run
from hpcshell.web.mlflow import asked, experiments, told
from hpcshell.web.mlflow.calls import By, changes, reads
from hpcshell.web.mlflow.problems import told_invalid
from hpcshell.web.security.callers import OPERATE

STATUSES: Final = {
    "LOGGED_MODEL_PENDING": "PENDING",
    "LOGGED_MODEL_READY": "READY",
    "LOGGED_MODEL_UPLOAD_FAILED": "FAILED",
}
_TOLD: Final = {ours: theirs for theirs, ours in STATUSES.items()}


class ModelInfo(msgspec.Struct, omit_defaults=True):
    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    model_type: str = ""
    source_run_id: str | None = None
    tags: list[asked.Pair] = []


class ModelData(msgspec.Struct, omit_defaults=True):
    params: list[asked.Pair] = []
    metrics: list[told.MetricTold] = []


class ModelTold(msgspec.Struct, omit_defaults=True):
    info: ModelInfo
    data: ModelData


class Shown(msgspec.Struct):
    model: ModelTold


class Found(msgspec.Struct, omit_defaults=True):
    models: list[ModelTold] = []
    next_page_token: str | None = None


def tell(row: Model) -> ModelTold:
    """A model as the client reads it."""
    metrics = msgspec.convert(list(row.metrics.values()), list[told.MetricTold])
    return ModelTold(
        ModelInfo(
            model_id=row.model_id,
            experiment_id=str(row.experiment_id),
            name=row.name,
            creation_timestamp_ms=round(row.created_at * 1000),
            last_updated_timestamp_ms=round(row.updated_at * 1000),
            artifact_uri=f"mlflow-artifacts:/{row.experiment_id}/models/{row.model_id}/artifacts",
            status=_TOLD[row.status],
            model_type=row.type,
            source_run_id=row.run_id,
            tags=told.pairs(row.tags),
        ),
        ModelData(
            told.pairs(row.params),
            [msgspec.structs.replace(each, run_id=row.run_id) for each in metrics],
        ),
    )


def owned(connection: Connection, said: asked.OneModel, by: By) -> Model:
    """The model that is to be changed. Raises `NotFound` or `Refused`."""
    row = models.show(connection, said.model_id)
    if row.user != by.user and not by.caller.may(OPERATE):
        raise Refused(
            f"model {row.model_id} is {quote(row.user)}'s, not yours", "ask whoever logged it"
        )
    return row


def _create(connection: Connection, said: asked.CreateModel, by: By) -> Shown:
    if said.source_run_id:
        own_run(connection, by.caller, said.source_run_id)
    new = NewModel(
        experiment_id=experiments.writable(connection, said.experiment_id, by).id,
        name=said.name,
        type=said.model_type,
        run_id=said.source_run_id or None,
        user=by.user,
        params=asked.mapping(said.params),
        tags=asked.mapping(said.tags),
    )
    return Shown(tell(models.create(connection, new, by.now)))


def _get(connection: Connection, said: asked.OneModel) -> Shown:
    return Shown(tell(models.show(connection, said.model_id)))


def _finalize(connection: Connection, said: asked.FinalizeModel, by: By) -> Shown:
    row = owned(connection, said, by)
    status = STATUSES.get(said.status)
    if status is None:
        raise Wrong(f"{quote(said.status)} is no status", "there are " + ", ".join(STATUSES))
    return Shown(tell(models.finalize(connection, row.model_id, status, by.now)))


def _delete(connection: Connection, said: asked.OneModel, by: By) -> None:
    models.delete(connection, owned(connection, said, by).model_id, by.now)


def _log_params(connection: Connection, said: asked.ModelPairs, by: By) -> None:
    row = owned(connection, said, by)
    with told_invalid(Exists):
        models.set_params(connection, row.model_id, asked.mapping(said.params), by.now)


def _set_tags(connection: Connection, said: asked.ModelPairs, by: By) -> None:
    row = owned(connection, said, by)
    models.set_tags(connection, row.model_id, asked.mapping(said.tags), by.now)


def _drop_tag(connection: Connection, said: asked.ModelTag, by: By) -> None:
    models.drop_tag(connection, owned(connection, said, by).model_id, said.tag_key, by.now)


# ------------------------------------------------------------------------------------- searches


def _search(connection: Connection, said: asked.SearchModels) -> Found:
    found = models.of(connection, experiments.numbers(connection, said.experiment_ids))
    if said.filter.strip():
        found = list(filter(_test(parse(said.filter)), found))
    for order in reversed(said.order_by):
        found = _ordered(found, order)
    begin = asked.whole(said.page_token or 0)
    end = begin + asked.most(said.max_results, asked.MOST_RUNS)
    return Found([tell(row) for row in found[begin:end]], str(end) if end < len(found) else None)


_FIELDS: Final[dict[str, Callable[[Model], Any]]] = {
    "name": lambda row: row.name,
    "model_id": lambda row: row.model_id,
    "model_type": lambda row: row.type,
    "status": lambda row: row.status,
    "source_run_id": lambda row: row.run_id,
    "experiment_id": lambda row: str(row.experiment_id),
    "creation_time": lambda row: row.created_at * 1000,
    "creation_timestamp": lambda row: row.created_at * 1000,
    "creation_timestamp_ms": lambda row: row.created_at * 1000,
    "last_updated_timestamp": lambda row: row.updated_at * 1000,
    "last_updated_timestamp_ms": lambda row: row.updated_at * 1000,
}
_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "LIKE": lambda its, pattern: like(its, pattern, 0),
    "ILIKE": lambda its, pattern: like(its, pattern, re.IGNORECASE),
    "NOT LIKE": lambda its, pattern: not like(its, pattern, 0),
    "NOT ILIKE": lambda its, pattern: not like(its, pattern, re.IGNORECASE),
}


def _value(space: str, key: str) -> Callable[[Model], Any]:
    match space.rstrip("s"):
        case "metric":
            return lambda row: float(row.metrics[key]["value"]) if key in row.metrics else None
        case "param" | "parameter":
            return lambda row: row.params.get(key)
        case "tag":
            return lambda row: row.tags.get(key)
        case "" | "attribute" | "attr" if key in _FIELDS:
            return _FIELDS[key]
    raise Wrong(f"{quote(key)} is no column of models", "there are " + ", ".join(_FIELDS))


def _test(node: Node) -> Callable[[Model], bool]:
    """Whether a model is as the filter says. Raises `Wrong`."""
    if isinstance(node, Several):
        parts = [_test(part) for part in node.parts]
        among = all if node.word == "AND" else any
        return lambda row: among(part(row) for part in parts)
    value = _value(node.name.space, node.name.key)
    if isinstance(node, Missing):
        return lambda row: (value(row) is None) == node.missing
    wanted = [_plain(each, node.name.key) for each in node.values]
    if node.operator in ("IN", "NOT IN"):
        return lambda row: (value(row) in wanted) == (node.operator == "IN")
    compare = _OPERATORS[node.operator]
    return lambda row: _compared(compare, value(row), wanted[0])


def _plain(value: Value, key: str) -> Any:
    if isinstance(value, Number):
        return value.value
    return STATUSES.get(value, value) if key == "status" else value


def _compared(compare: Callable[[Any, Any], bool], its: Any, wanted: Any) -> bool:
    try:
        return its is not None and compare(its, wanted)
    except TypeError:
        raise Wrong("a text is compared with a number", "put texts into quotes") from None


def like(its: str, pattern: str, flags: int) -> bool:
    """Whether it is like a pattern of SQL's. The parts between `%` are found one after the other,
    which takes no longer than both lengths multiplied."""
    head, *rest = (re.compile(_literal(part), flags | re.DOTALL) for part in pattern.split("%"))
    if not rest:
        return head.fullmatch(its) is not None
    *middle, tail = rest
    found = head.match(its)
    for part in middle:
        found = found and part.search(its, found.end())
    size = len(pattern) - pattern.rfind("%") - 1
    if found is None or len(its) - size < found.end():
        return False
    return tail.fullmatch(its, len(its) - size) is not None


def _literal(part: str) -> str:
    return "".join("." if letter == "_" else re.escape(letter) for letter in part)


def _ordered(rows: list[Model], order: asked.OrderBy) -> list[Model]:
    space, dot, key = order.field_name.partition(".")
    value = _value(space if dot else "", key if dot else space)
    having = [row for row in rows if value(row) is not None]
    having.sort(key=value, reverse=not order.ascending)
    return having + [row for row in rows if value(row) is None]


handlers: Final = [
    changes("POST", "/logged-models", asked.CreateModel, _create),
    reads("POST", "/logged-models/search", asked.SearchModels, _search),
    reads("GET", "/logged-models/{model_id:str}", asked.OneModel, _get),
    changes("PATCH", "/logged-models/{model_id:str}", asked.FinalizeModel, _finalize),
    changes("DELETE", "/logged-models/{model_id:str}", asked.OneModel, _delete),
    changes("POST", "/logged-models/{model_id:str}/params", asked.ModelPairs, _log_params),
    changes("PATCH", "/logged-models/{model_id:str}/tags", asked.ModelPairs, _set_tags),
    changes(
        "DELETE", "/logged-models/{model_id:str}/tags/{tag_key:str}", asked.ModelTag, _drop_tag
    ),
]
