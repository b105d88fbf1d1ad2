"""One look at a cluster: what its scheduler tells of all jobs that we wait for, asked once.

One question about the queue, and at most one of the accounting, whatever the number of jobs. A job
that neither mentions is not finished: it is unknown since it was last heard of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from hpcshell.clusters import views
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.desk import Desk
from hpcshell.core.errors import HpcError, Unreachable
from hpcshell.jobs.opened import door
from hpcshell.machine import clock
from hpcshell.track.joining.facts import UNKNOWN, JobFacts
from hpcshell.track.joining.told import experiment_of, facts_of, is_whole_array
from hpcshell.track.store.jobs import JobRef, label_of
from hpcshell.track.store.jobstates import UNNAMED, Told

EARLIER: Final = 7 * 86400.0
"""The accounting is asked for jobs so many seconds old: nobody waits for older ones."""

Key = tuple[str, int | None]


class Awaited(msgspec.Struct, frozen=True):
    """A job of which more is to be learned, as `jobstates.Live` has it."""

    ref: JobRef
    user: str
    heard: float
    doubted: bool = False

    @property
    def key(self) -> Key:
        return self.ref.id, self.ref.element


def desk_of(name: str) -> Desk:
    """The desk of a cluster. Raises an `HpcError` where there is none."""
    found = door(name)
    if not isinstance(found, Desk):
        raise Unreachable(f"{name} is no cluster", "hpc cluster list tells which there are")
    return found


def name_of(cluster: Cluster) -> str:
    """What the cluster calls itself, as its jobs are told; else as we call it. Raises an
    `HpcError` where that is not known and the cluster does not answer."""
    return cluster.site().identity or cluster.name


class Looked(msgspec.Struct, frozen=True):
    """What was told, and whether the cluster answered at all."""

    told: list[Told]
    answered: bool = True


def look(name: str, awaited: Sequence[Awaited]) -> Looked:
    """All that is told now of the jobs that are waited for, and of others of the same user. Raises
    an `HpcError` where the cluster is not known at all."""
    return look_at(desk_of(name), awaited)


def look_at(desk: Desk, awaited: Sequence[Awaited]) -> Looked:
    """The same at its desk."""
    answer = desk.call("queue", limit=0, elements=True, all=True)
    if "trouble" in answer:
        return Looked(_unknown(awaited), answered=False)
    cluster, now = desk.cluster, clock.now()
    told = _Telling(cluster, awaited, now)
    told.hear(answer["rows"])
    told.hear(_of_ours(desk, told.silent()))
    told.hear(_of_others(cluster, told.silent()), only=True)
    mine = (each for each in told.silent() if each.user in ("", cluster.user))
    return Looked(told.all + _unknown(mine))


class _Telling:
    """What is told, as it comes."""

    def __init__(self, cluster: Cluster, awaited: Iterable[Awaited], now: float) -> None:
        self.kind = cluster.backend.name
        site = cluster.known_site()
        self.cluster = (site.identity if site else "") or cluster.name
        self.now = now
        self.all: list[Told] = []
        self._awaited = {each.key: each for each in awaited}
        self._heard: set[Key] = set()

    def hear(self, rows: Iterable[Mapping[str, Any]], *, only: bool = False) -> None:
        """Take in documents (`only`: of those that are waited for). What waits and is not waited
        for is nobody's run yet."""
        for view in rows:
            key = (str(view["id"]), view["element"])
            known = self._awaited.get(key)
            strange = known is None and (only or view["state"] == "PENDING")
            if is_whole_array(view) or strange or not key[0].isdecimal():
                continue
            self._heard.add(key)
            ref = known.ref if known else JobRef(self.kind, key[0], self.cluster, key[1])
            facts = facts_of(view, self.now)
            if known is not None and view["state"] == UNKNOWN:
                facts = JobFacts(unknown_since=max(known.heard, facts.unknown_since or 0.0))
            self.all.append(Told(ref, facts, experiment_of(view, UNNAMED)))

    def silent(self) -> list[Awaited]:
        """Those of which nothing was told."""
        return [each for key, each in self._awaited.items() if key not in self._heard]


def _unknown(awaited: Iterable[Awaited]) -> list[Told]:
    """That nobody knows what they do, as far as that is news."""
    return [
        Told(each.ref, JobFacts(unknown_since=each.heard)) for each in awaited if not each.doubted
    ]


def _of_ours(desk: Desk, silent: Sequence[Awaited]) -> list[dict[str, Any]]:
    """What is on record of those that were submitted from here; that asks nobody."""
    ledger, name = desk.cluster.ledger, desk.cluster.name
    words = []
    for each in silent:
        if ledger.numbered(name, int(each.ref.id), int(each.ref.id)):
            words.append(label_of(each.ref))
    try:
        return list(desk.call("show", ids=words)["jobs"]) if words else []
    except HpcError:  # an element that it does not have: then they stay unknown
        return []


def _of_others(cluster: Cluster, silent: Sequence[Awaited]) -> list[dict[str, Any]]:
    """What the accounting tells of those that were not."""
    ids = sorted({each.ref.id for each in silent})
    words = cluster.backend.history(ids, clock.now() - EARLIER) if ids else None
    if not words:
        return []
    try:
        seen = cluster.backend.read_history(cluster.say_all(words))
    except HpcError:
        return []
    return [views.stranger(one, one.element, cluster.name) for one in seen.sightings]
