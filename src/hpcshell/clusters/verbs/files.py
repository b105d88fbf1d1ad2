"""Verbs for what jobs write: where it lies, its size, its bytes, and to bring it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpcshell.clusters.finding import find
from hpcshell.clusters.lines import documents

if TYPE_CHECKING:
    from hpcshell.clusters.desk import Desk


def outputs(desk: Desk, ids: Sequence[str]) -> dict[str, Any]:
    """Where the output of jobs lies, an entry for every element."""
    found = find(desk.cluster, desk.look(), ids)
    return {
        "outputs": [
            {
                "id": view["id"],
                "element": view["element"],
                "label": view["label"],
                "state": view["state"],
                "reason": view["reason"],
                "run": view["native"] if view["start_time"] else None,
                "stdout": view["stdout"],
                "stderr": view["stderr"],
                "cluster": desk.cluster.name,
            }
            for one in found
            for view in documents(one, desk.cluster.name, apart=True)
        ]
    }


def size(desk: Desk, cluster: str, path: str) -> dict[str, int | None]:
    """The size of a file there; None: there is none."""
    return {"size": desk.cluster.link.sizes([path])[path]}


def read(desk: Desk, cluster: str, path: str, offset: int, most: int) -> dict[str, bytes]:
    """A piece of a file there."""
    return {"bytes": desk.cluster.link.read_from(path, offset, most) or b""}


def fetch(desk: Desk, ids: Sequence[str], **asked: Any) -> dict[str, Any]:
    """Bring back what jobs have written, as `results.Ask` says."""
    from hpcshell.clusters.results import Ask, results

    found, ask = find(desk.cluster, desk.look(), ids), Ask(**asked)
    return {
        "files": [file for one in found for file in results(desk.cluster, one, ask, desk.pause)]
    }
