"""Dependencies of a submission: what it names becomes the site's ids, and what is settled already
is not asked of the site.

A site forgets jobs, and then takes `afterok` of one that failed for granted. So conditions on jobs
that have ended are decided here: what holds is left out, what can never hold is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from hpcshell.backends.contract import Parent
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.finding import Found, find
from hpcshell.clusters.lookout import Picture
from hpcshell.core.dependencies import Term, parse
from hpcshell.core.errors import NotYet, Refused
from hpcshell.core.ids import format_selector
from hpcshell.core.sightings import ENDED, GONE, Sighting

_HOLDS: Final[dict[str, Callable[[Sighting], bool]]] = {
    "after": lambda one: True,
    "afterany": lambda one: True,
    "afterok": lambda one: one.state == "COMPLETED",
    "afternotok": lambda one: one.state != "COMPLETED",
    "aftercorr": lambda one: one.state == "COMPLETED",
}


def parents_of(
    cluster: Cluster, text: str, look: Callable[[], Picture]
) -> tuple[tuple[Parent, ...], bool]:
    """The conditions to hand over, and whether one of them is enough."""
    if not text:
        return (), False
    expression = parse(text)
    seen = look()
    found: list[Parent] = []
    for term in expression.terms:
        settled, parents = _term(cluster, seen, term)
        if settled is True and expression.any:
            return (), False
        if settled is False and not expression.any:
            raise Refused(
                f"{_text(term)}: that can never hold: the job has ended otherwise",
                "leave it out, or submit that job again",
            )
        found += parents
    if not found and expression.any:
        raise Refused("none of the conditions can ever hold", "submit those jobs again")
    return tuple(found), expression.any


def _text(term: Term) -> str:
    return f"{term.kind}:{format_selector(term.parent)}" if term.parent else term.kind


def _term(cluster: Cluster, seen: Picture, term: Term) -> tuple[bool | None, list[Parent]]:
    """Whether a condition is settled (None: not yet), and what to ask of the site."""
    if term.parent is None:
        return None, [Parent(kind=term.kind)]
    natives: list[str] = []
    directories: list[str] = []
    verdicts: list[bool | None] = []
    for one in find(cluster, seen, [format_selector(term.parent)]):
        sightings = list(_sightings(one))
        over = all(each.state in ENDED or each.state == GONE for each in sightings)
        if over and sightings:
            verdicts.append(all(_HOLDS[term.kind](each) for each in sightings))
            continue
        verdicts.append(None)
        for native, directory in _natives(cluster, one):
            natives.append(native)
            directories.append(directory)
    if False in verdicts:
        return False, []
    if natives:
        parent = Parent(
            kind=term.kind,
            ids=tuple(natives),
            delay=term.delay,
            directories=tuple(directories),
        )
        return None, [parent]
    return True, []


def _sightings(found: Found) -> Iterator[Sighting]:
    if found.known is None:
        yield from found.strangers
    else:
        yield from (found.known.elements[each] for each in found.members())


def _natives(cluster: Cluster, found: Found) -> Iterator[tuple[str, str]]:
    """The ids to wait for at the site, each with the job's directory."""
    if found.known is None:
        yield from ((one.native, "") for one in found.strangers)
        return
    directory = found.known.entry.directory
    for part in found.known.parts:
        if part.state in ("planned", "asking"):
            raise NotYet(
                f"job w{part.serial} waits here: {cluster.name} does not know it yet",
                "submit what depends on it once it is there",
            )
        if part.state != "known":
            continue
        if found.elements is None:
            yield part.native, directory
            continue
        from hpcshell.core.indexset import IndexSet

        mine = IndexSet.parse(part.indices)
        for index in found.elements:
            if index in mine:
                yield cluster.backend.element_id(part.native, index - part.offset), directory
