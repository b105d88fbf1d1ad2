"""The record of what holds on which back end, and the matrix of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.conformance.behaviours import BEHAVIOURS

HOLDS = "holds"
LACKS = "lacks: "
RECORD = Path(__file__).with_name("verdicts.json")
Verdicts = dict[str, str]
"""By behaviour: `holds`, `lacks: SENTENCE; WHAT IS NEAREST`, or what went wrong."""


def recorded() -> dict[str, Verdicts]:
    """What held when it was last written down, by back end."""
    found: dict[str, Verdicts] = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    return found


def record(columns: Mapping[str, Verdicts]) -> None:
    text = json.dumps(columns, indent=2, ensure_ascii=False)
    RECORD.write_text(text + "\n", "utf-8")


def sentence(name: str) -> str:
    return (BEHAVIOURS[name].__doc__ or name).strip()


def table(columns: Mapping[str, Verdicts]) -> str:
    """The matrix in Markdown, with a note for whatever is lacking."""
    notes: dict[str, int] = {}

    def cell(verdict: str | None) -> str:
        if verdict is None:
            return " "
        if verdict == HOLDS:
            return "yes"
        told = verdict.removeprefix(LACKS)
        return f"no [{notes.setdefault(told, len(notes) + 1)}]"

    lines = [
        f"| behaviour | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
        *(
            f"| {sentence(name)} | {' | '.join(cell(one.get(name)) for one in columns.values())} |"
            for name in BEHAVIOURS
        ),
    ]
    counts = [f"{sum(v == HOLDS for v in one.values())} of {len(one)}" for one in columns.values()]
    lines.append(f"| **hold** | {' | '.join(counts)} |")
    lines += ["", *(f"{number}. {text}" for text, number in notes.items())]
    return "\n".join(lines) + "\n"
