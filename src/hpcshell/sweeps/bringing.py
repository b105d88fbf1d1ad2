"""What points wrote on machines that have none of our files, brought into their folders here.

It is brought again while points go on: what is the same already is not copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hpcshell.core.errors import HpcError
from hpcshell.jobs.opened import door
from hpcshell.sweeps.folder import Folder
from hpcshell.sweeps.ledger import Part

POINTS: Final = "points"


def bring(folder: Folder, open_: Mapping[int, Part]) -> set[int]:
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
                ask = {"ids": [job], "names": (POINTS,), "into": folder.path, "force": True}
                door(on).call("fetch", **ask)
                brought.update(indices)
        except (HpcError, LookupError):
            continue
    return brought


def _worth_it(views: Iterable[Mapping[str, Any]]) -> bool:
    """Whether something of it has begun."""
    for view in views:
        elements = view.get("elements")
        states = elements["counts"] if elements else (view["state"],)
        if any(state != "PENDING" for state in states):
            return True
    return False
