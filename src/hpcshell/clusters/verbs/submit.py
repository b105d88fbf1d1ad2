"""Verbs that hand jobs over: submit, estimate, rerun."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from hpcshell.clusters import views
from hpcshell.clusters.finding import find
from hpcshell.clusters.known import Known
from hpcshell.clusters.lookout import elements_on_record
from hpcshell.clusters.parents import parents_of
from hpcshell.clusters.submitting import Submitting, Taken, Wanted, check_spec, check_unique
from hpcshell.core.errors import NotYet, Refused
from hpcshell.core.indexset import IndexSet
from hpcshell.core.jobspec import JobSpec

if TYPE_CHECKING:
    from hpcshell.clusters.desk import Desk


def submit(desk: Desk, submissions: Sequence[JobSpec], dry_run: bool = False) -> dict[str, Any]:
    """Hand jobs over, one after the other."""
    return {"jobs": [_submit(desk, spec, dry_run) for spec in submissions]}


def submit_chosen(
    desk: Desk, spec: JobSpec, chosen: str, elsewhere: Mapping[str, JobSpec], movable: bool
) -> dict[str, Any]:
    """Hand over a job that was sent here for a reason, and could run elsewhere."""
    return _submit(desk, spec, False, chosen=chosen, elsewhere=elsewhere, movable=movable)


def estimate(desk: Desk, submission: JobSpec) -> dict[str, Any]:
    """When a job would start, that is not submitted; by the site's word, else by history."""
    from hpcshell.clusters.federation import offers

    check_spec(submission, desk.cluster)
    made = offers([(desk.cluster, submission)])
    return {"offers": [each.document() for each in made], "chosen": desk.cluster.name}


def rerun(
    desk: Desk, ids: Sequence[str], failed: bool | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Submit ended jobs again; with `failed` only the elements that did not complete."""
    answers = []
    for known in (one.known for one in find(desk.cluster, desk.look(), ids)):
        if known is None:
            raise Refused(
                "only what was submitted here can be submitted again", "submit it with hpc submit"
            )
        if not known.over:
            raise Refused(f"job {views.label_of(known)} has not ended", "cancel it first")
        spec = _what_failed(known) if failed and known.entry.array else known.entry.spec
        label = views.number(views.label_of(known))
        answers.append(_submit(desk, spec, dry_run) | {"of": label})
    return {"jobs": answers}


def _what_failed(known: Known) -> JobSpec:
    """The array of those elements that did not complete."""
    bad = [i for i, one in known.elements.items() if one.state != "COMPLETED"]
    if not bad:
        raise Refused(f"all of job {views.label_of(known)} has completed", "leave --failed out")
    array = str(IndexSet.of(i for i in bad if i is not None))
    spec = known.entry.spec
    return replace(spec, submission=replace(spec.submission, array=array))


def _submit(desk: Desk, spec: JobSpec, dry_run: bool, **wanted: Any) -> dict[str, Any]:
    if not dry_run:
        desk.cluster.ledger.require()
    with contextlib.suppress(NotYet):  # one that does not answer may be submitted to later
        desk.cluster.site()
    notes = check_spec(spec, desk.cluster)
    check_unique(spec, desk.cluster)
    terms, any_one = parents_of(desk.cluster, spec.submission.dependency, desk.look)
    order = Wanted(spec=spec, parents=terms, any=any_one, **wanted)
    if dry_run:
        from hpcshell.clusters.rehearsal import script as script_of

        script, words, place = script_of(desk.cluster, order)
        notes += _never_starts(desk, spec, "never starts it as it stands")
        return {
            "id": None,
            "name": spec.submission.name,
            "elements": _count(spec),
            "notes": notes,
            "script": script,
            "argv": list(words.argv),
            "stdin": place if words.stdin else None,
        }
    taken = Submitting(desk.cluster, desk.pause).submit(order)
    if all(part.state == "known" for part in taken.parts):
        notes += _never_starts(desk, spec, "took it, but it never starts as it stands")
    return _accepted(taken, notes)


def _never_starts(desk: Desk, spec: JobSpec, told: str) -> list[str]:
    """A note about what some sites take though no partition of theirs can ever run it, by what is
    known of them."""
    from hpcshell.clusters.fitting import misfit

    site = desk.cluster.known_site()
    why = misfit(site, spec) if site is not None else ""
    return [f"{desk.cluster.name} {told}: {why}"] if why else []


def _accepted(taken: Taken, notes: list[str]) -> dict[str, Any]:
    """The answer about a submission, of which is known what was before anybody has looked."""
    elements = elements_on_record(taken.parts, {})
    known = Known(entry=taken.entry, parts=taken.parts, elements=elements)
    return {
        "id": views.number(views.label_of(known)),
        "name": taken.entry.name,
        "elements": len(known.elements),
        "job": views.document(known, None),
        "start": None,
        "notes": [*notes, *taken.notes],
    }


def _count(spec: JobSpec) -> int:
    array = spec.submission.array.partition("%")[0]
    return len(IndexSet.parse(array)) if array else 1
