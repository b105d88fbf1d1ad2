"""Brings what is known of submissions up to date: queue, accounting, the jobs' own records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from hpcshell.backends.contract import Seen, by_number
from hpcshell.backends.jobscript import Recorded, read_records
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.known import GONE_AFTER, Assessing, Element, Known, unsent
from hpcshell.core.records import NO_INDEX, Record
from hpcshell.core.sightings import ENDED, GONE, UNKNOWN, Sighting
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry, Part

EARLIER: Final = 3600.0
"""The accounting is asked for so many seconds before a submission: clocks differ."""


class Picture(Record, frozen=True, kw_only=True):
    """All that is known of a cluster's jobs at a moment.

    `strangers` are jobs of the user that were not submitted here. `trouble`: why the scheduler did
    not answer; then `at` is when it last did (0: never).
    """

    known: tuple[Known, ...]
    strangers: tuple[Sighting, ...] = ()
    trouble: str = ""
    at: float = 0.0


def picture(cluster: Cluster, *, age: float | None = None, since: float = 0.0) -> Picture:
    """What is known of all jobs of the user. `age` and `since` as for `Cluster.queue`."""
    look = cluster.queue(age=age, since=since)
    seen = cluster.read_queue(look)
    trouble = look.trouble or (seen.trouble.message if seen.trouble else "")
    at = look.snapshot.at if look.snapshot is not None else 0.0
    entries = cluster.ledger.open_entries(cluster.name)
    parts = cluster.ledger.open_parts(cluster.name)
    looking = Looking(cluster, seen, at, trouble)
    known = looking.assess([(entry, parts.get(entry.serial, [])) for entry in entries])
    return Picture(known=tuple(known), strangers=tuple(looking.strangers()), trouble=trouble, at=at)


def closed(cluster: Cluster, entry: Entry) -> Known:
    """What is on record of a submission of which nothing is to come."""
    parts = cluster.ledger.parts(entry.serial)
    elements: dict[Element, Sighting] = {}
    for part in parts:
        if part.state != "known":
            elements |= unsent(part)
    return Known(
        entry=entry,
        parts=tuple(parts),
        elements=elements | cluster.ledger.endings(entry.serial),
    )


class Looking:
    """One look at all open submissions of a cluster."""

    def __init__(self, cluster: Cluster, seen: Seen, at: float, trouble: str) -> None:
        self.cluster = cluster
        self.at = at
        self.trouble = trouble
        self.now = clock.now()
        self._by_number = by_number(seen.sightings) if seen.whole else {}
        self._ours: set[str] = set()
        self._accounted: dict[str, list[Sighting]] | None = None

    def assess(self, open_entries: Sequence[tuple[Entry, list[Part]]]) -> list[Known]:
        """What is known of each, and on record from now on if it has ended."""
        begun: list[tuple[Entry, list[Part], list[Assessing]]] = []
        for entry, parts in open_entries:
            ended = self.cluster.ledger.endings(entry.serial)
            assessing = [Assessing(part, ended) for part in parts if part.state == "known"]
            for each in assessing:
                self._ours.add(each.part.site)
                each.see(self._by_number.get(each.part.site, ()))
            begun.append((entry, parts, assessing))
        self._account([each for _, _, several in begun for each in several])
        return [self._finish(entry, parts, several) for entry, parts, several in begun]

    def strangers(self) -> list[Sighting]:
        """What the queue shows that was not submitted here."""
        others = [
            one
            for number, several in self._by_number.items()
            if number not in self._ours
            for one in several
        ]
        keys = self.cluster.ledger.have(one.key for one in others if one.key)
        return [one for one in others if one.key not in keys]

    # ------------------------------------------------------------------------------- who else knows

    def _account(self, assessing: Iterable[Assessing]) -> None:
        """Ask the accounting, once for all, about what the queue does not tell (any more)."""
        asked = [each for each in assessing if each.unsettled() and self._should_show(each)]
        if not asked or self.trouble:
            return
        earliest = min(each.part.since for each in asked) - EARLIER
        backend = self.cluster.backend
        words = backend.history([each.part.native for each in asked], earliest)
        if not words:
            self._accounted = {}
            return
        answer = backend.read_history(self.cluster.say_all(words))
        if not answer.whole:
            return
        self._accounted = by_number(answer.sightings)
        for each in asked:
            each.account(self._accounted.get(each.part.site, ()))

    def _should_show(self, assessing: Assessing) -> bool:
        """Whether the queue was asked after the site took it."""
        return assessing.part.since < self.at

    def _finish(self, entry: Entry, parts: list[Part], assessing: list[Assessing]) -> Known:
        elements: dict[Element, Sighting] = {}
        for part in parts:
            if part.state != "known":
                elements |= unsent(part)
        records = None
        for each in assessing:
            if each.missing and self._should_show(each) and not self.trouble:
                records = self._records(entry) if records is None else records
                each.remember(records)
            self._judge(entry, each)
            each.settle(self.now, lags=self.cluster.known_accounting())
            elements |= each.elements
        known = Known(entry=entry, parts=tuple(parts), elements=elements)
        self._record(known, assessing)
        return known

    def _records(self, entry: Entry) -> Mapping[Element, Recorded]:
        files = self.cluster.link.read(f"{entry.directory}/record", "*")
        return read_records({name: text.decode(errors="replace") for name, text in files.items()})

    # ------------------------------------------------------------------------- what to make of it

    def _judge(self, entry: Entry, each: Assessing) -> None:
        """Say of what nobody told what can be said of it."""
        if not each.missing:
            return
        part = each.part
        last = part.seen or part.since
        if self.trouble:
            since = max(last, self.at)
            each.fill(UNKNOWN, f"{self.cluster.name} does not answer: {self.trouble}", "", since)
        elif not self._should_show(each):
            each.fill("PENDING", "it has just been submitted", "JustSubmitted")
        elif entry.cancelled is not None and self._accounted is not None:
            each.fill("CANCELLED", "it was cancelled", "", self.now)
        elif self._accounted is not None and self.now - last > GONE_AFTER:
            why = "its scheduler has forgotten it, and it has left no record of its end"
            each.fill(GONE, why, "", self.now)
        else:
            each.fill(UNKNOWN, "it has left the queue, and nothing tells (yet) how it ended", "")

    def _record(self, known: Known, assessing: Sequence[Assessing]) -> None:
        """Take down what was found out."""
        entry = known.entry
        fresh = [item for each in assessing for item in each.fresh.items()]
        again = [
            NO_INDEX if element is None else element
            for each in assessing
            for element in each.run_again()
        ]
        shown = [each.part for each in assessing if each.shown and self.at > (each.part.seen or 0)]
        over = known.over and all(each.over for each in assessing)
        if not (fresh or again or shown or over):
            return
        with self.cluster.ledger.change() as change:
            change.forget_ending(entry.serial, again)
            change.end(entry.serial, fresh)
            change.seen(shown, self.at)
            if over:
                change.close(entry.serial)


def ended(sighting: Sighting) -> bool:
    return sighting.state in ENDED or sighting.state == GONE
