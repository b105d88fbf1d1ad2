"""What points wrote on machines that have none of our files, brought into their folders here.

It is brought again while points go on: what is the same already is not copied.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hpcshell.core.errors import HpcError
from hpcshell.jobs.opened import door
from hpcshell.sweeps.folder import Folder, Row
from hpcshell.sweeps.ledger import Part
from hpcshell.sweeps.standing import UNKNOWN

POINTS: Final = "points"
_WILD: Final = re.compile(r"[*?\[]")
_TOGETHER: Final = 2000
"""Folders that are asked for at once: a command has only so much room for words."""


def bring(folder: Folder, rows: Sequence[Row], open_: Mapping[int, Part]) -> set[int]:
    """Bring back what these points have written, where there may be more than is here; of which
    points. What does not come now comes at another look."""
    jobs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, part in open_.items():
        if part.staged:
            jobs[part.on, part.job].append(index)
    brought: set[int] = set()
    for (on, job), indices in jobs.items():
        try:
            if _worth_it(door(on).call("show", ids=[job])["jobs"]):
                _fetch(folder, on, job, [rows[index] for index in indices])
                brought.update(indices)
        except (HpcError, LookupError):
            continue
    return brought


def _fetch(folder: Folder, on: str, job: str, rows: Sequence[Row]) -> None:
    """The folders of these points, and of no others: some of a job's may have gone elsewhere."""
    names = [f"{POINTS}/{_WILD.sub('?', row.folder or row.id)}" for row in rows]
    for first in range(0, len(names), _TOGETHER):
        some = tuple(names[first : first + _TOGETHER])
        door(on).call("fetch", ids=[job], names=some, into=folder.path, force=True)


def _worth_it(views: Iterable[Mapping[str, Any]]) -> bool:
    """Whether something of it has begun, and whoever has it answers."""
    for view in views:
        elements = view.get("elements")
        states = elements["counts"] if elements else (view["state"],)
        if any(state not in ("PENDING", UNKNOWN) for state in states):
            return True
    return False
