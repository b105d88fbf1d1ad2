"""From what a user typed to jobs of a cluster: ids of the site's, elements, ranges, names, `@`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.known import Element, Known, over
from hpcshell.clusters.lookout import Picture, on_record
from hpcshell.clusters.views import label_of
from hpcshell.core.errors import HpcError, NotFound, Unreachable, Wrong
from hpcshell.core.ids import Ids, Last, Named, Selector, element_of, select
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Record
from hpcshell.core.sightings import ENDED, Sighting
from hpcshell.core.words import quote
from hpcshell.store.ledger.entries import Entry

_OURS: Final = r"(local_)?[0-9]+(_[0-9]+|-[0-9]+|_?\[.*\]|_\*)?"
"""What reads as an id of ours, which are told apart from the site's by their looks alone."""
_NUMBER: Final = r"[0-9]{1,18}\Z"
_WAITING: Final = r"w([0-9]{1,18})((?:_[0-9]+|_?\[.*\])?)\Z"


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
    finding = Finding(cluster, picture)
    for word in words:
        several = list(finding.find(word))
        if not several:
            raise NotFound(
                f"{cluster.name} has no job {quote(word)} that is known here",
                "hpc queue and hpc history list what there is",
            )
        for one in several:
            who = one.known.entry.serial if one.known else f"there {one.strangers[0].native}"
            found[(who, str(one.elements or ""))] = one
    return list(found.values())


class Finding:
    """Words to jobs, of which `picture` is what is known now."""

    def __init__(self, cluster: Cluster, picture: Picture) -> None:
        self.cluster = cluster
        self.strangers = picture.strangers
        self._known = {one.entry.serial: one for one in picture.known}

    def find(self, word: str) -> Iterator[Found]:
        word = word.removeprefix(f"{self.cluster.name}:")
        if (native := self._native(word)) is not None:
            yield from self._at_site(*native)
        elif waiting := re.match(_WAITING, word):
            entry = self.cluster.ledger.entry(int(waiting[1]))
            if entry is not None and entry.cluster == self.cluster.name:
                chosen = select("1" + waiting[2])
                assert isinstance(chosen, Ids)
                yield self._entry(entry, chosen.indices)
                return
            yield from self._selected(select(word))
        else:
            yield from self._selected(select(word))

    def _native(self, word: str) -> tuple[int, int | None] | None:
        """Number and index of an id as only the site writes it."""
        if not re.match(r"[0-9]", word) or re.fullmatch(_OURS, word):
            return None
        try:
            number, element = self.cluster.backend.parse_id(word)
        except HpcError:
            return None
        return (int(number), element) if re.match(_NUMBER, number) else None

    def _at_site(self, number: int, index: int | None) -> Iterator[Found]:
        """What the site calls so; its indices are less than ours in some parts."""
        indices = None if index is None else IndexSet.of([index])
        ours = self._ours(number, number)
        for entry in ours:
            yield self._part(entry, number, indices)
        if not ours:
            yield from self._others(number, number, indices)

    def _part(self, entry: Entry, number: int, indices: IndexSet | None) -> Found:
        """What the site calls by the number of one part, and by indices of its own."""
        parts = self.cluster.ledger.parts(entry.serial)
        part = next(part for part in parts if part.site == str(number))
        if indices is not None:
            return self._entry(entry, IndexSet.of(each + part.offset for each in indices))
        return self._entry(entry, IndexSet.parse(part.indices) if len(parts) > 1 else None)

    def _ours(self, first: int, last: int) -> list[Entry]:
        """Submissions with such numbers, unless the site has given the number to another since."""
        if first == last and any(
            one.number == str(first) and not over(one) for one in self.strangers
        ):
            return []
        return self.cluster.ledger.numbered(self.cluster.name, first, last)

    def _numbered(self, first: int, last: int, indices: IndexSet | None) -> Iterator[Found]:
        ours = self._ours(first, last)
        for entry in ours:
            if indices is not None and entry.number != str(first):
                yield self._part(entry, first, indices)  # only the site calls it so
            else:
                yield self._entry(entry, indices)
        if not ours or first != last:
            yield from self._others(first, last, indices)

    def _selected(self, selector: Selector) -> Iterator[Found]:
        match selector:
            case Ids(first=first, last=last, indices=indices):
                yield from self._numbered(first, last, indices)
            case Last(back=back, indices=indices):
                latest = self.cluster.ledger.last(self.cluster.name, back)
                if latest is not None:
                    yield self._entry(latest, indices)
            case Named(name=name):
                yield from self._named(name)

    def _others(self, first: int, last: int, indices: IndexSet | None) -> Iterator[Found]:
        """Jobs that were not submitted here; of a single one the accounting may know."""
        strangers = list(_strangers(self.strangers, first, last, indices))
        if not strangers and first == last:
            strangers = list(_strangers(_accounted(self.cluster, first), first, last, indices))
        yield from strangers

    def _named(self, name: str) -> Iterator[Found]:
        entries = self.cluster.ledger.named(self.cluster.name, name)
        alive = [entry for entry in entries if entry.open]
        for entry in alive or entries[-1:]:
            yield self._entry(entry, None)
        strangers = [one for one in self.strangers if one.name == name]
        if entries:  # what ended of others is not meant beside one's own
            strangers = [one for one in strangers if one.state not in ENDED]
        for one in strangers:
            yield Found(strangers=(one,))
        if not entries and not strangers and (part := element_of(name)) is not None:
            for entry in self.cluster.ledger.named(self.cluster.name, part[0])[-1:]:
                yield self._entry(entry, part[1])

    def _entry(self, entry: Entry, indices: IndexSet | None) -> Found:
        known = self._known.get(entry.serial) or on_record(self.cluster, entry)
        label = label_of(known)
        if indices is not None and not entry.array:
            raise Wrong(f"job {label} is no array", "leave the index out")
        if indices is not None and not any(index in known.elements for index in indices):
            raise NotFound(
                f"job {label} has no element {indices}", f"its elements are {entry.array}"
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
    try:
        return cluster.backend.read_history(cluster.say_all(words)).sightings if words else ()
    except Unreachable:
        return ()
