"""A job that still waits is moved to a better cluster; there are never two live copies of it.

    1. The intention is recorded. From here on nobody sends what waits here, and its user's verbs
       wait, except cancel, which wins.
    2. It is held at its site: what is held cannot start. If it has begun, or cannot be held, the
       move is called off and it is let go.
    3. That it is held is seen, that it is to be ended is recorded, then it is ended.
    4. Only when the site itself says that all of it has ended, and that nothing of it ever began,
       is it entered for the other, under a key that follows from its own: it can be entered once.
    5. A site that takes none of it is left out from then on, and it goes back, or on to the next.

Each step is recorded before it is taken, and what a crash leaves is gone on with by `finish`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from hpcshell.backends.contract import Trouble
from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.federation import Offer, all_offers, best, clipped, limit_of
from hpcshell.clusters.known import Known
from hpcshell.clusters.leaving import (
    MOVING,
    follower,
    is_to_go_on,
    moved_key,
    turn,
    turned_away,
)
from hpcshell.clusters.lookout import Picture, on_record, picture
from hpcshell.clusters.submitting import Submitting, Wanted
from hpcshell.clusters.troubles import UNANSWERED
from hpcshell.core.errors import HpcError, Refused, Wrong
from hpcshell.core.jobspec import JobSpec
from hpcshell.core.sightings import ENDED, GONE, LIVE, UNKNOWN, Sighting
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry

GAIN: Final = 300.0
"""A move that is expected to save less than so many seconds is not worth it."""
PATIENCE: Final = 60.0
"""Seconds for which a site is given time to say that a job has ended."""
_PAUSE: Final = 2.0

BUSY: Final = "another process moves jobs of that cluster just now"
HELD: Final = "its user holds it"
JUST_SUBMITTED: Final = "JustSubmitted"
WAITS: Final = "it is being moved, and its end there is waited for"

Open = Callable[[str], Cluster]
Pause = Callable[[float], None]


class Stays(Exception):
    """It is not moved (any more); the sentence says why."""


class Moving:
    """Moves jobs between clusters. `opened` gives a cluster by name, `pause` waits; a site is given
    `patience` seconds to end a job."""

    def __init__(self, opened: Open, pause: Pause, patience: float = PATIENCE) -> None:
        self.opened = opened
        self.pause = pause
        self.patience = patience

    def rebalance(self, entry: Entry, *, held: bool = True) -> str:
        """Move a waiting submission if another cluster is expected to have it done noticeably
        sooner, or go on with its move. `held`: even if its user holds it; it is held there, too.
        Returns what was done, or why nothing was, in a sentence."""
        return self._in_turn(entry, partial(self._begin, even_held=held))

    def finish(self, entry: Entry) -> str:
        """Go on with a move that was begun, and say what came of it."""
        return self._in_turn(entry, lambda here, entry: None)

    def _in_turn(self, entry: Entry, first: Callable[[Cluster, Entry], None]) -> str:
        here = self.opened(entry.cluster)
        with turn(here) as mine:
            if not mine():
                return BUSY
            try:
                here.confirm()
                first(here, here.ledger.entry(entry.serial) or entry)
                return self._go_on(here, entry.serial)
            except Stays as stays:
                return f"it stays: {stays}"

    # --------------------------------------------------------------------------- whether, and where

    def _begin(self, here: Cluster, entry: Entry, *, even_held: bool) -> None:
        """Record where it is to go, unless a move was begun before. Raises `Stays`."""
        if is_to_go_on(here.ledger, entry):
            return
        if not entry.elsewhere:
            alone = "no other cluster could run it"
            raise Stays(alone if entry.chosen else "it was not submitted with --on any")
        if entry.spec.submission.dependency or _is_waited_for(here, entry):
            raise Stays("it is tied to other jobs there")
        several = self._waiting(here, entry)
        held = any(one.held or (entry.held and not one.native) for one in several)
        if held and not even_held:
            raise Stays(HELD)
        made = all_offers({entry.cluster: entry.spec} | dict(entry.elsewhere), self.opened)
        made[0] = mine = _of_one_in_line(made[0], entry, several)
        there = best(made, limit_of({entry.cluster: entry.spec}))
        if there is None or there is mine or not _worth(mine, there):
            raise Stays(mine.sentence)
        self._intend(here, entry, there.cluster, held=held)

    def _waiting(self, here: Cluster, entry: Entry) -> list[Sighting]:
        """Its elements, all of which wait. Raises `Stays`."""
        seen = picture(here, since=clock.now())
        if seen.trouble:
            raise Stays(f"{here.name} does not answer: {seen.trouble}")
        several = list(_in(seen, here, entry).elements.values())
        if any(_in_doubt(one) for one in several):
            raise Stays("nobody knows just now whether it waits")
        if any(one.state != "PENDING" or one.start_time for one in several):
            raise Stays("it does not wait any more")
        if len({one.held for one in several}) > 1:
            raise Stays("a part of it is held")
        return several

    def _intend(self, here: Cluster, entry: Entry, there: str, *, held: bool) -> None:
        with here.ledger.change() as change:
            now = here.ledger.entry(entry.serial)
            states = {part.state for part in here.ledger.parts(entry.serial)}
            gone = now is None or not now.open or now.moved or now.cancelled is not None
            if now is None or gone or now.held != entry.held:
                raise Stays("something else became of it meanwhile")
            if not states <= {"planned", "known"}:
                raise Stays("nobody knows yet whether it was taken there")
            change.rewrite(replace(now, moved=there, held=held, left=None))

    # --------------------------------------------------------------------------------------- moving

    def _go_on(self, here: Cluster, serial: int) -> str:
        """Take the steps that are left, one site after the other. Raises `Stays`."""
        first = here.name
        while True:
            entry = self._turned(here, serial)
            if not entry.moved:
                raise Stays("it is not being moved")
            after = follower(here.ledger, entry)
            if after is None:
                if not self._ended(here, entry):
                    return WAITS
                after = self._enter(here, entry)
            if after is None:
                continue
            if not turned_away(after, here.ledger.parts(after.serial)):
                return _told(first, after)
            here, serial = self.opened(after.cluster), after.serial

    def _turned(self, here: Cluster, serial: int) -> Entry:
        """The entry as it is now; one that its site has turned away is to go to the next."""
        with here.ledger.change() as change:
            entry = here.ledger.entry(serial)
            if entry is None:
                raise Stays("it is no more")
            if turned_away(entry, here.ledger.parts(serial)):
                entry = replace(entry, moved=next(iter(entry.elsewhere)))
                change.rewrite(entry)
        return entry

    def _ended(self, here: Cluster, entry: Entry) -> bool:
        """Whether it has ended without having begun: until then it is held, and then ended. Raises
        `Stays` when that is called off."""
        deadline = clock.monotonic() + self.patience
        holds = ends = False
        while True:
            entry = self._wanted(here, entry.serial)
            several = self._seen(here, entry)
            if several is None:
                return False
            if why := _why_not(entry, several):
                self._call_off(here, entry, why)
            if all(_over(one) for one in several):
                self._check_records(here, entry)
                return True
            if not _held(several):
                if holds:
                    self._call_off(here, entry, "it cannot be held there")
                self._hold(here, entry)
                holds = True
                continue
            if ends and clock.monotonic() >= deadline:
                return False
            self.pause(_PAUSE if ends else 0.0)
            self._end(here, entry)
            ends = True

    def _wanted(self, here: Cluster, serial: int) -> Entry:
        """The entry as it is now. If its user has wanted its end meanwhile, that is all there is to
        do: raises `Stays`."""
        entry = here.ledger.entry(serial)
        if entry is None:
            raise Stays("it is no more")
        if entry.cancelled is not None:
            refused = self._cancel(here, entry)
            if any(one.kind in UNANSWERED for one in refused.values()):
                raise Stays("its user has cancelled it; that it ends there is not confirmed yet")
            if refused:
                self._call_off(here, entry, "its user has cancelled it, and its site refuses that")
            self._rewrite(here, serial, moved="", left=None)
            raise Stays("its user has cancelled it")
        return entry

    def _seen(self, here: Cluster, entry: Entry) -> list[Sighting] | None:
        """What there is of it at its site; None: nobody can tell just now."""
        if not _natives(here, entry):
            return []
        seen = picture(here, since=clock.now())
        several = [one for one in _in(seen, here, entry).elements.values() if one.native]
        return None if seen.trouble or any(_in_doubt(one) for one in several) else several

    def _hold(self, here: Cluster, entry: Entry) -> None:
        words = here.backend.hold(_natives(here, entry))
        if words is None:
            self._call_off(here, entry, f"{here.backend.title} cannot hold it")
        here.say_all(words or ())

    def _end(self, here: Cluster, entry: Entry) -> None:
        """End what is held there, once it is on record that it is to be; not if the other cannot be
        reached any more."""
        if entry.left is None:
            look = self.opened(entry.moved).queue() if entry.moved != here.name else None
            if look is not None and look.trouble:
                self._call_off(here, entry, f"{entry.moved} does not answer: {look.trouble}")
            self._rewrite(here, entry.serial, left=clock.now())
        self._cancel(here, entry)

    def _cancel(self, here: Cluster, entry: Entry) -> dict[str, Trouble]:
        """Have the site end all that it has of it, and record what it agreed to. Why it did not of
        the others."""
        parts = [part for part in here.ledger.parts(entry.serial) if part.native]
        natives = [part.native for part in parts]
        if not natives:
            return {}
        answers = here.say_all(here.backend.cancel(natives))
        troubles = here.backend.read_change(natives, answers).troubles
        refused = {native: one for native, one in troubles.items() if one.kind != "gone"}
        with here.ledger.change() as change:
            change.cancelled((part for part in parts if part.native not in refused), clock.now())
        return refused

    def _check_records(self, here: Cluster, entry: Entry) -> None:
        """A job records its beginning itself, and is believed in that before anybody."""
        if here.link.read(f"{entry.directory}/record", "*.begin"):
            self._call_off(here, entry, "it has begun")

    def _call_off(self, here: Cluster, entry: Entry, why: str) -> None:
        """Let it go, unless it was held before. Raises `Stays`; what the site does not confirm is
        tried again by whoever finishes."""
        natives = _natives(here, entry)
        words = here.backend.release(natives) if natives and not entry.held else None
        if words:
            troubles = here.backend.read_change(natives, here.say_all(words)).troubles
            if any(one.kind in UNANSWERED for one in troubles.values()):
                raise Stays(f"{why}; that it is let go is not confirmed yet")
        self._rewrite(here, entry.serial, moved="", left=None)
        raise Stays(why)

    # ------------------------------------------------------------------------------------ the other

    def _enter(self, here: Cluster, entry: Entry) -> Entry | None:
        """Put it on record for the other, and hand it over. None: the other cannot have it, and the
        entry says where it goes instead."""
        submitting = Submitting(self.opened(entry.moved), self.pause)
        try:
            entered = submitting.enter(_in_place_of(entry, _others(here, entry)))
        except HpcError as error:
            self._redirect(here, self._wanted(here, entry.serial), error)
            return None
        submitting.begin(entered)
        return here.ledger.entry(entered.entry.serial) or entered.entry

    def _redirect(self, here: Cluster, entry: Entry, error: HpcError) -> None:
        """It goes back, or if it was turned away there, on to the next. Raises the error if there
        is nothing left."""
        never = isinstance(error, Wrong | Refused)
        left = {
            name: spec for name, spec in entry.elsewhere.items() if name != entry.moved or not never
        }
        back = not _turned_here(here, entry)
        where = here.name if back else next(iter(left), "")
        if where == entry.moved:
            raise error
        self._rewrite(here, entry.serial, moved=where, elsewhere=left)

    def _rewrite(self, here: Cluster, serial: int, **fields: Any) -> None:
        with here.ledger.change() as change:
            entry = here.ledger.entry(serial)
            if entry is not None:
                change.rewrite(replace(entry, **fields))


def _in_place_of(entry: Entry, others: Mapping[str, JobSpec]) -> Wanted:
    """The submission that follows an entry where it is moved to."""
    spec = entry.elsewhere.get(entry.moved, entry.spec)
    return Wanted(
        spec=replace(spec, submission=replace(spec.submission, hold=entry.held)),
        chosen=f"moved from {entry.cluster}",
        key=moved_key(entry),
        elsewhere=others,
        movable=entry.movable,
        after=entry.serial,
        moves=entry.moves + 1,
    )


def _others(here: Cluster, entry: Entry) -> dict[str, JobSpec]:
    """Where it may go from where it goes now: first of all back, if it was not turned away."""
    left = {name: spec for name, spec in entry.elsewhere.items() if name != entry.moved}
    if entry.moved == here.name or _turned_here(here, entry):
        return left
    return {entry.cluster: entry.spec} | left


def _turned_here(here: Cluster, entry: Entry) -> bool:
    return all(part.state == "refused" for part in here.ledger.parts(entry.serial))


def _told(first: str, after: Entry) -> str:
    if after.cluster == first:
        return "it went back: the other does not take it"
    return f"moved to {after.cluster}"


def _in(seen: Picture, here: Cluster, entry: Entry) -> Known:
    """What a picture shows of an entry."""
    found = next((one for one in seen.known if one.entry.serial == entry.serial), None)
    return found or on_record(here, here.ledger.entry(entry.serial) or entry)


def _natives(here: Cluster, entry: Entry) -> list[str]:
    return [part.native for part in here.ledger.parts(entry.serial) if part.native]


def _is_waited_for(here: Cluster, entry: Entry) -> bool:
    """Whether other jobs there wait for it."""
    return any(
        entry.directory in parent.directories
        for other in here.ledger.open_entries(here.name)
        for parent in other.parents
    )


def _in_doubt(one: Sighting) -> bool:
    return one.state == UNKNOWN or one.reason_code == JUST_SUBMITTED


def _over(one: Sighting) -> bool:
    return one.state in ENDED or one.reason_code == MOVING


def _held(several: Sequence[Sighting]) -> bool:
    """Whether nothing of what is left of it can start."""
    return all(one.held for one in several if not _over(one))


def _why_not(entry: Entry, several: Sequence[Sighting]) -> str:
    """Why it must not be moved as it stands; "": nothing speaks against it."""
    if any(one.start_time or one.state in LIVE - {"PENDING"} for one in several):
        return "it has begun"
    if any(one.state == GONE for one in several):
        return "its scheduler has forgotten it"
    if entry.left is None and any(_over(one) for one in several):
        return "it was ended there"
    return ""


def _of_one_in_line(made: Offer, entry: Entry, several: Sequence[Sighting]) -> Offer:
    """The offer of the site where it waits already: its place in line counts."""
    expected = [one.expected_start for one in several if one.expected_start]
    if expected:
        wait, told = clipped(max(expected) - clock.now()), "it expects so"
        return replace(made, wait=wait, why=told, cannot=False)
    if made.wait is None:
        return replace(made, ahead=max(0, made.ahead - 1))
    return made


def _worth(mine: Offer, there: Offer) -> bool:
    usual = mine.run or there.run or 0.0
    return mine.cannot or mine.total(usual) - there.total(usual) >= GAIN
