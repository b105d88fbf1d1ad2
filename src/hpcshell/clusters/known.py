"""What is known of a submission: of each of its elements a sighting, from whoever knows.

The queue is believed before the accounting, and that before what the job recorded of itself; of
exit codes that the accounting does not tell apart, the queue or the record says which it was.
Three values: known; UNKNOWN since an instant, when nobody can tell (the scheduler does not answer,
or no longer shows it and nobody knows how it ended); GONE, when queue and accounting have answered
for ten minutes as if there had never been such a job, and it has left no record. What a scheduler
does not mention has not ended, unless it had agreed to end it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from hpcshell.backends.jobscript import Recorded
from hpcshell.clusters.codes import by_signal, code_of, is_doubtful, settled
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Record
from hpcshell.core.sightings import ENDED, GONE, LIVE, UNKNOWN, Sighting
from hpcshell.store.ledger.entries import Entry, Part

SETTLED_AFTER: Final = 30.0
"""Seconds for which the accounting may still tell more of an end that the queue shows."""
GONE_AFTER: Final = 600.0
"""Seconds between two whole answers without a trace, after which a job counts as forgotten."""
LAGS: Final = 60.0
"""For so long after its end the queue may still show a job as if it ran."""

_ALIVE: Final = LIVE - {"COMPLETING"}

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
        return all(over(each) for each in self.elements.values())


def over(sighting: Sighting) -> bool:
    """Whether nothing more is to be expected of it."""
    return sighting.state in ENDED or sighting.state == GONE


def elements_of(indices: str) -> list[Element]:
    """The elements that index text names; of a plain job the only one."""
    return list(IndexSet.parse(indices)) if indices else [None]


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

    `ended` are the elements that are on record as ended. `latest`: of several submissions to which
    the site gave the same number the last; what carries no key is taken for that one's. What is
    left in `missing` at the end is what nobody has told of.
    """

    def __init__(
        self, part: Part, ended: Mapping[Element, Sighting], *, latest: bool = True
    ) -> None:
        self.part = part
        self.latest = latest
        self.elements: dict[Element, Sighting] = {}
        self.fresh: dict[Element, Sighting] = {}
        """How elements ended that were not on record, and now are to be."""
        self.over = False
        """Whether all of it has ended, and is on record (or is to be)."""
        self.shown = False
        """Whether the queue shows anything of it."""
        self.alive = False
        """Whether it shows that something of it waits or runs."""
        self.doubtful: set[Element] = set()
        """Those that failed, and whose exit code nobody has told, or not all of it."""
        self._certain: set[Element] = set()
        self._unwanted = frozenset(IndexSet.parse(part.unwanted)) if part.unwanted else frozenset()
        self._members = frozenset(elements_of(part.indices))
        self.missing = set(self._members)
        self._ended = {each: ended[each] for each in self._members & ended.keys()}

    def see(self, sightings: Iterable[Sighting]) -> None:
        """What the queue shows. Ends that it shows may be told better by the accounting."""
        for sighting in sightings:
            if not self._belongs(sighting):
                continue
            self.shown = True
            self.alive = self.alive or sighting.state in _ALIVE
            for element, one in self._spread(sighting):
                if one.state not in ENDED or element not in self._ended:
                    one = self.elements[element] = self._as_wished(element, one)
                    if is_doubtful(one):
                        self.doubtful.add(element)
        self.missing -= self.elements.keys()
        for element in self.missing & self._ended.keys():
            self.elements[element] = self._ended[element]
        self.missing -= self._ended.keys()

    def unsettled(self) -> bool:
        """Whether the accounting could tell more."""
        return bool(self.missing) or any(
            each.state in ENDED and element not in self._ended
            for element, each in self.elements.items()
        )

    def account(self, sightings: Iterable[Sighting], codes: int = 256) -> None:
        """What the accounting says; it may lag, so it is only believed in what has ended. `codes`:
        how many exit codes it tells apart."""
        for sighting in sightings:
            if not self._belongs(sighting) or sighting.state not in ENDED:
                continue
            for element, one in self._spread(sighting):
                known = self.elements.get(element)
                if element in self._ended or (known is not None and known.state not in ENDED):
                    continue
                self._take(element, one, known, codes)
                self.missing.discard(element)

    def _take(self, element: Element, one: Sighting, known: Sighting | None, codes: int) -> None:
        """The accounting's word of an end, with the exit code that the queue has told."""
        doubtful = is_doubtful(one, codes)
        if doubtful and known is not None and (exact := settled(one, code_of(known), codes)):
            doubtful, one = False, exact
        self.elements[element] = self._as_wished(element, one)
        (self.doubtful.add if doubtful else self.doubtful.discard)(element)
        (self._certain.discard if doubtful else self._certain.add)(element)

    def correct(self, records: Mapping[Element, Recorded], codes: int) -> None:
        """The exit codes that the accounting has not told, as the job recorded them."""
        for element in sorted(self.doubtful, key=_order):
            found = records.get(element)
            if found is None or not self._of_this_run(found):
                continue
            if exact := settled(self.elements[element], found.code, codes):
                self.elements[element] = self._as_wished(element, exact)
                self._certain.add(element)

    def remember(self, records: Mapping[Element, Recorded]) -> None:
        """What the job recorded itself, of what nobody else tells."""
        for element in sorted(self.missing, key=_order):
            found = records.get(element)
            if found is None or found.code is None or not self._of_this_run(found):
                continue
            state = "COMPLETED" if not found.code else "FAILED"
            if found.code and self._cancelled(element):
                state = "CANCELLED"
            told = self._sighting(
                element,
                state=state,
                word="by its own record",
                exit_code=found.code,
                start_time=found.begun,
                end_time=found.ended,
                nodes=(found.node,) if found.node else (),
            )
            self.elements[element] = by_signal(told)
            self.missing.discard(element)

    def _cancelled(self, element: Element) -> bool:
        """Whether the site agreed to end it."""
        return self.part.cancelled is not None or element in self._unwanted

    def _as_wished(self, element: Element, one: Sighting) -> Sighting:
        """Not every site tells a job that was killed because somebody wished so from another."""
        one = by_signal(one)
        code = one.exit_code
        killed = one.state == "FAILED" and (one.signal is not None or code is None or code > 128)
        return replace(one, state="CANCELLED") if killed and self._cancelled(element) else one

    def _of_this_run(self, found: Recorded) -> bool:
        """Whether it is the record of the latest run of this job. One that was alive after the
        recorded end was put back into the queue."""
        if found.native and found.native not in (self.part.site, self.part.native):
            return False
        if found.ended is None or (found.begun is not None and found.ended < found.begun):
            return False
        alive = None if self.part.indices else self.part.seen
        return alive is None or alive <= found.ended + LAGS

    def settle(self, now: float, *, lags: bool) -> None:
        """Take down what has ended since. `lags`: there is an accounting, which may tell more."""
        self.over = True
        for element, one in self.elements.items():
            if element in self._ended and one.state not in LIVE:
                continue
            if not over(one):
                self.over = False
                continue
            told = one.end_time
            one = self.elements[element] = one if told else replace(one, end_time=now)
            waits = lags and element not in self._certain and one.state != GONE
            if waits and told and not now - told > SETTLED_AFTER:
                self.over = False
            else:
                self.fresh[element] = one

    def run_again(self) -> list[Element]:
        """Elements that are on record as ended, and alive."""
        return [each for each in self._ended if self.elements[each].state in LIVE]

    def drop(self) -> None:
        """Those of the missing that the site agreed to end have been ended."""
        self._fill(self.missing & self._unwanted, "CANCELLED", "it was cancelled")

    def fill(self, state: str, reason: str, code: str = "", end: float | None = None) -> None:
        """The same of all that are missing."""
        self._fill(set(self.missing), state, reason, code, end)

    def _fill(
        self,
        elements: Iterable[Element],
        state: str,
        reason: str,
        code: str = "",
        end: float | None = None,
    ) -> None:
        for element in elements:
            self.elements[element] = self._sighting(
                element, state=state, reason=reason, reason_code=code, end_time=end
            )
        self.missing.difference_update(elements)

    def _belongs(self, sighting: Sighting) -> bool:
        """Whether it is ours: a site that lost its memory gives numbers out anew."""
        return sighting.key == self.part.key if sighting.key else self.latest

    def _spread(self, sighting: Sighting) -> Iterator[tuple[Element, Sighting]]:
        if not self.part.indices:  # a job that is no array may still be shown as one
            yield None, sighting
            return
        for element, one in spread(sighting, self.part.offset):
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


def _order(element: Element) -> int:
    return -1 if element is None else element
