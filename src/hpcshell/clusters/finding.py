"""From what a user typed to jobs of a cluster: ids of the site's, elements, ranges, names, `@`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.known import Element, Known
from hpcshell.clusters.lookout import Picture, closed
from hpcshell.core.errors import HpcError, NotFound, Wrong
from hpcshell.core.ids import Ids, Last, Named, Selector, element_of, select
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Record
from hpcshell.core.sightings import Sighting
from hpcshell.core.words import quote
from hpcshell.store.ledger.entries import Entry

_WAITING: Final = re.compile(r"w([0-9]{1,18})((?:_[0-9]+|_?\[.*\])?)\Z")


class Found(Record, frozen=True, kw_only=True):
    """What one selector names: a submission that is on record, or what the queue shows of a
    stranger. `elements`: those of it that are meant (None: all)."""

    known: Known | None = None
    strangers: tuple[Sighting, ...] = ()
    elements: IndexSet | None = None

    def members(self) -> list[Element]:
        """The elements that are meant, of those that there are."""
        assert self.known is not None
        if self.elements is None:
            return list(self.known.elements)
        return [index for index in self.elements if index in self.known.elements]


def find(cluster: Cluster, picture: Picture, words: Iterable[str]) -> list[Found]:
    """What the words name, each only once. Raises `NotFound` for one that names nothing."""
    found: dict[tuple[object, str], Found] = {}
    for word in words:
        several = list(_find(cluster, picture, word))
        if not several:
            raise NotFound(
                f"{cluster.name} has no job {quote(word)} that is known here",
                "hpc queue and hpc history list what there is",
            )
        for one in several:
            who = one.known.entry.serial if one.known else one.strangers[0].native
            found[(who, str(one.elements or ""))] = one
    return list(found.values())


def _find(cluster: Cluster, picture: Picture, word: str) -> Iterator[Found]:
    if (native := _native(cluster, word)) is not None:
        word = native
    elif waiting := _WAITING.match(word):
        entry = cluster.ledger.entry(int(waiting[1]))
        if entry is not None and entry.cluster == cluster.name:
            chosen = select("1" + waiting[2])
            assert isinstance(chosen, Ids)
            yield _entry(cluster, picture, entry, chosen.indices)
            return
    yield from _selected(cluster, picture, select(word))


def _native(cluster: Cluster, word: str) -> str | None:
    """An id as the site writes it, in our way of writing it."""
    if re.fullmatch(r"[0-9]+(_[0-9]+)?", word) or not re.match(r"[0-9]", word):
        return None
    try:
        number, element = cluster.backend.parse_id(word)
    except HpcError:
        return None
    return number if element is None else f"{number}_{element}"


def _selected(cluster: Cluster, picture: Picture, selector: Selector) -> Iterator[Found]:
    match selector:
        case Ids(first=first, last=last, indices=indices):
            ours = cluster.ledger.numbered(cluster.name, first, last)
            for entry in ours:
                yield _entry(cluster, picture, entry, indices)
            strangers = list(_strangers(picture.strangers, first, last, indices))
            if not ours and not strangers and first == last:
                strangers = list(_strangers(_accounted(cluster, first), first, last, indices))
            yield from strangers
        case Last(back=back, indices=indices):
            latest = cluster.ledger.last(cluster.name, back)
            if latest is not None:
                yield _entry(cluster, picture, latest, indices)
        case Named(name=name):
            yield from _named(cluster, picture, name)


def _named(cluster: Cluster, picture: Picture, name: str) -> Iterator[Found]:
    entries = cluster.ledger.named(cluster.name, name)
    alive = [entry for entry in entries if entry.open]
    for entry in alive or entries[-1:]:
        yield _entry(cluster, picture, entry, None)
    strangers = [one for one in picture.strangers if one.name == name]
    for one in strangers:
        yield Found(strangers=(one,))
    if not entries and not strangers and (part := element_of(name)) is not None:
        for entry in cluster.ledger.named(cluster.name, part[0])[-1:]:
            yield _entry(cluster, picture, entry, part[1])


def _entry(cluster: Cluster, picture: Picture, entry: Entry, indices: IndexSet | None) -> Found:
    known = next((one for one in picture.known if one.entry.serial == entry.serial), None)
    known = known or closed(cluster, entry)
    if indices is not None and not entry.array:
        raise Wrong(f"job {known.entry.number} is no array", "leave the index out")
    if indices is not None and not any(index in known.elements for index in indices):
        raise NotFound(
            f"job {entry.number} has no element {indices}", f"its elements are {entry.array}"
        )
    return Found(known=known, elements=indices)


def _strangers(
    sightings: Iterable[Sighting], first: int, last: int, indices: IndexSet | None
) -> Iterator[Found]:
    by_number: dict[str, list[Sighting]] = {}
    for one in sightings:
        wanted = indices is None or (one.element is not None and one.element in indices)
        if wanted and one.number.isdecimal() and first <= int(one.number) <= last:
            by_number.setdefault(one.number, []).append(one)
    for several in by_number.values():
        yield Found(strangers=tuple(several), elements=indices)


def _accounted(cluster: Cluster, number: int) -> tuple[Sighting, ...]:
    """What the accounting tells of a job that nobody here knows."""
    words = cluster.backend.history([str(number)], 0.0)
    return cluster.backend.read_history(cluster.say_all(words)).sightings if words else ()
