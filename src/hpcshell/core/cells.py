"""Cells of tables as text that every program reads and no spreadsheet runs.

csv_line(["a,b", 0.5, "=1+1", None])    '"a,b",0.5,\'=1+1,\\n'
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""


def csv_line(cells: Iterable[Any]) -> str:
    """Cells as a line of CSV, with its end."""
    return ",".join(map(csv_field, cells)) + "\n"


def csv_field(cell: Any) -> str:
    """Numbers as Python writes them, what has parts as JSON; text that a spreadsheet would run is
    marked as text."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return repr(cell)
    word = _marked(words_of(cell))
    return '"' + word.replace('"', '""') + '"' if set(word) & set(',"\r\n') else word


def _marked(text: str) -> str:
    """Also where it is marked already, so that the mark can be taken off again."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def words_of(cell: Any) -> str:
    """Text itself, and what has parts as JSON."""
    return cell if isinstance(cell, str) else dumped(cell)


def dumped(value: Any) -> str:
    """Short JSON, which Python reads back: NaN is in it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
