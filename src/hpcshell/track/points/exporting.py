"""Runs and points as files for other programs: CSV, JSON lines or Parquet, made bit by bit.

runs_table(lambda: every_run(connection, wanted), "csv")     a line for each run
points_table(connection, run_ids, "parquet")                 a line for each point

Both give bytes that are to be written one after the other. In CSV nothing is a formula.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hpcshell.core.cells import csv_line
from hpcshell.core.errors import Wrong
from hpcshell.core.words import quote
from hpcshell.track.points.chunks import Columns
from hpcshell.track.points.reading import every, in_order, keys_of
from hpcshell.track.records import SCHEMA, JobRow, Run, number
from hpcshell.track.store import runs
from hpcshell.track.store.errors import NotInstalled
from hpcshell.track.store.jobs import NO_PRICES, Prices
from hpcshell.track.store.paging import MOST, Wanted

FORMS: Final = ("csv", "json", "jsonl", "parquet")
TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
"""Their media types."""
ROWS: Final = 8192
"""That are made at a time."""

_RUN: Final = tuple(
    name
    for name in Run.__struct_fields__
    if name not in ("config", "params", "tags", "metrics", "job")
)
_JOB: Final = JobRow.__struct_fields__
_KINDS: Final = {
    **dict.fromkeys(("experiment_id", "seed", "exit_code", "element", "attempt"), "int64"),
    **dict.fromkeys(("signal", "cpus", "memory", "max_rss", "count", "step"), "int64"),
    **dict.fromkeys(("created_at", "started_at", "ended_at", "heartbeat_at"), "float64"),
    **dict.fromkeys(("updated_at", "deleted_at", "submit_time", "start_time"), "float64"),
    **dict.fromkeys(("end_time", "gpus", "time_limit", "cpu_time", "cpu_hours"), "float64"),
    **dict.fromkeys(("gpu_hours", "cpu_efficiency", "memory_efficiency", "cost"), "float64"),
    **dict.fromkeys(("unknown_since", "time", "value"), "float64"),
}
"""Columns that are not text."""
Rows = Iterable[Sequence[Any]]


def check_form(form: str) -> str:
    """The form itself. Raises `Wrong`, and `NotInstalled` for Parquet where there is no pyarrow."""
    if form not in FORMS:
        raise Wrong(f"{quote(form)} is no form of a table", f"the forms are {', '.join(FORMS)}")
    if form == "parquet":
        _pyarrow()
    return form


def every_run(connection: Connection, wanted: Wanted, prices: Prices = NO_PRICES) -> Iterator[Run]:
    """All runs that are wanted, whatever its limit is, from its cursor on."""
    cursor, more = wanted.cursor, True
    while more:
        asked = msgspec.structs.replace(wanted, limit=MOST, cursor=cursor)
        page = runs.page(connection, asked, prices)
        yield from page.rows
        cursor, more = page.next, page.next is not None


def runs_table(found: Callable[[], Iterable[Run]], form: str) -> Iterator[bytes]:
    """A row for each run: its columns, those of its job as `job.x`, and a column for each of the
    `params.x`, `tags.x` and `metrics.x` (its last value) that any has. `found` is called twice. As
    JSON lines, they are the documents. Raises what `check_form` does."""
    if check_form(form) in _AS_JSON:
        return _AS_JSON[form](msgspec.json.encode(run) + b"\n" for run in found())
    keyed = _keyed(found())
    names = [*_RUN, *(f"job.{name}" for name in _JOB)]
    names += [f"{space}.{key}" for space, keys in keyed.items() for key in keys]
    rows = (_run_row(run, keyed) for run in found())
    return _written(names, rows, form)


def points_table(
    connection: Connection,
    run_ids: Iterable[str],
    form: str,
    *,
    keys: Sequence[str] | None = None,
) -> Iterator[bytes]:
    """A row for each point of these metrics (`None`: of all): run_id, metric, step, time, value.
    Raises what `check_form` does."""
    check_form(form)
    names = ("run_id", "metric", "step", "time", "value")
    rows = _point_rows(connection, run_ids, keys)
    if form in _AS_JSON:
        return _AS_JSON[form](_point_lines(names, rows))
    return _written(names, rows, form)


# --------------------------------------------------------------------------------------- rows


def _keyed(found: Iterable[Run]) -> dict[str, list[str]]:
    """The keys that any run has, in order."""
    spaces: dict[str, set[str]] = {"params": set(), "tags": set(), "metrics": set()}
    for run in found:
        for space, keys in spaces.items():
            keys.update(getattr(run, space))
    return {space: sorted(keys) for space, keys in spaces.items()}


def _run_row(run: Run, keyed: dict[str, list[str]]) -> list[Any]:
    row = [getattr(run, name) for name in _RUN]
    row += [getattr(run.job, name, None) for name in _JOB]
    for space in ("params", "tags"):
        values = getattr(run, space)
        row += [values.get(key) for key in keyed[space]]
    summaries = [run.metrics.get(key) for key in keyed["metrics"]]
    return row + [None if one is None else float(one.last) for one in summaries]


def _point_rows(
    connection: Connection, run_ids: Iterable[str], keys: Sequence[str] | None
) -> Iterator[tuple[str, str, int, float, float]]:
    for run_id in run_ids:
        there = keys_of(connection, run_id)
        for key in there if keys is None else [key for key in there if key in keys]:
            points = in_order(every(connection, run_id, key))
            for at in range(0, len(points.steps), ROWS):
                for point in _tuples(points.take(slice(at, at + ROWS))):
                    yield run_id, key, *point


def _tuples(points: Columns) -> Iterator[tuple[int, float, float]]:
    return zip(*(column.tolist() for column in points), strict=True)


def _point_lines(names: Sequence[str], rows: Rows) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    for row in rows:
        yield encode(dict(zip(names, (*row[:-1], number(row[-1])), strict=True))) + b"\n"


# -------------------------------------------------------------------------------------- forms


def _document(lines: Iterator[bytes]) -> Iterator[bytes]:
    """All lines as one document, as lists are answered."""
    yield b'{"schema":%d,"rows":[' % SCHEMA
    comma = b""
    for line in lines:
        yield comma + line
        comma = b","
    yield b"]}\n"


_AS_JSON: Final[dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]]] = {
    "json": _document,
    "jsonl": iter,
}


def _written(names: Sequence[str], rows: Rows, form: str) -> Iterator[bytes]:
    each = iter(rows)
    batches = iter(lambda: list(islice(each, ROWS)), [])
    return (_csv if form == "csv" else _parquet)(names, batches)


def _csv(names: Sequence[str], batches: Iterator[list[Sequence[Any]]]) -> Iterator[bytes]:
    yield csv_line(names).encode("utf-8", "backslashreplace")
    for batch in batches:
        yield "".join(map(csv_line, batch)).encode("utf-8", "backslashreplace")


def _parquet(names: Sequence[str], batches: Iterator[list[Sequence[Any]]]) -> Iterator[bytes]:
    pyarrow, parquet = _pyarrow()
    schema = pyarrow.schema([(name, _type(pyarrow, name)) for name in names])
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema) as writer:
        for batch in batches:
            columns = [[_plain(cell) for cell in column] for column in zip(*batch, strict=True)]
            arrays = [
                pyarrow.array(column, field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


def _type(pyarrow: Any, name: str) -> Any:
    space, dot, rest = name.partition(".")
    if dot and space != "job":
        return pyarrow.float64() if space == "metrics" else pyarrow.string()
    return getattr(pyarrow, _KINDS.get(rest or name, "string"))()


def _plain(cell: Any) -> Any:
    return ",".join(cell) if isinstance(cell, list) else cell


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise NotInstalled(
            "Parquet needs pyarrow, which is not installed",
            'pip install "hpcshell[parquet]" where this runs, or export CSV or JSON lines',
        ) from None
    return pyarrow, pyarrow.parquet


class _Sink(io.RawIOBase):
    """A file that is taken away as it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        part = bytes(content)
        self._parts.append(part)
        self._length += len(part)
        return len(part)

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        """What was written since the last time."""
        content = b"".join(self._parts)
        self._parts.clear()
        return content
