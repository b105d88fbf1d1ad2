"""What is known of the cards, and which of them take no new work, and why.

The owner (the daemon) tells it what surveys say, what people ask, and how runs end; it answers from
that and the time alone. A card takes no new work while it is paused, has trouble, is full or busy
of strangers, or has failed again and again (see `cardnotes`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from hpcshell.core.gpus import Reading, Survey, Tenant
from hpcshell.core.records import WHOLE, Claim
from hpcshell.core.settings_gpus import GpuSettings
from hpcshell.core.units import format_duration, short_size
from hpcshell.core.words import safe
from hpcshell.policy.cardnotes import OWN, CardNote, CardNotes, Failure, Kept, Wellness
from hpcshell.policy.reasons import joined, span
from hpcshell.policy.room import cards_held

NAMED: Final = 3
"""So many strangers are named in a sentence."""

NAMELESS: Final = "card "
"""Begins the name of a card that has no uuid; its number follows."""


BURDEN: Final = 5
"""Hundredths of a card's memory in which it is counted what strangers hold; less is nothing."""


class Standing(NamedTuple):
    """Whether a card takes new work (`up`, `trial`: one job) or why not, and since when."""

    state: str
    why: str = ""
    since: float = 0.0


UP: Final = Standing("up")


class Loads(NamedTuple):
    """Average and peak; None: nothing has been told."""

    average: float | None = None
    peak: float | None = None


class Overuse(NamedTuple):
    """A run holds `used` bytes of a card of which `limit` are its own; since when."""

    run: int
    card: int
    used: int
    limit: int
    since: float


