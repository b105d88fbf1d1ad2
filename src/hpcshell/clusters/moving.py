"""A job that still waits is moved to a better cluster; there are never two live copies of it.

    1. The intention is recorded with the job, then it is held: what is held cannot start.
    2. It is looked at: only if it waits there, held, is it cancelled.
    3. Only when the site itself says that it has ended, and that it never started, is it submitted
       elsewhere, under a key that is made from its own, so that it can be there only once.

Each step is recorded before it is taken, and what a crash leaves is gone on with by `finish`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from hpcshell.clusters.cluster import Cluster
from hpcshell.clusters.federation import Offer, choose
from hpcshell.clusters.known import Known
from hpcshell.clusters.lookout import on_record, picture
from hpcshell.clusters.submitting import Submitting, Wanted
from hpcshell.core.errors import HpcError
from hpcshell.core.sightings import ENDED
from hpcshell.machine import clock
from hpcshell.store.ledger.entries import Entry

GAIN: Final = 300.0
"""A move that is expected to save less than so many seconds is not worth it."""
PATIENCE: Final = 60.0
"""Seconds for which a site is given time to say that a job has ended."""
_PAUSE: Final = 2.0

Open = Callable[[str], Cluster]
Pause = Callable[[float], None]


class Moving:
    """Moves jobs between clusters. `opened` gives a cluster by name, `pause` waits."""

    def __init__(self, opened: Open, pause: Pause) -> None:
        self.opened = opened
        self.pause = pause

    def rebalance(self, entry: Entry) -> str:
        """Move a waiting submission if another cluster is expected to have it done noticeably
        sooner. Returns what was done, or why nothing was, in a sentence."""
        here = self.opened(entry.cluster)
        if not entry.elsewhere:
            return "it was not submitted with --on any"
        known = self._known(here, entry)
        if any(one.state != "PENDING" or one.start_time for one in known.elements.values()):
            return "it does not wait any more"
        specs = {entry.cluster: entry.spec} | dict(entry.elsewhere)
        made, best = choose(specs, self.opened)
        mine = next(each for each in made if each.cluster == entry.cluster)
        if best is None or best.cluster == entry.cluster or not _worth(mine, best):
            return f"it stays: {mine.sentence}"
        return self._move(here, entry, best)

    def _move(self, here: Cluster, entry: Entry, best: Offer) -> str:
        states = {part.state for part in here.ledger.parts(entry.serial)}
        if "asking" in states:
            return "it stays: nobody knows yet whether it was taken there"
        unsent = states == {"planned"}
        if not unsent and not self._hold(here, entry):
            return "it stays: it cannot be held there, or has begun"
        self._rewrite(here, replace(entry, moved=best.cluster))
        moved = self.finish(entry.serial, here)
        if moved is None:
            return "its end there is waited for; it is moved as soon as that is told"
        return f"moved to {moved.cluster}: {best.sentence}"

    def _hold(self, here: Cluster, entry: Entry) -> bool:
        """Whether the site holds it now, all of it waiting: from here on it cannot start."""
        natives = [part.native for part in here.ledger.parts(entry.serial) if part.native]
        words = here.backend.hold(natives)
        if words is None:
            return False
        change = here.backend.read_change(natives, here.say_all(words))
        if change.troubles:
            return False
        known = self._known(here, entry, since=clock.now())
        waits = [one.state == "PENDING" and one.held for one in known.elements.values()]
        if all(waits):
            return True
        again = here.backend.release(natives)
        here.say_all(again or ())
        return False

    def finish(self, serial: int, here: Cluster) -> Entry | None:
        """Go on with a move whose intention is recorded; None: not yet, or it is off."""
        entry = here.ledger.entry(serial)
        if entry is None or not entry.moved:
            return None
        there = self.opened(entry.moved)
        if (already := here.ledger.keyed(moved_key(entry))) is not None:
            return already
        if not self._ended_unstarted(here, entry):
            return None
        spec = entry.elsewhere[entry.moved]
        others = {name: each for name, each in entry.elsewhere.items() if name != entry.moved}
        wanted = Wanted(
            spec=spec,
            chosen=f"moved from {entry.cluster}",
            key=moved_key(entry),
            elsewhere=others | {entry.cluster: entry.spec},
        )
        try:
            return Submitting(there, self.pause).submit(wanted).entry
        except HpcError:  # it was ended there for this: it goes back rather than be lost
            back = replace(wanted, spec=entry.spec, elsewhere=dict(entry.elsewhere))
            return Submitting(here, self.pause).submit(back).entry

    def _ended_unstarted(self, here: Cluster, entry: Entry) -> bool:
        """Cancel it, and wait until the site says that it has ended without having begun."""
        with here.ledger.change() as change:
            change.withdraw(entry.serial, clock.now(), f"moved to {entry.moved}")
        parts = {part.native: part for part in here.ledger.parts(entry.serial) if part.native}
        if parts:
            natives = list(parts)
            answers = here.say_all(here.backend.cancel(natives))
            troubles = here.backend.read_change(natives, answers).troubles
            with here.ledger.change() as change:
                change.rewrite(replace(entry, cancelled=clock.now()))
                agreed = (part for native, part in parts.items() if native not in troubles)
                change.cancelled(agreed, clock.now())
        deadline = clock.monotonic() + PATIENCE
        while True:
            known = self._known(here, entry, since=clock.now())
            several = list(known.elements.values())
            if any(one.start_time and one.state != "PENDING" for one in several):
                self._rewrite(here, replace(entry, moved="", cancelled=clock.now()))
                return False
            if all(one.state in ENDED for one in several):
                return True
            if clock.monotonic() > deadline:
                return False
            self.pause(_PAUSE)

    def _known(self, here: Cluster, entry: Entry, since: float = 0.0) -> Known:
        seen = picture(here, since=since)
        found = next((one for one in seen.known if one.entry.serial == entry.serial), None)
        return found or on_record(here, here.ledger.entry(entry.serial) or entry)

    def _rewrite(self, here: Cluster, entry: Entry) -> None:
        with here.ledger.change() as change:
            change.rewrite(entry)


def _worth(mine: Offer, best: Offer) -> bool:
    usual = mine.run or best.run or 0.0
    return mine.total(usual) - best.total(usual) >= GAIN


def moved_key(entry: Entry) -> str:
    """The key of a submission on the cluster that it is moved to."""
    return f"{entry.key}m"


def unfinished(entries: Sequence[Entry]) -> list[Entry]:
    """Those whose move was begun."""
    return [entry for entry in entries if entry.moved]
