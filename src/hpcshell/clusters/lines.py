"""The rows of `hpc queue`, and which of them are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import inf
from typing import Any, Final

from hpcshell.clusters import views
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.finding import Found, find
from hpcshell.clusters.known import Known, spread
from hpcshell.clusters.lookout import Picture
from hpcshell.core.records import Record
from hpcshell.core.sightings import ENDED, Sighting

_WHICH: Final = ("ids", "elements", "all")
"""The filters that say of which jobs there are lines, not which lines are wanted."""


class Line(Record, frozen=True, kw_only=False):
    """A row of the queue, of which the document is only written (`write` does, from `what`) if
    somebody is shown it. `counts`: of an array, how many of its elements are in each state."""

    state: str
    start: float | None
    write: Callable[[Any], dict[str, Any]]
    what: object
    counts: dict[str, int] | None = None

    @classmethod
    def of(cls, view: dict[str, Any]) -> Line:
        counts = (view.get("elements") or {}).get("counts")
        return cls(view["state"], view["start_time"], dict, view, counts)

    def document(self) -> dict[str, Any]:
        return self.write(self.what)

    def order(self) -> float:
        """First what runs, in the order of its beginning."""
        return inf if self.state == "PENDING" or self.start is None else self.start


def counts_of(lines: Sequence[Line]) -> Counter[str]:
    """How many jobs and elements are in each state."""
    counts = Counter(line.state for line in lines if not line.counts)
    for line in lines:
        if line.counts:
            counts.update(line.counts)
    return counts


def lines_of(cluster: Cluster, seen: Picture, filters: dict[str, Any]) -> Iterator[Line]:
    """A line for every job that the filters choose, or with `elements` for every element."""
    several = _every(cluster, seen, filters)
    if any(value for name, value in filters.items() if name not in _WHICH):
        return (line for line in several if wanted(line.document(), filters))
    return several


def _every(cluster: Cluster, seen: Picture, filters: dict[str, Any]) -> Iterator[Line]:
    if filters.get("ids"):
        for one in find(cluster, seen, filters["ids"]):
            yield from map(Line.of, documents(one, cluster.name))
        return
    for known in seen.known:
        if not known.over or filters.get("all"):
            yield from _of_known(known, apart=bool(filters.get("elements")))
    hidden = frozenset() if filters.get("all") else ENDED

    def write(other: Sighting) -> dict[str, Any]:
        return views.stranger(other, other.element, cluster.name)

    for other in seen.strangers:
        if other.state not in hidden:
            yield Line(other.state, other.start_time, write, other)


def _of_known(known: Known, *, apart: bool) -> Iterator[Line]:
    if known.entry.array and not apart:
        yield Line.of(views.document(known))
        return
    write = partial(views.document, known, whole=False)
    for element, one in known.elements.items():
        if element is None or one.state not in ENDED:
            yield Line(one.state, one.start_time, write, element)


def documents(found: Found, cluster: str, *, apart: bool = False) -> list[dict[str, Any]]:
    """One document for the job, or one for each element that is meant (`apart`: for all)."""
    if found.known is None:
        return [
            views.stranger(one, element, cluster)
            for sighting in found.strangers
            for element, one in (spread(sighting, 0) if apart else [(sighting.element, sighting)])
        ]
    if found.elements is None and not (apart and found.known.entry.array):
        return [views.document(found.known)]
    return list(views.of_elements(found.known, found.members()))


def wanted(row: dict[str, Any], filters: dict[str, Any]) -> bool:
    """Whether a row is what the filters of `hpc queue` and `hpc history` ask for."""
    states = {str(state).upper() for state in filters.get("states") or ()}
    counts = (row.get("elements") or {}).get("counts") or {}
    tests: Iterable[bool] = (
        not states or row["state"] in states or bool(states & counts.keys()),
        not filters.get("user") or row["user"] == filters["user"],
        not filters.get("names") or row["name"] in filters["names"],
        not filters.get("tags") or bool(set(filters["tags"]) & set(row["tags"])),
        not filters.get("partition") or row["partition"] == filters["partition"],
        not filters.get("since") or (row["end_time"] or 0.0) >= filters["since"],
        not filters.get("until") or (row["end_time"] or 0.0) <= filters["until"],
    )
    return all(tests)