class CardWatch:
    """`cards` by number: a card keeps its number for as long as anything may refer to it."""

    def __init__(self, settings: GpuSettings, kept: Kept | None = None) -> None:
        self.settings = settings
        self.survey = Survey(provider="none", time=0.0)
        self.cards = list((kept or Kept()).cards)
        self.notes = CardNotes((kept or Kept()).notes)
        self._met = False
        self._readings: dict[str, Reading] = {}
        self._loads: dict[str, deque[tuple[float, float]]] = {}
        self._since: dict[str, Standing] = {}
        self._over: dict[tuple[int, int], float] = {}
        self._well = Wellness()
        self.peaks: dict[int, int] = {}
        """The most memory that each run has been seen to hold, over all cards."""

    def kept(self) -> Kept:
        """What is to be put on record."""
        return Kept(notes=dict(self.notes.known), cards=tuple(self.cards))

    def name(self, card: int) -> str:
        """Under which name a card is remembered."""
        return self.cards[card].uuid or f"{NAMELESS}{card}"

    def note(self, card: int) -> CardNote:
        return self.notes.of(self.name(card))

    def reading(self, card: int) -> Reading | None:
        """What it told last; None: nothing yet."""
        return self._readings.get(self.name(card))

    # -- what is told ----------------------------------------------------------------------------

    def hear(self, survey: Survey, claims: Iterable[Claim]) -> bool:
        """Take in a survey; whether there are other cards now, or other facts about them."""
        before, claims = list(self.cards), list(claims)
        if survey.cards and not self._met and not _any_held(claims):
            self.cards = []  # nothing refers to a number: they are numbered as they are found
        self._met = self._met or bool(survey.cards)
        number = {self.name(card): card for card in range(len(self.cards))}
        for card in survey.cards:
            known = number.get(card.uuid) if card.uuid else None
            if known is None and not card.uuid and len(number) < len(self.cards):
                known = len(number)
            if known is None:
                self.cards.append(card)
            else:
                self.cards[known] = card
        if self.settings.count is not None:
            del self.cards[self.settings.count :]
        self.survey = survey
        told = {reading.uuid: reading for reading in survey.readings if reading.uuid}
        for at, reading in enumerate(survey.readings):
            if not reading.uuid:
                told[f"{NAMELESS}{at}"] = reading
        self._take(told, survey)
        for claim in claims:
            used = sum(self.used_by(claim.run).values())
            if used > self.peaks.get(claim.run, 0):
                self.peaks[claim.run] = used
        return self.cards != before

    def _take(self, told: dict[str, Reading], survey: Survey) -> None:
        for card in range(len(self.cards)):
            name = self.name(card)
            before, reading = self._readings.get(name), told.get(name)
            if reading is None:
                why = survey.trouble if not survey.cards else "lost: it is not there any more"
                reading = Reading(uuid=self.cards[card].uuid, trouble=why)
            lost = bool(reading.trouble) and not (before is None or before.trouble)
            if lost and not survey.trouble:  # else it is the driver's, and no card's
                self.notes.fail(name, OWN, survey.time, self.settings)
            self._readings[name] = reading
            loads = self._loads.setdefault(name, deque())
            if reading.load is not None:
                loads.append((survey.time, reading.load))
            while loads and loads[0][0] < survey.time - self.settings.window:
                loads.popleft()

    def used_by(self, run: int) -> dict[int, int]:
        """How many bytes of which card a run holds."""
        found: dict[int, int] = {}
        for card in range(len(self.cards)):
            reading = self.reading(card)
            for tenant in () if reading is None else reading.tenants:
                if tenant.run == run and tenant.memory:
                    found[card] = found.get(card, 0) + tenant.memory
        return found

    def ended(self, claim: Claim, *, failed: bool, time: float, kind: str = "") -> None:
        """A run is over that held cards. One that `failed` soon after its start may tell against
        them; any other is proof that they work. `kind`: what jobs like its own have in common."""
        self.forget(claim.run)
        soon = time - claim.start - claim.paused < self.settings.failure_within
        for card in cards_held(claim):
            if card >= len(self.cards):
                continue
            if failed and soon:
                failure = Failure(claim.job, kind, self._well.elsewhere(kind, card))
                self.notes.fail(self.name(card), failure, time, self.settings)
            elif not failed:
                self.notes.well(self.name(card))
                self._well.note(kind, card, time)

    def forget(self, run: int) -> None:
        """The run is over."""
        self.peaks.pop(run, None)
        self._over = {key: since for key, since in self._over.items() if key[0] != run}

    # -- what follows ----------------------------------------------------------------------------

    def closed(self, claims: Iterable[Claim], now: float) -> dict[int, str]:
        """The cards that take no new work, and why."""
        standings = self.standings(list(claims), now)
        return {card: one.why for card, one in enumerate(standings) if one.why}

    def on_trial(self, now: float) -> set[int]:
        """The cards on which one job is to be tried, or is being tried."""
        if not self.notes.known:
            return set()
        return {card for card in range(len(self.cards)) if self.note(card).on_trial(now)}

    def standings(self, claims: list[Claim], now: float) -> list[Standing]:
        """How each card stands."""
        found = []
        for card in range(len(self.cards)):
            one = self._standing(card, claims, now)
            before = self._since.get(self.name(card), UP)
            same = before.state == one.state
            since = one.since or (before.since if same else now)
            found.append(one._replace(since=since))
            self._since[self.name(card)] = found[-1]
        return found

    def _standing(self, card: int, claims: list[Claim], now: float) -> Standing:
        note, reading = self.note(card), self.reading(card)
        if note.state != "up":
            told = f": {safe(note.reason)}" if note.reason else ""
            return Standing(note.state, f"paused by {note.user}{told}", note.since)
        if self.cards[card].closed:
            return Standing("prohibited", "its compute mode lets no process in")
        if reading is None:
            return Standing("lost", "its driver has not answered yet")
        if reading.trouble:
            return Standing("lost", safe(reading.trouble.removeprefix("lost: ")))
        if why := self._strangers_say(card, reading, claims):
            return Standing("avoided", why)
        if now < note.shut:
            again = format_duration(round(note.shut - now))
            return Standing("failing", f"{_blamed(note)}; tried again in {again}")
        if note.opened:
            tried = [one for one in claims if card in cards_held(one) and one.start >= note.shut]
            why = f"job {tried[0].job} is tried on it after failures" if tried else ""
            return Standing("trial", why)
        return UP

    def _strangers_say(self, card: int, reading: Reading, claims: list[Claim]) -> str:
        """Why strangers keep us from the card; "" where they do not."""
        strangers, memory = self.strangers(card, claims)
        whole, settings = self.cards[card].memory, self.settings
        before = self._since.get(self.name(card), UP).state == "avoided"
        busy = reading.load or 0.0
        if before:  # quick to leave it to them, slow to come back
            busy = max(busy, self.loads(card).average or 0.0)
        ours = any(card in cards_held(claim) for claim in claims)
        who = _who(strangers, self.survey.time)
        if whole and memory > settings.memory_threshold * whole:
            return f"{short_size(memory)} of its {short_size(whole)} is held by {who}"
        if strangers and busy > settings.load_threshold and not ours:
            return f"used by {who}, at a load of {busy:.0%}"
        return ""

    def strangers(self, card: int, claims: Iterable[Claim]) -> tuple[list[Tenant], int]:
        """The processes on a card that no run of ours has, and how much of its memory is not held
        by ours."""
        reading = self.reading(card)
        if reading is None:
            return [], 0
        strangers = [tenant for tenant in reading.tenants if not tenant.run]
        told = sum(tenant.memory or 0 for tenant in strangers)
        mine = [tenant for tenant in reading.tenants if tenant.run]
        if reading.memory is None or any(tenant.memory is None for tenant in mine):
            return strangers, told
        if not mine and any(card in cards_held(claim) for claim in claims):
            return strangers, told  # a run of ours whose processes are not told apart
        return strangers, max(told, reading.memory - sum(tenant.memory or 0 for tenant in mine))

    def burdens(self, claims: Sequence[Claim]) -> dict[int, int]:
        """How many hundredths of a card's memory strangers hold, where that is worth counting: so
        much less of it can be promised."""
        found = {}
        for card, facts in enumerate(self.cards):
            _, memory = self.strangers(card, claims)
            steps = -(-memory * WHOLE // (facts.memory * BURDEN)) if facts.memory else 0
            if steps > 1:
                found[card] = min(WHOLE, steps * BURDEN)
        return found

    def loads(self, card: int) -> Loads:
        """Of the window."""
        loads = [load for _, load in self._loads.get(self.name(card), ())]
        return Loads(sum(loads) / len(loads), max(loads)) if loads else Loads()

    def overuse(self, claims: Iterable[Claim], now: float) -> list[Overuse]:
        """The runs that hold more memory of a card than is theirs."""
        found, over = [], {}
        for claim in claims:
            held = cards_held(claim)
            for card, used in self.used_by(claim.run).items():
                limit = self.limit(card, held.get(card, 0))
                if used > limit and self.cards[card].memory:
                    since = self._over.get((claim.run, card), now)
                    over[claim.run, card] = since
                    found.append(Overuse(claim.run, card, used, limit, since))
        self._over = over
        return found

    def limit(self, card: int, share: int) -> int:
        """The bytes of a card that go with so many hundredths of it."""
        return self.cards[card].memory * share // WHOLE


def _blamed(note: CardNote) -> str:
    """What failed: `jobs 3, 5 and 9 failed on it right after their start`."""
    jobs = sorted({str(job) for job in note.jobs if job}, key=int)
    if not jobs:
        return "it was lost again and again"
    told = f"job{'s' * (len(jobs) > 1)} {joined(jobs)} failed on it right after the start"
    return told + (", and it was lost" if 0 in note.jobs else "")


def _any_held(claims: Iterable[Claim]) -> bool:
    return any(claim.gpus or claim.shared for claim in claims)


def _who(strangers: list[Tenant], now: float) -> str:
    """`bob's python (pid 12, for 2h)`: the largest first."""
    largest = sorted(strangers, key=lambda one: one.memory or 0, reverse=True)
    names = [_named(one, now) for one in largest[:NAMED]]
    if len(largest) > NAMED:
        names.append(f"{len(largest) - NAMED} more")
    return joined(names) or "processes that cannot be seen"


def _named(one: Tenant, now: float) -> str:
    if not one.user:
        return f"a process that cannot be seen (pid {one.pid})"
    words = one.command.split()
    program = words[0].rpartition("/")[2] if words else "?"
    long = "" if one.since is None else f", for {span(max(0.0, round(now - one.since)))}"
    return f"{safe(one.user)}'s {safe(program)} (pid {one.pid}{long})"
