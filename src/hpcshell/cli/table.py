"""Tables of text: aligned columns; cut to the window on a terminal, whole in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from hpcshell.cli.talk import Talk, terminal_width

GAP: Final = "  "
_LEAST: Final = 8


class Column(NamedTuple):
    """A heading and how its cells stand. The elastic column gives way when the window is narrow."""

    head: str
    right: bool = False
    elastic: bool = False
    state: bool = False


def cells_wide(text: str) -> int:
    """Columns the text takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )


def cut(text: str, width: int) -> str:
    """The text, ended with `…` if it is wider than `width` columns."""
    if cells_wide(text) <= width:
        return text
    while text and cells_wide(text) > width - 1:
        text = text[:-1]
    return text + "…"


def table(talk: Talk, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Headings and rows as lines. Cells must be safe to print already."""
    heads = [column.head for column in columns]
    if not talk.colour and terminal_width() is None and all(map(_ascii, rows)):
        return _plain(columns, [heads, *rows])
    widths = [max(map(cells_wide, cells)) for cells in zip(heads, *rows, strict=True)]
    _squeeze(columns, widths)
    lines = [talk.paint(_line(columns, heads, widths), "bold")]
    for row in rows:
        lines.append(_line(columns, row, widths, talk))
    return lines


def fits(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the lines of such a table fit in the window, if there is one."""
    window = terminal_width()
    if window is None:
        return True
    heads = [column.head for column in columns]
    widths = [max(map(cells_wide, cells)) for cells in zip(heads, *rows, strict=True)]
    _squeeze(columns, widths)
    return sum(widths) + len(GAP) * (len(widths) - 1) <= window


def _ascii(row: Sequence[str]) -> bool:
    return "".join(row).isascii()


def _plain(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines where nothing is cut or painted, and each character is as wide as another:
    thousands of them are to take no longer than those of the scheduler's own commands."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    form = GAP.join(
        f"%{width}s" if column.right else f"%-{width}s"
        for column, width in zip(columns, widths, strict=True)
    )
    return [(form % tuple(row)).rstrip() for row in rows]


def _squeeze(columns: Sequence[Column], widths: list[int]) -> None:
    window = terminal_width()
    if window is None:
        return
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - window
    for place, column in enumerate(columns):
        if column.elastic and excess > 0:
            taken = min(excess, max(0, widths[place] - _LEAST))
            widths[place] -= taken
            excess -= taken


def _line(
    columns: Sequence[Column], row: Sequence[str], widths: list[int], talk: Talk | None = None
) -> str:
    parts = []
    for column, text, width in zip(columns, row, widths, strict=True):
        text = cut(text, width)
        space = " " * (width - cells_wide(text))
        if talk is not None and column.state:
            text = talk.state(text)
        parts.append(space + text if column.right else text + space)
    return GAP.join(parts).rstrip()
