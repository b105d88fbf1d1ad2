"""Time limits, stopping, and seeing to it that nothing of a run outlives it."""

from __future__ import annotations

import heapq
import signal
from collections.abc import Callable
from typing import Final

from hpcshell.daemon.runner import wire
from hpcshell.daemon.runner.journal import Clean, Entry, Limited, Stopping, Warned
from hpcshell.daemon.runner.meant import meant
from hpcshell.daemon.runner.orphans import Hunt, Orphans
from hpcshell.daemon.runner.pauses import Pauses
from hpcshell.daemon.runner.roster import Roster
from hpcshell.machine import clock, processes

FIRST_RETRY: Final = 0.002
LONGEST_RETRY: Final = 1.0
UNREACHABLE_TRIES: Final = 8


class Warden:
    """Acts on runs when their time comes; `finished` is told of each run that is over."""

    def __init__(self, roster: Roster, finished: Callable[[Entry], None]) -> None:
        self.roster = roster
        self.finished = finished
        self.orphans = Orphans(roster)
        self.pauses = Pauses(roster, self.orphans)
        self.heap: list[tuple[float, int]] = []

    # -- when --------------------------------------------------------------------------------

    def plan(self, entry: Entry) -> None:
        """Note when this run next needs attention."""
        when = self._due(entry)
        entry.wake = when
        if when is not None:
            heapq.heappush(self.heap, (when, entry.run))
            if len(self.heap) > 1000 + 4 * len(self.roster.table):
                self._tidy()

    def _due(self, entry: Entry) -> float | None:
        if entry.over or entry.spawned is None:
            return None
        if entry.ended:
            return entry.next_try
        if entry.stopping is not None:
            return entry.stopping.stop_at or max(entry.stopping.kill_at, entry.next_try)
        if entry.stands_still and entry.suspended is not None:
            return entry.next_try or entry.suspended.until
        limit = _limit_of(entry)
        if limit is None:
            return None
        warn = entry.spawning.warn
        return limit - warn.before if warn and not entry.warned else limit

    def _tidy(self) -> None:
        self.heap = [
            (entry.wake, entry.run)
            for entry in self.roster.table.values()
            if entry.wake is not None
        ]
        heapq.heapify(self.heap)

    def next_due(self) -> float | None:
        """The monotonic time of the next thing to do."""
        while self.heap:
            when, run = self.heap[0]
            entry = self.roster.table.get(run)
            if entry is not None and entry.wake == when:
                return when
            heapq.heappop(self.heap)
        return None

    def act(self) -> None:
        """Do everything that is due."""
        while (when := self.next_due()) is not None and when <= clock.monotonic():
            _, run = heapq.heappop(self.heap)
            entry = self.roster.table[run]
            entry.wake = None
            self._attend(entry)
            if not entry.over:
                self.plan(entry)

    def _attend(self, entry: Entry) -> None:
        if entry.ended:
            self._sweep(entry)
        elif entry.stopping is not None:
            self._end(entry, entry.stopping)
        elif entry.stands_still:
            self._still(entry)
        elif entry.spawning.warn and not entry.warned:
            self.roster.record(Warned(entry.run))
            self.signal(
                entry, processes.signal_number(entry.spawning.warn.signal), entry.spawning.warn.to
            )
        else:
            self.stop(entry, "timeout", entry.spawning.grace, signal.SIGTERM)

    # -- what --------------------------------------------------------------------------------

    def limit(self, entry: Entry, seconds: float | None) -> None:
        """Change a run's time limit."""
        self.roster.record(Limited(entry.run, seconds))
        self.plan(entry)

    def signal(self, entry: Entry, number: int, to: str) -> int:
        """Signal the processes of a run that `to` means; says how many were reached."""
        return processes.signal_tree(meant(self.roster, entry, to), number)

    def stop(self, entry: Entry, cause: str, grace: float | None, number: int) -> None:
        """Begin to end a run: a signal to all its processes now, the kill after the grace."""
        grace = entry.spawning.grace if grace is None else grace
        kill_at = clock.monotonic() + max(0.0, grace)
        if entry.stopping is not None:
            cause, kill_at = entry.stopping.cause, min(kill_at, entry.stopping.kill_at)
        self.roster.record(Stopping(entry.run, cause, kill_at))
        if grace > 0:
            self._signal_all(entry, number)
        self.plan(entry)

    def stop_after(self, entry: Entry, stop: wire.Stop, ahead: wire.Warn) -> None:
        """Begin to end a run in a while, and tell it now. Nothing new to one that is ending."""
        if entry.stopping is not None:
            return
        first, then = map(processes.signal_number, (ahead.signal, stop.signal))
        grace = entry.spawning.grace if stop.grace is None else stop.grace
        stop_at = clock.monotonic() + max(0.0, ahead.before)
        if not entry.stands_still and (limit := _limit_of(entry)) is not None:
            stop_at = min(stop_at, max(clock.monotonic(), limit))
        kill_at = stop_at + max(0.0, grace)
        self.roster.record(Stopping(entry.run, stop.cause, kill_at, stop_at, then))
        self.signal(entry, first, ahead.to)
        if entry.suspended is not None:
            self.pauses.go_on(entry)
        self.plan(entry)

    def _end(self, entry: Entry, stopping: Stopping) -> None:
        """What a stop has come to: the signal after a while, or the kill after the grace."""
        if stopping.stop_at:
            self.roster.record(Stopping(entry.run, stopping.cause, stopping.kill_at))
        if stopping.stop_at and stopping.kill_at > stopping.stop_at:
            self._signal_all(entry, stopping.signal)
        else:
            self.kill(entry)

    def _signal_all(self, entry: Entry, number: int) -> None:
        self.signal(entry, number, "all")
        # A stopped process would not see the signal before it is killed.
        processes.signal_tree(self.roster.members(entry), signal.SIGCONT)

    def _still(self, entry: Entry) -> None:
        """What a suspended run has come to: it still forks, or it cannot go on in time."""
        until = None if entry.suspended is None else entry.suspended.until
        if until is not None and until <= clock.monotonic():
            self.stop(entry, "deadline", entry.spawning.grace, signal.SIGTERM)
        else:
            self.pauses.stand_still(entry)

    # -- the end -----------------------------------------------------------------------------

    def sweep(self, entry: Entry) -> None:
        """The leader has ended: end what is left, now and until nothing is."""
        entry.tries, entry.next_try = 0, 0.0
        self._sweep(entry)
        if not entry.over:
            self.plan(entry)

    def _sweep(self, entry: Entry) -> None:
        if self.kill(entry):
            return
        self.roster.record(Clean(entry.run))
        self.finished(entry)

    def kill(self, entry: Entry) -> bool:
        """One attempt at everything that is left; False when nothing is, or nothing that we may
        touch. While new orphans keep coming, something is.
        """
        hunt = Hunt(self.orphans, entry)
        found, reached = processes.kill_tree(hunt, self.roster.apart())
        entry.tries += 1
        entry.next_try = clock.monotonic() + min(
            LONGEST_RETRY, FIRST_RETRY * 2 ** min(entry.tries, 16)
        )
        return not hunt.quiet or (
            bool(found) and (bool(reached) or entry.tries < UNREACHABLE_TRIES)
        )


def _limit_of(entry: Entry) -> float | None:
    """When the time limit of a run that does not stand still is reached (monotonic)."""
    if entry.time_limit is None or entry.spawned is None:
        return None
    still = 0.0 if entry.suspended is None else entry.suspended.before
    return entry.spawned.monotonic + entry.time_limit + still
