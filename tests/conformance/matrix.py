"""Tries the behaviours on a back end, many at a time, and draws the matrix.

python -m tests.conformance.matrix slurm
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hpcshell.jobs.doors import Door, door
from tests.conformance.behaviours import BEHAVIOURS
from tests.conformance.bench import Bench, Lacking

HOLDS = "holds"
AT_ONCE = 8
Verdicts = dict[str, str]
"""By behaviour: `holds`, `lacks: SENTENCE`, or what went wrong."""


def tried(way: Door, limits: Mapping[str, Any], names: Iterable[str] = BEHAVIOURS) -> Verdicts:
    """What holds behind a door."""
    chosen = list(names)
    with (
        tempfile.TemporaryDirectory(prefix="hpc-conformance-", ignore_cleanup_errors=True) as where,
        ThreadPoolExecutor(max_workers=AT_ONCE) as pool,
    ):
        found = pool.map(lambda name: _one(way, name, Path(where) / name, limits), chosen)
        return dict(zip(chosen, found, strict=True))


def _one(way: Door, name: str, directory: Path, limits: Mapping[str, Any]) -> str:
    directory.mkdir()
    begun = time.monotonic()
    try:
        BEHAVIOURS[name](Bench(way, directory, dict(limits)))
    except Lacking as lacking:
        return f"lacks: {lacking}"
    except Exception as error:  # whatever it is: it does not hold
        return f"{type(error).__name__}: {error}"
    finally:
        if os.environ.get("CONFORMANCE_TIMES"):
            sys.stderr.write(f"{time.monotonic() - begun:7.1f} s  {name}\n")
    return HOLDS


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
        told = verdict.removeprefix("lacks: ")
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


def main() -> int:
    name = sys.argv[1] if len(sys.argv) > 1 else "local"
    limits = json.loads(os.environ.get("CONFORMANCE_LIMITS", "{}"))
    found = tried(door(name), limits, sys.argv[2:] or BEHAVIOURS)
    sys.stdout.write(table({name: found}))
    bad = {each: what for each, what in found.items() if what != HOLDS and "lacks:" not in what}
    for each, what in bad.items():
        sys.stderr.write(f"{each}: {what}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
