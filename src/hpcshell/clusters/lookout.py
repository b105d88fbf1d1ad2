"""Brings what is known of submissions up to date: queue, accounting, the jobs' own records."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from hpcshell.backends.contract import Seen, by_number
from hpcshell.backends.jobscript import Recorded, read_records
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.identity import Another
from hpcshell.clusters.known import GONE_AFTER, Assessing, Element, Known, unsent
from hpcshell.clusters.leaving import as_moving, under_way
from hpcshell.core.errors import HpcError
from hpcshell.core.records import Record
from hpcshell.core.sightings import ENDED, GONE, LIVE, UNKNOWN, Sighting
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry, Part
from hpcshell.store.ledger.writing import Change

EARLIER: Final = 3600.0
"""The accounting is asked for so many seconds before a submission: clocks differ."""
FRESH: Final = 60.0
"""For so long an answer still tells what is alive when there is no newer one."""
SEEN_EVERY: Final = 10.0
"""When something was last seen alive is known to so many seconds."""

Ended = Mapping[Element, Sighting]


class Picture(Record, frozen=True, kw_only=True):
    """All that is known of a cluster's jobs at a moment.

    `strangers` are jobs of the user that were not submitted here. `trouble`: why the scheduler did
    not answer; then `at` is when it last did (0: never). `another`: what answers is another cluster
    than that of the jobs.
    """

    known: tuple[Known, ...]
    strangers: tuple[Sighting, ...] = ()
    trouble: str = ""
    at: float = 0.0
    another: Another | None = None


def picture(cluster: Cluster, *, age: float | None = None, since: float = 0.0) -> Picture:
    """What is known of all jobs of the user. `age` and `since` as for `Cluster.queue`."""
    look = cluster.queue(age=age, since=since)
    seen = cluster.read_queue(look)
    trouble = look.trouble or (seen.trouble.message if seen.trouble else "")
    at = look.snapshot.at if look.snapshot is not None else 0.0
    ledger, name = cluster.ledger, cluster.name
    with ledger.one_moment():  # else one that ends just now would be found without its parts
        entries, parts = ledger.open_entries(name), ledger.open_parts(name)
        ended = ledger.open_endings(name)
    looking = Looking(cluster, seen, at, trouble)
    known = looking.assess(
        [(one, parts.get(one.serial, []), ended.get(one.serial, {})) for one in entries]
    )
    return Picture(
        known=tuple(known),
        strangers=tuple(looking.strangers()),
        trouble=trouble,
        at=at,
        another=looking.another,
    )


def on_record(cluster: Cluster, entry: Entry) -> Known:
    """What is on record of a submission that a picture does not show: all of one of which nothing
    is to come; of one that was made since, that it has been submitted."""
    parts = tuple(cluster.ledger.parts(entry.serial))
    ended = cluster.ledger.endings(entry.serial)
    return Known(entry=entry, parts=parts, elements=elements_on_record(parts, ended))


def elements_on_record(
    parts: Iterable[Part], ended: Mapping[Element, Sighting]
) -> dict[Element, Sighting]:
    """The elements of parts before anybody has looked for them at the site."""
    elements: dict[Element, Sighting] = {}
    for part in parts:
        if part.state != "known":
            elements |= unsent(part)
            continue
        assessing = Assessing(part, ended)
        assessing.see(())
        assessing.fill("PENDING", "it has just been submitted", "JustSubmitted")
        elements |= assessing.elements
    return elements


class Looking:
    """One look at all open submissions of a cluster."""

    def __init__(self, cluster: Cluster, seen: Seen, at: float, trouble: str) -> None:
        self.cluster = cluster
        self.at = at
        self.trouble = trouble
        self.now = clock.now()
        self._by_number = by_number(self._believed(seen))
        self._ours: dict[str, set[str]] = {}
        self._accounted = False
        """Whether the accounting has told all that it knows (or there is none)."""
        self._proven: bool | None = False
        """Whether it has told its own name, and that is the one that was submitted to; None: that
        one has no name."""
        self.another: Another | None = None
        self._keys: set[str] = set()

    def _believed(self, seen: Seen) -> Sequence[Sighting]:
        """What can still be believed of an answer: of an old one only what has ended."""
        if not seen.whole:
            return ()
        if self.trouble and not 0 <= self.now - self.at <= FRESH:
            return [one for one in seen.sightings if one.state in ENDED]
        return seen.sightings

    def assess(self, open_entries: Sequence[tuple[Entry, list[Part], Ended]]) -> list[Known]:
        """What is known of each, and on record from now on if it has ended."""
        self._recognise(open_entries)
        latest = {part.site: part for _, parts, _ in open_entries for part in parts}
        begun: list[tuple[Entry, list[Part], list[Assessing]]] = []
        for entry, parts, ended in open_entries:
            several = [
                Assessing(part, ended, latest=latest[part.site] is part)
                for part in parts
                if part.state == "known"
            ]
            for each in several:
                self._ours.setdefault(each.part.site, set()).add(each.part.key)
                each.see(self._shown(each.part))
            begun.append((entry, parts, several))
        self._account([each for _, _, several in begun for each in several])
        found = [(self._finish(*one), one[2]) for one in begun]
        self._record(found)
        return [known for known, _ in found]

    def strangers(self) -> list[Sighting]:
        """What the queue shows that was not submitted here."""
        others = [
            one
            for number, several in self._by_number.items()
            for ours in (self._ours.get(number),)
            for one in several
            if ours is None or (one.key and one.key not in ours)
        ]
        keys = self.cluster.ledger.have(one.key for one in others if one.key)
        return [one for one in others if one.key not in keys]

    # --------------------------------------------------------------------------------- who answers

    def _recognise(self, open_entries: Sequence[tuple[Entry, list[Part], Ended]]) -> None:
        """Find out whether another cluster answers, where something speaks for that."""
        self._keys = {
            part.key for _, parts, _ in open_entries for part in parts if part.state == "known"
        }
        if not self._keys or self.trouble:
            return
        try:
            self.cluster.confirm()
        except Another as another:
            self._meet(another)

    def _meet(self, another: Another) -> None:
        """Another name is told: it is the same site all the same if it shows a job of ours."""
        shown = {one.key for several in self._by_number.values() for one in several}
        if shown & self._keys:
            with contextlib.suppress(HpcError):
                self.cluster.renamed()
        else:
            self.another = another

    def _shown(self, part: Part) -> Sequence[Sighting]:
        """What the queue shows under the number of a part. Of another cluster nothing follows from
        the number alone, and from an old answer not that what was cancelled since still runs."""
        shown = self._by_number.get(part.site, ())
        if self.trouble and part.cancelled is not None and part.cancelled >= self.at:
            shown = [one for one in shown if one.state not in LIVE]
        return shown if self.another is None else [one for one in shown if one.key]

    # ------------------------------------------------------------------------------- who else knows

    def _account(self, assessing: Iterable[Assessing]) -> None:
        """Ask the accounting, once for all, about what the queue does not tell (any more), and the
        site for its name: an answer without them may be another's."""
        asked = [each for each in assessing if each.unsettled() and self._should_show(each)]
        if not asked or self.trouble or self.another is not None:
            return
        earliest = min(each.part.since for each in asked) - EARLIER
        backend = self.cluster.backend
        words = backend.history([each.part.native for each in asked], earliest)
        try:
            *answers, named = self.cluster.say_all([*words, backend.probe()])
            self._proven = self.cluster.identify(named)
        except Another as another:
            self._meet(another)
            return
        except HpcError:
            return
        answer = backend.read_history(answers) if words else Seen()
        if not answer.whole:
            return
        self._accounted = True
        told = by_number(answer.sightings)
        for each in asked:
            each.account(told.get(each.part.site, ()), backend.accounted_codes)

    def _is_sure(self, part: Part) -> bool:
        """Whether all who could know were asked, and it is certain that they would know this part:
        where the site has no name, because it knew the part once."""
        once = part.seen is not None or part.cancelled is not None
        return self._accounted and (once if self._proven is None else self._proven)

    def _should_show(self, assessing: Assessing) -> bool:
        """Whether the queue was asked after the site took it (or the clock was set back)."""
        return assessing.part.since < self.at or assessing.part.since > self.now

    def _finish(self, entry: Entry, parts: list[Part], assessing: list[Assessing]) -> Known:
        elements: dict[Element, Sighting] = {}
        for part in parts:
            if part.state != "known":
                elements |= unsent(part)
        records: Mapping[Element, Recorded] | None = {}
        if any(self._left_out(each) or each.doubtful for each in assessing):
            records = self._records(entry)
        for each in assessing:
            each.correct(records or {}, self.cluster.backend.accounted_codes)
            if each.missing and self._left_out(each):
                each.remember(records or {})
            self._judge(each, sure=self._is_sure(each.part) and records is not None)
            each.settle(self.now, lags=self.cluster.known_accounting())
            elements |= each.elements
        if where := under_way(self.cluster.ledger, entry, parts):
            elements = as_moving(entry, elements, where)
        return Known(entry=entry, parts=tuple(parts), elements=elements)

    def _left_out(self, each: Assessing) -> bool:
        """Whether whole answers do not mention something that they should."""
        return bool(each.missing) and self._should_show(each) and not self.trouble

    def _records(self, entry: Entry) -> Mapping[Element, Recorded] | None:
        """What the job recorded; None: that cannot be read now."""
        try:
            files = self.cluster.link.read(f"{entry.directory}/record", "*")
        except HpcError:
            return None
        return read_records({name: text.decode(errors="replace") for name, text in files.items()})

    # ------------------------------------------------------------------------- what to make of it

    def _judge(self, each: Assessing, *, sure: bool) -> None:
        """Say of what nobody told what can be said of it. `sure`: all who could know were asked."""
        if sure and not self.trouble and self._should_show(each):
            each.drop()
        if not each.missing:
            return
        part, at = each.part, self.at
        if self.another is not None:
            each.fill(UNKNOWN, self.another.message)
        elif self.trouble:
            each.fill(UNKNOWN, f"{self.cluster.name} does not answer: {self.trouble}")
        elif not self._should_show(each):
            each.fill("PENDING", "it has just been submitted", "JustSubmitted")
        elif sure and part.cancelled is not None and part.cancelled < at:
            each.fill("CANCELLED", "it was cancelled", end=part.cancelled)
        elif sure and part.missed is not None and not each.shown and at - part.missed > GONE_AFTER:
            why = "its scheduler has forgotten it, and it has left no record of its end"
            each.fill(GONE, why, end=self.now)
        else:
            each.fill(UNKNOWN, "it has left the queue, and nothing tells (yet) how it ended")

    def _record(self, found: Sequence[tuple[Known, list[Assessing]]]) -> None:
        """Take down what was found out, all of it at once."""
        news = _News()
        for known, assessing in found:
            for each in assessing:
                self._note(news, known.entry.serial, each)
            if known.over and all(each.over for each in assessing):
                news.closed.append(known.entry.serial)
        if not any(vars(news).values()):
            return
        self.cluster.ledger.learn(lambda change: news.write(change, self.at))

    def _note(self, news: _News, serial: int, each: Assessing) -> None:
        part = each.part
        if each.fresh:
            news.ended.append((serial, list(each.fresh.items())))
        if again := each.run_again():
            news.again.append((serial, again))
        if each.alive and not 0 <= self.at - (part.seen or 0) < SEEN_EVERY:
            news.alive.append(part)
        missed = self._is_sure(part) and not each.shown and self._should_show(each)
        if missed and not self.trouble and part.missed is None and not each.over:
            news.missed.append(part)
        elif each.shown and part.missed is not None:
            news.back.append(part)
        if each.over != part.over:
            (news.over if each.over else news.on).append(part)


class _News:
    """What a look has found out and is not on record yet."""

    def __init__(self) -> None:
        self.ended: list[tuple[int, list[tuple[Element, Sighting]]]] = []
        self.again: list[tuple[int, list[Element]]] = []
        self.alive: list[Part] = []
        self.missed: list[Part] = []
        self.back: list[Part] = []
        self.over: list[Part] = []
        self.on: list[Part] = []
        self.closed: list[int] = []

    def write(self, change: Change, at: float) -> None:
        """Take it down, as it was at an instant."""
        for serial, elements in self.again:
            change.forget_endings(serial, elements)
        for serial, fresh in self.ended:
            change.end(serial, fresh)
        change.seen(self.alive, at)
        change.missed(self.missed, at)
        change.missed(self.back, None)
        change.over(self.over, True)
        change.over(self.on, False)
        change.close(self.closed)
