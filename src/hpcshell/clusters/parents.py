"""Dependencies of a submission: what it names becomes the site's ids, and what is settled already
is not asked of the site.

A site forgets jobs, and then takes `afterok` of one that failed for granted. So conditions on jobs
that have ended are decided here: what holds is left out, what can never hold is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from hpcshell.backends.contract import Parent
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.finding import Found, find
from hpcshell.clusters.known import Element, elements_of
from hpcshell.clusters.lookout import Picture
from hpcshell.core.dependencies import Term, parse
from hpcshell.core.errors import NotYet, Refused
from hpcshell.core.ids import Ids, format_selector
from hpcshell.core.indexset import IndexSet
from hpcshell.core.sightings import ENDED, GONE, Sighting
from hpcshell.store.ledger.entries import Entry, Part

_NEEDS_SUCCESS: Final = ("afterok", "aftercorr")


def parents_of(
    cluster: Cluster, text: str, look: Callable[[], Picture]
) -> tuple[tuple[Parent, ...], bool]:
    """The conditions to hand over, and whether one of them is enough."""
    if not text:
        return (), False
    expression = parse(text, clusters={cluster.name, *cluster.ledger.clusters()})
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
    return f"{term.kind}:{_parent_of(term)}" if term.parent else term.kind


def _parent_of(term: Term) -> str:
    assert term.parent is not None
    return f"{term.cluster}{':' if term.cluster else ''}{format_selector(term.parent)}"


def _term(cluster: Cluster, seen: Picture, term: Term) -> tuple[bool | None, list[Parent]]:
    """Whether a condition is settled (None: not yet), and what to ask of the site."""
    if term.parent is None:
        return None, [Parent(kind=term.kind)]
    if term.cluster not in ("", cluster.name):
        return _elsewhere(cluster, term), []
    ids: list[tuple[str, str]] = []
    verdicts: list[bool | None] = []
    for one in find(cluster, seen, [format_selector(term.parent)]):
        verdict = _verdict(term.kind, _sightings(one))
        verdicts.append(verdict)
        if verdict is None:
            ids += _natives(cluster, one)
    if False in verdicts:
        return False, []
    if not ids:
        return True, []
    return None, [_parent(term.kind, term.delay, ids)]


def _elsewhere(cluster: Cluster, term: Term) -> bool:
    """Whether a condition on a job of another cluster holds: no site can wait for it, so it must
    be settled by what is on record."""
    verdict, ledger = None, cluster.ledger
    if isinstance(term.parent, Ids) and term.parent.first == term.parent.last:
        number, indices = term.parent.first, term.parent.indices
        for entry in ledger.numbered(term.cluster, number, number):
            wanted = [
                each for part in ledger.parts(entry.serial) for each in _wanted(part, indices)
            ]
            ended = ledger.endings(entry.serial)
            if all(each in ended for each in wanted):
                verdict = _verdict(term.kind, [ended[each] for each in wanted])
    if verdict is None:
        raise Refused(
            f"{_text(term)}: {cluster.name} cannot wait for a job of {term.cluster}",
            f"submit with --on {term.cluster}, or wait first: hpc wait --on {term.cluster} "
            f"{_parent_of(term)}",
        )
    return verdict


def _parent(kind: str, delay: float, ids: Sequence[tuple[str, str]]) -> Parent:
    natives, directories = zip(*ids, strict=True)
    return Parent(kind=kind, ids=natives, delay=delay, directories=directories)


def _verdict(kind: str, sightings: Iterable[Sighting]) -> bool | None:
    """Whether a condition on one job holds; None: it is not settled.

    `afternotok` asks for one element that did not complete. Where an element ended in a way that
    nobody knows, only conditions that ask for any end can hold.
    """
    several = list(sightings)
    unsent = any(one.state in ENDED and not one.native for one in several)
    if kind in _NEEDS_SUCCESS and unsent:  # the site never hears of what it was not sent
        return False
    if not several or not all(one.state in ENDED or one.state == GONE for one in several):
        return None
    if kind in ("after", "afterany"):
        return True
    if kind == "afternotok":
        return any(one.state in ENDED and one.state != "COMPLETED" for one in several)
    good = {one.state == "COMPLETED" for one in several}
    if kind == "aftercorr" and len(good) == 2:  # it holds for some of the elements
        return None
    return good == {True}


def still_wanted(cluster: Cluster, entry: Entry) -> tuple[tuple[Parent, ...], bool]:
    """The conditions of a submission that has waited here, as they are now: parents have ended
    meanwhile, and the site may have forgotten how. Raises `Refused` for what can never hold."""
    kept: list[Parent] = []
    for parent in entry.parents:
        ids = []
        verdicts = []
        for native, directory in zip(parent.ids, parent.directories, strict=False):
            verdicts.append(_verdict(parent.kind, _ended(cluster, native, directory)))
            if verdicts[-1] is None:
                ids.append((native, directory))
        settled = _settled(verdicts) if parent.ids else None
        if settled is True and entry.any:
            return (), False
        if settled is False and not entry.any:
            raise Refused(
                f"{parent.kind}: that can never hold: the job has ended otherwise",
                "submit that job again, or leave the condition out",
            )
        if settled is None:
            kept.append(_parent(parent.kind, parent.delay, ids) if ids else parent)
    if entry.parents and entry.any and not kept:
        raise Refused("none of the conditions can ever hold", "submit those jobs again")
    return tuple(kept), entry.any


def _settled(verdicts: Sequence[bool | None]) -> bool | None:
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _ended(cluster: Cluster, native: str, directory: str) -> list[Sighting]:
    """How what an id of the site's stands for has ended, as far as that is on record; nothing if it
    has not, or was not submitted here."""
    number, index = cluster.backend.parse_id(native)
    entry = cluster.ledger.keyed(directory.rpartition("/")[2]) if directory else None
    if entry is None:
        return []
    part = next((p for p in cluster.ledger.parts(entry.serial) if p.site == number), None)
    if part is None:
        return []
    wanted = elements_of(part.indices) if index is None else [index + part.offset]
    ended = cluster.ledger.endings(entry.serial)
    return [ended[each] for each in wanted] if all(each in ended for each in wanted) else []


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
        wanted = _wanted(part, found.elements)
        if not wanted:
            continue
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
        for index in wanted:
            assert index is not None
            yield cluster.backend.element_id(part.native, index - part.offset), directory


def _wanted(part: Part, indices: IndexSet | None) -> list[Element]:
    """The elements of a part that are meant."""
    if indices is None:
        return elements_of(part.indices)
    return list(IndexSet.parse(part.indices).within(indices))
