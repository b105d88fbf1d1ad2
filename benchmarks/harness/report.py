"""What is printed and what is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.figures import Goal, Turn

SCHEMA = 1
Cell = str | float | None


@dataclass
class Record:
    """One run of one program: enough to recompute every printed figure."""

    program: str
    machine: Mapping[str, str | int | float]
    accounting: str
    options: Mapping[str, Any]
    turns: list[Turn] = field(default_factory=list)
    retaken: int = 0
    interrupted: bool = False
    skipped: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    def save(self, path: Path, goals: Sequence[Goal]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = {"schema": SCHEMA, **asdict(self)}
        kept["goals"] = [
            {
                "figure": goal.figure,
                "words": goal.words,
                "bound": goal.bound,
                "stretch": goal.stretch,
                "measured": self.figures.get(goal.figure),
                "verdict": goal.verdict(self.figures),
            }
            for goal in goals
        ]
        path.write_text(json.dumps(kept, indent=1) + "\n")


def table(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table that also reads well as it is: names to the left, figures right."""
    cells = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [headers, rule, *cells]
    return "\n".join("| " + " | ".join(_padded(line, widths)) + " |" for line in lines)


def goal_table(goals: Sequence[Goal], figures: Mapping[str, float]) -> str:
    rows: list[list[Cell]] = []
    for goal in goals:
        verdict = goal.verdict(figures)
        words = f"{goal.words} (stretch)" if goal.stretch else goal.words
        rows.append([words, figures.get(goal.figure), goal.bound, verdict])
    return table(["goal", "measured", "bound", ""], rows)


def heading(record: Record) -> str:
    m = record.machine
    return (
        f"{record.program}: {m['cpu']}, {m['cores']} cores, {m['kernel']}, Python {m['python']}, "
        f"state on {m['filesystem']} (fdatasync {m['fdatasync_ms']} ms), {m['date']}\n"
        f"CPU counted by {record.accounting}"
    )


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    first = cells[0].ljust(widths[0])
    return [first, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return number(cell)
    return str(cell)


def number(value: float) -> str:
    """Three significant digits, no exponent."""
    if not math.isfinite(value) or value == 0:
        return str(value) if value else "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{value:,.{digits}f}" if digits > 0 else f"{round(value):,}"
