"""Directories of jobs on a cluster that are of no more use.

Only those are removed that were made by us, for submissions that are on record here as ended. What
may be alive, or was to bring back what has not come, stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.lookout import on_record, picture
from hpcshell.core.commands import Words
from hpcshell.core.errors import Unreachable
from hpcshell.core.records import Record
from hpcshell.core.sightings import ENDED
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry

_KEY: Final = re.compile(r"hpc[a-z0-9]{16}m*\Z")
_LIST: Final = '[ ! -d "$1" ] || ls -1 -- "$1"'


class Left(Record, frozen=True, kw_only=True):
    """A directory that is there: whose it is, when that ended, and why it stays ("": it goes)."""

    entry: Entry
    ended: float
    why: str = ""


def clear(
    cluster: Cluster, older: float, *, unfetched: bool = False, dry_run: bool = False
) -> list[Left]:
    """Removes directories of jobs that ended more than `older` seconds ago; those that there are.
    `unfetched`: also of those whose results have not come."""
    left = list(_left(cluster, older, unfetched))
    for each in left:
        if not each.why and not dry_run:
            cluster.link.remove(each.entry.directory)
    return left


def _left(cluster: Cluster, older: float, unfetched: bool) -> Iterator[Left]:
    picture(cluster)  # what has ended since is on record then
    there = _there(cluster)
    for entry in cluster.ledger.ended_entries(cluster.name, 0, 0):
        if entry.key not in there or entry.directory != f"{cluster.directory}/{entry.key}":
            continue
        sightings = on_record(cluster, entry).elements.values()
        if any(one.state not in ENDED for one in sightings):
            continue
        ended = max([entry.submitted, *(one.end_time or 0.0 for one in sightings)])
        if clock.now() - ended < older:
            continue
        waits = bool(entry.spec.stage_out) and entry.fetched is None and not unfetched
        yield Left(entry=entry, ended=ended, why="its results were not fetched" if waits else "")


def _there(cluster: Cluster) -> set[str]:
    """The names of ours in the directory of jobs."""
    answer = cluster.say(Words(argv=("sh", "-c", _LIST, "sh", cluster.directory)))
    if answer.code != 0:
        raise Unreachable(
            f"{cluster.name}: {cluster.directory} cannot be listed: {answer.said}",
            "hpc cluster status",
        )
    return {name for name in answer.out.splitlines() if _KEY.match(name)}
