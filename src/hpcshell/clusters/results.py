"""Whose files come back, which of them, and where to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from hpcshell.clusters import views
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.finding import Found
from hpcshell.clusters.known import Known
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.records import Record
from hpcshell.core.staging import check_result
from hpcshell.core.words import safe
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry

if TYPE_CHECKING:
    from hpcshell.clusters.fetching import Came
    from hpcshell.clusters.staging import Pause

EVERYTHING = "*"
"""What is fetched of a directory that is the job's own, unless something else was said."""


class Ask(Record, frozen=True, kw_only=True):
    """What is to come back. `names`: none for what was said at the submission. `into`: "" for the
    directory of the submission. `staged`: only of jobs of which it was said at the submission, and
    that have ended."""

    names: tuple[str, ...] = ()
    into: str = ""
    force: bool = False
    staged: bool = False


def results(cluster: Cluster, found: Found, ask: Ask, pause: Pause) -> list[dict[str, Any]]:
    """Brings back what one job has written; a document for every file."""
    known = found.known
    if ask.staged and (known is None or not (known.over and known.entry.spec.stage_out)):
        return []
    if known is None:
        raise Refused(
            "only what was submitted here can be fetched", "hpc logs prints what others write"
        )
    if cluster.here:
        return [_here(known)]
    from hpcshell.clusters.fetching import fetch

    entry = known.entry
    names = tuple(check_result(name, "hpc fetch") for name in ask.names) or _usual(known)
    came = fetch(cluster, entry, names, ask.into or _origin(entry), pause, force=ask.force)
    if known.over and not ask.into and set(names) >= set(entry.spec.stage_out):
        _take_note(cluster, entry, came)
    return [_document(known, each) for each in came]


def _usual(known: Known) -> tuple[str, ...]:
    spec = known.entry.spec
    if spec.stage_out or spec.own:
        return spec.stage_out or (EVERYTHING,)
    raise Wrong(
        f"job {views.label_of(known)}: which files? nothing was said with --stage-out",
        f"name them: hpc fetch {views.label_of(known)} out.csv 'log/*.txt'",
    )


def _origin(entry: Entry) -> str:
    return entry.origin or os.getcwd()


def _take_note(cluster: Cluster, entry: Entry, came: Sequence[Came]) -> None:
    """All that was to come back has: the directory there is of no more use."""
    from hpcshell.clusters.fetching import WHOLE

    if entry.fetched is None and came and all(each.how in WHOLE for each in came):
        fetched = replace(entry, fetched=clock.now())
        cluster.ledger.learn(lambda change: change.rewrite(fetched))


def _document(known: Known, came: Came) -> dict[str, Any]:
    return {
        "id": views.number(views.label_of(known)),
        "name": safe(came.name),
        "path": safe(came.path) or None,
        "how": came.how,
        "why": came.why or None,
    }


def _here(known: Known) -> dict[str, Any]:
    cwd = known.entry.spec.submission.cwd
    why = "this cluster has the files of this machine"
    return {
        "id": views.number(views.label_of(known)),
        "name": ".",
        "path": safe(cwd),
        "how": "unchanged",
        "why": why,
    }
