"""What is kept of each card: that somebody has paused it, and how it has failed.

A card that fails again and again is left alone for a while (its circuit is open). After that one
job is tried on it (half open): if that goes well all is forgotten, and if not it is left alone for
twice as long.

That a job fails is little evidence against a card: most fail for what is in them. So alike jobs
count once, however many they are, unless others of them have gone well on another card meanwhile.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from hpcshell.core.gpus import Card
from hpcshell.core.records import Record
from hpcshell.core.settings_gpus import GpuSettings

Asked = Literal["up", "paused", "draining"]
LONGEST: Final = 86400.0
"""Seconds that a failing card is left alone at most before it is tried again."""
DOUBLINGS: Final = 20
KINDS: Final = 1000
"""So many kinds of jobs that went well are remembered."""
REMEMBERED: Final = 3
"""So many of the jobs that failed are named."""


class Failure(NamedTuple):
    """A job failed on a card, or (0) the card itself did. `kind`: what alike jobs have in common;
    `elsewhere`: when one of these last went well on another card (0: never)."""

    job: int
    kind: str = ""
    elsewhere: float = 0.0


OWN: Final = Failure(0)


class CardNote(Record, frozen=True, kw_only=True):
    """What is kept of a card. `state`: what people asked for, with `reason`, who and since when.
    `failed`: the kinds of what failed in a row since `first`, and which `jobs` (0: the card
    itself); `opened`: how often in a row it was left alone for that, and until when (`shut`)."""

    state: Asked = "up"
    reason: str = ""
    user: str = ""
    since: float = 0.0
    failed: tuple[str, ...] = ()
    jobs: tuple[int, ...] = ()
    first: float = 0.0
    opened: int = 0
    shut: float = 0.0

    def on_trial(self, now: float) -> bool:
        """Whether one job is to be tried on it."""
        return bool(self.opened) and now >= self.shut


class Kept(Record, frozen=True, kw_only=True):
    """What is on record: notes by the name of the card, and what was known of each, by number."""

    notes: dict[str, CardNote] = msgspec.field(default_factory=dict)
    cards: tuple[Card, ...] = ()


NOTHING: Final = CardNote()


class CardNotes:
    """The notes by the names of the cards; a card that there is nothing to say of has none."""

    def __init__(self, notes: dict[str, CardNote]) -> None:
        self.known = dict(notes)
        self.changed = False
        """Whether any was written since somebody looked at this, and took it back."""

    def of(self, name: str) -> CardNote:
        return self.known.get(name, NOTHING)

    def ask(self, name: str, state: Asked, *, reason: str, user: str, now: float) -> None:
        """Somebody pauses a card, or lets it take work again: then its failures are forgotten,
        too."""
        note = NOTHING
        if state != "up":
            note = replace(self.of(name), state=state, reason=reason, user=user, since=now)
        self._put(name, note)

    def well(self, name: str) -> None:
        """Something ran on it, and not in vain."""
        clean = {"failed": (), "jobs": (), "first": 0.0, "opened": 0, "shut": 0.0}
        self._put(name, replace(self.of(name), **clean))

    def fail(self, name: str, failure: Failure, now: float, settings: GpuSettings) -> None:
        """Something failed on it."""
        note = self.of(name)
        tried, first = note.on_trial(now), note.first or now
        kind = failure.kind or "itself"
        if failure is OWN or failure.elsewhere >= first:
            kind = f"{kind} {failure.job} {len(note.failed)}"
        if not tried and (kind in note.failed or (failure.job in note.jobs and failure.job)):
            return
        jobs = (*note.jobs, failure.job)[-REMEMBERED:]
        note = replace(note, failed=(*note.failed, kind), jobs=jobs, first=first)
        if tried or len(note.failed) >= settings.failures:
            wait = min(settings.retry_after * 2 ** min(note.opened, DOUBLINGS), LONGEST)
            note = replace(note, failed=(), first=0.0, opened=note.opened + 1, shut=now + wait)
        self._put(name, note)

    def next_wake(self, now: float) -> float | None:
        """When time alone lets a card be tried again."""
        return min((note.shut for note in self.known.values() if note.shut > now), default=None)

    def _put(self, name: str, note: CardNote) -> None:
        self.changed = self.changed or note != self.of(name)
        if note == NOTHING:
            self.known.pop(name, None)
        else:
            self.known[name] = note


class Wellness:
    """When jobs of a kind last went well on a card, for as many as can be remembered."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, int], float] = {}

    def note(self, kind: str, card: int, time: float) -> None:
        """One did."""
        self._times.pop((kind, card), None)
        self._times[kind, card] = time
        while len(self._times) > KINDS:
            del self._times[next(iter(self._times))]

    def elsewhere(self, kind: str, card: int) -> float:
        """When one last did on another card than this; 0: never."""
        times = (time for (one, at), time in self._times.items() if one == kind and at != card)
        return max(times, default=0.0)
