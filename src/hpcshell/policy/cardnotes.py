"""What is kept of each card: that somebody has paused it, and how it has failed.

A card that fails again and again is left alone for a while (its circuit is open). After that one
job is tried on it (half open): if that goes well all is forgotten, and if not it is left alone for
twice as long.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from hpcshell.core.gpus import Card
from hpcshell.core.records import Record
from hpcshell.core.settings_gpus import GpuSettings

Asked = Literal["up", "paused", "draining"]
LONGEST: Final = 86400.0
"""Seconds that a failing card is left alone at most before it is tried again."""
DOUBLINGS: Final = 20
OWN: Final = 0
"""In place of a job: a failure of the card itself."""


class CardNote(Record, frozen=True, kw_only=True):
    """What is kept of a card. `state`: what people asked for, with `reason`, who and since when.
    `failed`: the jobs behind its failures in a row; `opened`: how often in a row it was left alone
    for that, and until when (`shut`)."""

    state: Asked = "up"
    reason: str = ""
    user: str = ""
    since: float = 0.0
    failed: tuple[int, ...] = ()
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
        self._put(name, replace(self.of(name), failed=(), opened=0, shut=0.0))

    def fail(self, name: str, job: int, now: float, settings: GpuSettings) -> None:
        """A job failed on it, which counts once, or the card itself (`OWN`)."""
        note = self.of(name)
        tried = note.on_trial(now)
        if job != OWN and job in note.failed and not tried:
            return
        failed = (*note.failed, job)
        note = replace(note, failed=failed)
        if tried or len(failed) >= settings.failures:
            wait = min(settings.retry_after * 2 ** min(note.opened, DOUBLINGS), LONGEST)
            note = replace(note, failed=(), opened=note.opened + 1, shut=now + wait)
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
