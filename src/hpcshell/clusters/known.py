"""What is known of a submission: of each of its elements a sighting, from whoever knows.

The queue is believed before the accounting, and that before what the job recorded of itself.
Three values: known; UNKNOWN since an instant, when nobody can tell (the scheduler does not answer,
or no longer shows it and nobody knows how it ended); GONE, when queue and accounting have answered
for ten minutes as if there had never been such a job, and it has left no record. What a scheduler
does not mention has not ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from hpcshell.backends.jobscript import Recorded
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Record
from hpcshell.core.sightings import ENDED, GONE, LIVE, UNKNOWN, Sighting
from hpcshell.store.ledger.entries import Entry, Part

SETTLED_AFTER: Final = 30.0
"""Seconds for which the accounting may still tell more of an end that the queue shows."""
GONE_AFTER: Final = 600.0
"""Seconds without a trace after which a job counts as forgotten."""

Element = int | None
"""The index of an element; None: a plain job."""


class Known(Record, frozen=True, kw_only=True):
    """An entry, its parts, and a sighting of every element."""

    entry: Entry
    parts: tuple[Part, ...]
    elements: Mapping[Element, Sighting]

    @property
    def over(self) -> bool:
        """Whether nothing of it is to come."""
        return all(each.state in ENDED or each.state == GONE for each in self.elements.values())


def elements_of(indices: str) -> list[Element]:
    """The elements that index text names; of a plain job the only one."""
    return list(IndexSet.parse(indices)) if indices else [None]


def belongs(sighting: Sighting, part: Part) -> bool:
    """Whether it is ours: a site that lost its memory gives numbers out anew."""
    return not sighting.key or sighting.key == part.key


def spread(sighting: Sighting, offset: int) -> Iterator[tuple[Element, Sighting]]:
    """A sighting for each element that it stands for, by our index."""
    if sighting.waiting:
        for index in IndexSet.parse(sighting.waiting.partition("%")[0]):
            yield index + offset, sighting
    elif sighting.element is None:
        yield None, sighting
    else:
        yield sighting.element + offset, sighting


class Assessing:
    """One part of an entry, while it is found out what its elements are doing.

    `ended` are the elements that are on record as ended. What is left in `missing` at the end is
    what nobody has told of.
    """

    def __init__(self, part: Part, ended: Mapping[Element, Sighting]) -> None:
        self.part = part
        self.offset = part.offset
        self.elements: dict[Element, Sighting] = {}
        self.fresh: dict[Element, Sighting] = {}
        """How elements ended that were not on record, and now are to be."""
        self.over = False
        """Whether all of it has ended, and is on record (or is to be)."""
        self.shown = False
        """Whether the queue shows anything of it."""
        self._ended = ended
        self._certain: set[Element] = set()
        self._members = frozenset(elements_of(part.indices))
        self.missing = set(self._members)

    def see(self, sightings: Iterable[Sighting]) -> None:
        """What the queue shows. Ends that it shows may be told better by the accounting."""
        for sighting in sightings:
            if not belongs(sighting, self.part):
                continue
            self.shown = True
            for element, one in self._spread(sighting):
                if one.state in ENDED and element in self._ended:
                    continue
                self.elements[element] = one
                self.missing.discard(element)
        for element in [each for each in self.missing if each in self._ended]:
            self.elements[element] = self._ended[element]
            self.missing.discard(element)

    def unsettled(self) -> bool:
        """Whether the accounting could tell more."""
        return bool(self.missing) or any(
            each.state in ENDED and element not in self._ended
            for element, each in self.elements.items()
        )

    def account(self, sightings: Iterable[Sighting]) -> None:
        """What the accounting says; it may lag, so it is only believed in what has ended."""
        for sighting in sightings:
            if not belongs(sighting, self.part) or sighting.state not in ENDED:
                continue
            for element, one in self._spread(sighting):
                known = self.elements.get(element)
                if element in self._ended or (known is not None and known.state in LIVE):
                    continue
                self.elements[element] = one
                self.missing.discard(element)
                self._certain.add(element)

    def remember(self, records: Mapping[Element, Recorded]) -> None:
        """What the job recorded itself, of what nobody else tells."""
        for element in sorted(self.missing, key=_order):
            found = records.get(element)
            if found is None or found.code is None:
                continue
            if found.native and found.native not in (self.part.site, self.part.native):
                continue
            self.elements[element] = self._sighting(
                element,
                state="FAILED" if found.code else "COMPLETED",
                word="by its own record",
                exit_code=found.code,
                start_time=found.begun,
                end_time=found.ended,
                nodes=(found.node,) if found.node else (),
            )
            self.missing.discard(element)

    def settle(self, now: float, *, lags: bool) -> None:
        """Take down what has ended since. `lags`: there is an accounting, which may tell more."""
        waits = False
        for element, one in self.elements.items():
            if element in self._ended or not (one.state in ENDED or one.state == GONE):
                waits = waits or one.state not in ENDED
                continue
            one = self.elements[element] = one if one.end_time else replace(one, end_time=now)
            if element in self._certain or not lags or now - (one.end_time or now) > SETTLED_AFTER:
                self.fresh[element] = one
            else:
                waits = True
        self.over = not waits

    def run_again(self) -> list[Element]:
        """Elements that are on record as ended, and alive."""
        return [
            element
            for element, one in self.elements.items()
            if one.state in LIVE and element in self._ended
        ]

    def fill(self, state: str, reason: str, code: str, since: float | None = None) -> None:
        """The same of all that are missing."""
        for element in self.missing:
            end = since if state in ENDED or state == GONE else None
            self.elements[element] = self._sighting(
                element, state=state, reason=reason, reason_code=code, end_time=end
            )
        self.missing.clear()

    def _spread(self, sighting: Sighting) -> Iterator[tuple[Element, Sighting]]:
        if not self.part.indices:  # a job that is no array may still be shown as one
            yield None, sighting
            return
        for element, one in spread(sighting, self.offset):
            if element in self._members:
                yield element, one

    def _sighting(self, element: Element, **fields: object) -> Sighting:
        return Sighting(
            native=self.part.native,
            number=self.part.site,
            element=element,
            key=self.part.key,
            **fields,  # type: ignore[arg-type]
        )


_UNSENT: Final = {
    "asking": (
        UNKNOWN,
        "it was sent, and no answer came: it is looked for, and not sent twice",
        "Sending",
    ),
    "planned": ("PENDING", "it waits here until the site takes it", "NotSentYet"),
    "withdrawn": ("CANCELLED", "", ""),
    "refused": ("FAILED", "", ""),
}


def unsent(part: Part) -> dict[Element, Sighting]:
    """The elements of a part that is not at the site (or may not be)."""
    state, reason, code = _UNSENT[part.state]
    end = part.since if state in ENDED else None
    return {
        element: Sighting(
            native="",
            number="",
            element=element,
            key=part.key,
            state=state,
            reason=part.reason or reason,
            reason_code=code,
            end_time=end,
        )
        for element in elements_of(part.indices)
    }


def number_of(parts: Sequence[Part]) -> str:
    """The sites' number that people know the whole by; "" while there is none."""
    return next((part.site for part in parts if part.site), "")


def _order(element: Element) -> int:
    return -1 if element is None else element
