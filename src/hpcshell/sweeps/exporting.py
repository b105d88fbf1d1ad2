"""A table as a file for other programs: CSV, JSON or Parquet."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from hpcshell.core.cells import csv_line, dumped, words_of
from hpcshell.core.errors import Broken, Refused, Wrong
from hpcshell.core.words import quote
from hpcshell.flow.results.table import Table

STDOUT: Final = "-"
_WHOLE: Final = 1 << 63


def export(table: Table, path: str, form: str = "") -> None:
    """Write the table to a file, whole or not at all; `-` is the standard output. `form`: csv, json
    or parquet; the ending of the path says it where it is not given."""
    put(encoded(table, form or _form(path)), path)


def put(content: bytes, path: str) -> None:
    """Write a file, whole or not at all; `-` is the standard output. Raises `Broken`."""
    pour((content,), path)


def pour(parts: Iterable[bytes], path: str) -> None:
    """The same for what is made bit by bit."""
    if path == STDOUT:
        sys.stdout.buffer.writelines(parts)
        sys.stdout.buffer.flush()
        return
    try:
        _replace(path, parts)
    except OSError as error:
        where = quote(path, 200)
        raise Broken(f"{where} cannot be written: {error.strerror}", "name another path") from None


def encoded(table: Table, form: str) -> bytes:
    """The table in one of the forms. Raises `Wrong` for another, `Refused` for Parquet where there
    is no pyarrow."""
    if form not in _FORMS:
        known = ", ".join(_FORMS)
        raise Wrong(f"{quote(form)} is no form of a table", f"the forms are {known}")
    return _FORMS[form](table)


def _form(path: str) -> str:
    ending = os.path.splitext(path)[1][1:].lower()
    if path == STDOUT:
        return "csv"
    if ending not in _FORMS:
        known = ", ".join(f".{form}" for form in _FORMS)
        raise Wrong(f"{quote(path, 200)} does not say what form to write", f"end it in {known}")
    return ending


def _replace(path: str, parts: Iterable[bytes]) -> None:
    """A reader sees the file that was there, or the new one; a link is written through."""
    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:  # a device or a pipe has nothing to replace
            file.writelines(parts)
        return
    beside = os.path.join(os.path.dirname(path), f".export-{os.urandom(8).hex()}")
    try:
        with open(beside, "xb") as file:
            file.writelines(parts)
        os.replace(beside, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        raise


# ----------------------------------------------------------------------------------------- forms


def _csv(table: Table) -> bytes:
    return "".join(map(csv_line, (table.names, *table.rows))).encode("utf-8", "backslashreplace")


def _json(table: Table) -> bytes:
    """A list of objects, one a point, of its cells that hold something; NaN and infinities, which
    JSON has no word for, are null."""
    rows = [
        {
            name: _spoken(cell)
            for name, cell in zip(table.names, row, strict=True)
            if cell is not None
        }
        for row in table.rows
    ]
    return f"{dumped(rows)}\n".encode("utf-8", "backslashreplace")


def _spoken(cell: Any) -> Any:
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    if isinstance(cell, str | int | float):
        return cell
    return json.loads(dumped(cell), parse_constant=lambda _: None)


def _clean(text: str) -> str:
    """Without lone surrogates, which UTF-8 cannot say."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _parquet(table: Table) -> bytes:
    """Columns of whole numbers, of numbers, of truths, or else of text."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        said = "Parquet needs pyarrow, which is not installed"
        raise Refused(said, 'pip install "hpcshell[parquet]", or export CSV or JSON') from None
    columns = [_typed(pyarrow, [row[at] for row in table.rows]) for at in range(len(table.columns))]
    content = io.BytesIO()
    names = [_clean(name) for name in table.names]
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, names=names), content)
    return content.getvalue()


def _typed(pyarrow: Any, cells: list[Any]) -> Any:
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {bool}:
        return pyarrow.array(cells, pyarrow.bool_())
    if kinds == {int} and all(-_WHOLE <= one < _WHOLE for one in cells if one is not None):
        return pyarrow.array(cells, pyarrow.int64())
    if kinds and kinds <= {int, float} and all(map(_narrow, cells)):
        numbers = [None if cell is None else float(cell) for cell in cells]
        return pyarrow.array(numbers, pyarrow.float64())
    words = [None if cell is None else _clean(words_of(cell)) for cell in cells]
    return pyarrow.array(words, pyarrow.string())


def _narrow(cell: Any) -> bool:
    """Whether a float holds it exactly."""
    return not isinstance(cell, int) or abs(cell) <= 1 << 53


_FORMS: Final[dict[str, Callable[[Table], bytes]]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}
FORMS: Final = tuple(_FORMS)
"""The forms that a table can be written in."""
