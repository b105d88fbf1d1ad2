"""Folders of sweeps as the tests make them up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpcshell.flow.reading import from_document
from hpcshell.sweeps.folder import Folder
from hpcshell.sweeps.ledger import Intent, Taken, Target, Wanted
from hpcshell.sweeps.making import Source, make

PLAIN: Mapping[str, Any] = {"name": "study", "command": "true", "passing": "environment"}


def source(points: int = 3, **spec: Any) -> Source:
    """A specification of so many points of `n`."""
    document = {**PLAIN, "sweep": {"grid": {"n": list(range(points))}}, **spec}
    return Source(from_document(document, "the test's"))


def folder(project: Path, points: int = 3, **spec: Any) -> Folder:
    """The folder of a sweep of which nothing was submitted yet."""
    return make(source(points, **spec), str(project))


def submitted(made: Folder, *jobs: str, on: str = "nowhere", single: bool = False) -> Folder:
    """It is on record that all of its points went there; each has its folder."""
    points = tuple(row.id for row in made.rows())
    ledger = made.ledger()
    key = f"k{len(ledger.intents)}"
    ledger.add(Wanted(points=points, targets=(Target(on=on),), time=0.0))
    ledger.add(Intent(key=key, on=on, points=points, time=0.0, single=single))
    if jobs:
        ledger.add(Taken(key=key, on=on, jobs=jobs))
    for row in made.rows():
        Path(made.directory(row)).mkdir(exist_ok=True)
    return made


def said(made: Folder, index: int, run: str) -> Path:
    """What a point wrote of its runs; its folder."""
    point = Path(made.directory(made.rows()[index]))
    (point / "run").write_text(run)
    return point
