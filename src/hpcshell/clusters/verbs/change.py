"""Verbs that change jobs: cancel, hold, release, requeue, suspend, resume, edit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from hpcshell.clusters.changing import EDITS, Say, change, check_edit
from hpcshell.clusters.finding import Found, find
from hpcshell.clusters.verbs.look import show
from hpcshell.core.errors import Refused, Wrong
from hpcshell.core.sightings import LIVE
from hpcshell.core.words import signal_number
from hpcshell.machine import clock

if TYPE_CHECKING:
    from hpcshell.clusters.desk import Desk
    from hpcshell.clusters.lookout import Picture

Ids = Sequence[str]


def cancel(
    desk: Desk, ids: Ids = (), signal: str | None = None, dry_run: bool = False, **filters: Any
) -> dict[str, Any]:
    """End jobs, or with `signal` only send them one."""
    if signal:
        signal_number(signal)
        say = partial(desk.cluster.backend.signal, signal=signal)
        return _change(desk, "signal", ids, say, dry_run, filters)
    return _change(desk, "cancel", ids, desk.cluster.backend.cancel, dry_run, filters)


def hold(desk: Desk, ids: Ids = (), dry_run: bool = False, **filters: Any) -> dict[str, Any]:
    """Keep what waits from starting."""
    return _change(desk, "hold", ids, desk.cluster.backend.hold, dry_run, filters)


def release(desk: Desk, ids: Ids = (), dry_run: bool = False, **filters: Any) -> dict[str, Any]:
    """Let what is held start."""
    return _change(desk, "release", ids, desk.cluster.backend.release, dry_run, filters)


def requeue(desk: Desk, ids: Ids = (), dry_run: bool = False, **filters: Any) -> dict[str, Any]:
    """End what runs and have it wait again."""
    return _change(desk, "requeue", ids, desk.cluster.backend.requeue, dry_run, filters)


def suspend(desk: Desk, ids: Ids = (), dry_run: bool = False, **filters: Any) -> dict[str, Any]:
    """Let what runs stand still."""
    return _change(desk, "suspend", ids, desk.cluster.backend.suspend, dry_run, filters)


def resume(desk: Desk, ids: Ids = (), dry_run: bool = False, **filters: Any) -> dict[str, Any]:
    """Let what is suspended go on."""
    return _change(desk, "resume", ids, desk.cluster.backend.resume, dry_run, filters)


def edit(desk: Desk, ids: Ids, changes: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
    """Change what the site lets be changed."""
    check_edit(desk.cluster, changes)
    before = show(desk, ids)["jobs"]
    edits = {EDITS[field]: value for field, value in changes.items()}
    say = partial(desk.cluster.backend.edit, changes=edits)
    answer = _change(desk, "edit", ids, say, dry_run, {})
    if answer["unchanged"] and not answer["jobs"]:
        raise Refused(answer["unchanged"][0]["why"], "how it is: hpc show")
    changed = {
        view["id"]: {field: [view.get(field), new] for field, new in changes.items()}
        for view in before
    }
    return {
        "jobs": [line | {"changed": changed.get(line["id"], {})} for line in answer["jobs"]],
        "unchanged": answer["unchanged"],
    }


def _change(
    desk: Desk, verb: str, ids: Ids, say: Say, dry_run: bool, filters: dict[str, Any]
) -> dict[str, Any]:
    """What a verb does not fit, by a picture that is not of now, is looked at anew."""
    states = {str(state).upper() for state in filters.get("states") or ()}

    def carry_out(seen: Picture) -> dict[str, Any]:
        found = find(desk.cluster, seen, ids) if ids else _filtered(desk, seen, filters)
        return change(desk.cluster, verb, found, states, say, dry_run=dry_run)

    asked = clock.now()
    answer = carry_out(desk.look())
    if not answer["jobs"] and not all(line["ended"] for line in answer["unchanged"]):
        desk.cluster.polls.spoil(asked)
        answer = carry_out(desk.look())
    desk.cluster.polls.spoil()
    return answer


def _filtered(desk: Desk, seen: Picture, filters: dict[str, Any]) -> list[Found]:
    """All live jobs that the filters choose."""
    names, user = filters.get("names"), filters.get("user")
    if not (names or user or filters.get("states") or filters.get("all")):
        raise Wrong("no job was named", "give an id, a name, @ for your last job, or a filter")
    if user and user != desk.cluster.user:
        raise Refused(f"{user}'s jobs are not yours to change", "leave --user out")
    found = [Found(known=known) for known in seen.known if not known.over]
    found += [Found(strangers=(one,)) for one in seen.strangers if one.state in LIVE]
    return [one for one in found if not names or _name(one) in names]


def _name(found: Found) -> str:
    return found.known.entry.name if found.known else found.strangers[0].name
