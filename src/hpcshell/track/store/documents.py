"""Rows of runs as documents, whole pages of them in one question.

The database puts together what belongs to a run, as JSON: a page of fifty runs comes as fifty rows
and not as thousands, each of which would cost more here than all of it costs there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hpcshell.track.records import Run, Summary
from hpcshell.track.store import jobs
from hpcshell.track.store.jobs import Prices
from hpcshell.track.store.tables import runs

_OWN: Final = tuple(name for name in Run.__struct_fields__ if name in runs.c and name != "config")
_LARGEST: Final = "1.7976931348623157e308"


class _Words(msgspec.Struct, frozen=True):
    """What the two databases say differently. `{}` is the expression that it is about."""

    object: str
    """Of keys and texts."""
    nested: str
    """Of keys and JSON."""
    form: str
    """The function that fills a form in."""
    key: str
    hole: str
    """In a form; drivers with a `%` of their own want two."""
    real: str
    """A finite number, all its digits."""
    among: str
    """That `seq` is among those that are asked for."""


_WORDS: Final = {
    "sqlite": _Words(
        object='json_group_object("key", "value")',
        nested="'{' || coalesce(group_concat({}), '') || '}'",
        form="printf",
        key='json_quote("key")',
        hole="%s",
        real="quote({})",
        among="IN (SELECT value FROM json_each(?))",
    ),
    "postgresql": _Words(
        object="""coalesce(json_object_agg("key", "value"), '{}')::text""",
        nested="'{' || coalesce(string_agg({}, ','), '') || '}'",
        form="format",
        key='to_json("key")',
        hole="%%s",
        real="({})::text",
        among="= ANY(%s)",
    ),
}


def documents(connection: Connection, numbers: Sequence[int], prices: Prices) -> list[Run]:
    """The runs of these numbers in this order, each whole."""
    if not numbers:
        return []
    dialect = connection.dialect.name
    asked = msgspec.json.encode(numbers).decode() if dialect == "sqlite" else list(numbers)
    rows = connection.exec_driver_sql(_STATEMENTS[dialect], (asked,))
    found = {row[0]: _document(row, prices) for row in rows}
    return [found[number] for number in numbers if number in found]


def _document(row: Sequence[Any], prices: Prices) -> Run:
    _, experiment, config, params, tags, metrics, *rest = row
    own, job = rest[: len(_OWN)], rest[len(_OWN) :]
    return Run(
        **dict(zip(_OWN, own, strict=True)),
        experiment=experiment,
        config=_config(config),
        params=_texts(params),
        tags=_texts(tags),
        metrics=_metrics(metrics),
        job=None if job[0] is None else jobs.of_values(job, prices),
    )


_texts: Final = msgspec.json.Decoder(dict[str, str]).decode
_metrics: Final = msgspec.json.Decoder(dict[str, Summary]).decode
_config: Final = msgspec.json.Decoder(dict[str, Any]).decode


# ----------------------------------------------------------------------------------- statements


def _statement(words: _Words) -> str:
    own = _columns("r", _OWN)
    job = _columns("j", jobs.COLUMNS)
    metrics = words.nested.replace("{}", _summary(words))
    return (
        f"SELECT r.seq, e.name, r.config, (SELECT {words.object} FROM params x"
        f" WHERE x.run_id = r.run_id), (SELECT {words.object} FROM tags x"
        f" WHERE x.run_id = r.run_id), (SELECT {metrics} FROM series x"
        f" WHERE x.run_id = r.run_id), {own}, {job}"
        " FROM runs r JOIN experiments e ON e.id = r.experiment_id"
        ' LEFT JOIN jobs j ON j."key" = r.job_key'
        f" WHERE r.seq {words.among}"
    )


def _columns(table: str, names: Iterable[str]) -> str:
    return ", ".join(f'{table}."{name}"' for name in names)


def _summary(words: _Words) -> str:
    """The key and the document `Summary` of a row of `series`. `last` NULL is NaN; so are the
    others, unless there is none of them, which is where their steps are NULL."""
    none = "'null'"
    fields = {
        "count": '"count"',
        "last": _number(words, "last"),
        "last_step": '"last_step"',
        "last_time": words.real.format('"last_time"'),
    }
    for name in ("min", "max"):
        step = f'"{name}_step"'
        fields[name] = f"CASE WHEN {step} IS NULL THEN {none} ELSE {_number(words, name)} END"
        fields[f"{name}_step"] = f"CASE WHEN {step} IS NULL THEN {none} ELSE {_text(step)} END"
    form = ",".join(f'"{name}":{words.hole}' for name in fields)
    values = ", ".join([words.key, *fields.values()])
    return f"{words.form}('{words.hole}:{{{form}}}', {values})"


def _text(column: str) -> str:
    return f"CAST({column} AS TEXT)"


def _number(words: _Words, name: str) -> str:
    column = f'"{name}"'
    return (
        f"CASE WHEN {column} BETWEEN -{_LARGEST} AND {_LARGEST} THEN {words.real.format(column)}"
        f" WHEN {column} IS NULL THEN '\"NaN\"' WHEN {column} > 0 THEN '\"Infinity\"'"
        " ELSE '\"-Infinity\"' END"
    )


_STATEMENTS: Final[Mapping[str, str]] = {
    "sqlite": _statement(_WORDS["sqlite"]),
    "postgresql": _statement(_WORDS["postgresql"]),
}
