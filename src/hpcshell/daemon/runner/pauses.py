"""Runs that stand still: on record first, then stopped or let go on; each may be done again."""

from __future__ import annotations

from typing import Final

from hpcshell.daemon.runner.journal import Entry, Suspended
from hpcshell.daemon.runner.orphans import Hunt, Orphans
from hpcshell.daemon.runner.roster import Roster
from hpcshell.machine import clock, processes

RETRY: Final = 0.002


class Pauses:
    """What it does to a run may change when that next needs attention."""

    def __init__(self, roster: Roster, orphans: Orphans) -> None:
        self.roster = roster
        self.orphans = orphans

    def suspend(self, entry: Entry, within: float | None) -> None:
        """Stop all of a run and the clock of its time limit."""
        if entry.stopping is not None or entry.ended:
            return
        now, known = clock.monotonic(), entry.suspended
        since, before = now, 0.0
        if known is not None:
            since, before = known.since or now, known.before
        until = None if within is None else now + max(0.0, within)
        self.roster.record(Suspended(entry.run, since, before, until))
        self.stand_still(entry)

    def resume(self, entry: Entry) -> None:
        """Let a run and its clock go on."""
        known = entry.suspended
        if known is None or entry.ended:
            return
        if known.since is not None:
            still = known.before + clock.monotonic() - known.since
            self.roster.record(Suspended(entry.run, None, still))
        self.go_on(entry)
        entry.next_try = 0.0

    def settle(self, entry: Entry) -> None:
        """Of a run found on recovery: whoever suspended it or let it go on may have been killed
        before that was done."""
        if entry.ended:
            return
        if entry.stands_still:
            self.stand_still(entry)
        elif entry.suspended is not None:
            self.go_on(entry)

    def stand_still(self, entry: Entry) -> None:
        """Stop all of it; what still forks is stopped at the next try.

        screen lets a window that is stopped go on, as long as it is not stopped itself: with a
        session, all is stopped once more.
        """
        hunt = Hunt(self.orphans, entry)
        settled = processes.stop_tree(hunt, self.roster.apart()) and hunt.quiet
        if entry.spawning.session:
            settled = processes.stop_tree(hunt, self.roster.apart()) and hunt.quiet
        entry.next_try = 0.0 if settled else clock.monotonic() + RETRY

    def go_on(self, entry: Entry) -> None:
        """Continue all of it."""
        processes.continue_tree(lambda: self.roster.members(entry), self.roster.apart())
