"""Time limits, stopping, and seeing to it that nothing of a run outlives it."""

from __future__ import annotations

import heapq
import os
import signal
from collections.abc import Callable
from typing import Final

from hpcshell.daemon.runner.followers import Followers
from hpcshell.daemon.runner.ground import Ground
from hpcshell.daemon.runner.journal import (
    Clean,
    Entry,
    Journal,
    Limited,
    Note,
    Stopping,
    Table,
    Warned,
)
from hpcshell.machine import clock, processes
from hpcshell.machine.processes import Row

FIRST_RETRY: Final = 0.002
LONGEST_RETRY: Final = 1.0
UNREACHABLE_TRIES: Final = 8
NOBODY: Final = -1


class Roster:
    """The table and the journal, changed together."""

    def __init__(self, ground: Ground, table: Table, journal: Journal) -> None:
        self.ground = ground
        self.table = table
        self.journal = journal
        self.keeper = 0
        self.daemon = 0
        self.leaders: dict[int, Entry] = {}
        """Runs whose leader is our child, by its pid."""
        self.strays: dict[int, frozenset[int]] = {}
        """Orphans that became our children, by pid: the runs each may belong to."""
        self.doubtful: dict[int, frozenset[int]] = {}
        """Orphans that became the keeper's children, likewise; only those of runs alive."""
        self.followers = Followers()

    def record(self, note: Note) -> None:
        self.table.apply(note)
        self.journal.append(note)

    def mark(self, entry: Entry) -> processes.Mark:
        spawned = entry.spawned
        if spawned is None:
            return processes.Mark(NOBODY, entry.spawning.ticks, self.ground.words(entry.run))
        return processes.Mark(spawned.pid, spawned.ticks, self.ground.words(entry.run))

    def alive(self) -> list[Entry]:
        return [entry for entry in self.table.values() if not entry.over]

    def members(self, entry: Entry) -> list[Row]:
        """Every process that belongs to a run now."""
        rows = processes.snapshot()
        apart = {os.getpid(), self.keeper, self.daemon}
        others = [each for each in self.table.values() if not each.over and each is not entry]
        apart |= {each.spawned.pid for each in others if each.spawned}
        found = {row.pid for row in processes.belonging(self.mark(entry), rows, apart)}
        orphans = [
            row
            for row in rows.values()
            if row.ppid in (os.getpid(), self.keeper)
            and row.pid not in apart
            and row.pid not in found
            and row.state not in processes.ZOMBIE
        ]
        suspected = {row: self.suspects(row) for row in orphans}
        self.doubtful = {
            row.pid: runs for row, runs in suspected.items() if row.ppid == self.keeper
        }
        doomed = [row.pid for row, runs in suspected.items() if runs <= {entry.run}]
        found |= processes.with_descendants(doomed, rows, apart)
        return [rows[pid] for pid in found if rows[pid].state not in processes.ZOMBIE]

    def suspects(self, row: Row) -> frozenset[int]:
        """The runs alive that an orphan may belong to: one if it still carries a mark, else all
        that were there when it began. None: it belongs to a run that has ended.
        """
        alive = self.alive()
        for entry in alive:
            spawned = entry.spawned
            if spawned and (
                spawned.pid in (row.session, row.pgrp)
                or processes.environment_has(row.pid, self.ground.words(entry.run))
            ):
                return frozenset((entry.run,))
        return frozenset(
            entry.run for entry in alive if entry.spawned and entry.spawned.ticks <= row.ticks
        )


class Warden:
    """Acts on runs when their time comes; `finished` is told of each run that is over."""

    def __init__(self, roster: Roster, finished: Callable[[Entry], None]) -> None:
        self.roster = roster
        self.finished = finished
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
            return max(entry.stopping.kill_at, entry.next_try)
        if entry.time_limit is None:
            return None
        limit = entry.spawned.monotonic + entry.time_limit
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
            self.kill(entry)
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
        spawned = entry.spawned
        if spawned is None:
            return 0
        if to != "leader":
            members = self.roster.members(entry)
            rest = [row for row in members if row.pid != spawned.pid]
            return processes.signal_tree(rest if to == "rest" and rest else members, number)
        row = processes.look(spawned.pid)
        return int(row is not None and row.ticks == spawned.ticks and processes.send(row, number))

    def stop(self, entry: Entry, cause: str, grace: float | None, number: int) -> None:
        """Begin to end a run: a signal to all its processes now, the kill after the grace."""
        grace = entry.spawning.grace if grace is None else grace
        kill_at = clock.monotonic() + max(0.0, grace)
        if entry.stopping is not None:
            cause, kill_at = entry.stopping.cause, min(kill_at, entry.stopping.kill_at)
        self.roster.record(Stopping(entry.run, cause, kill_at))
        if grace > 0:
            members = self.roster.members(entry)
            processes.signal_tree(members, number)
            # A stopped process would not see the signal before it is killed.
            processes.signal_tree(members, signal.SIGCONT)
        self.plan(entry)

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
        touch.
        """
        members = self.roster.members
        apart = [pid for pid in (self.roster.keeper, self.roster.daemon) if pid]
        found, reached = processes.kill_tree(lambda: members(entry), apart)
        entry.tries += 1
        entry.next_try = clock.monotonic() + min(
            LONGEST_RETRY, FIRST_RETRY * 2 ** min(entry.tries, 16)
        )
        return bool(found) and (bool(reached) or entry.tries < UNREACHABLE_TRIES)

    def left_behind(self, entry: Entry, children: int) -> bool:
        """Whether a run whose leader, our child, is a zombie has left anything alive.

        `children` is how many children we have. Orphans of a run become our children at the moment
        their parent ends, so when there is none besides leaders and known strays, nothing is left.
        """
        strays = self.roster.strays
        if children > len(self.roster.leaders) + len(strays):
            self._meet_strays()
        return any(
            entry.run in runs for known in (strays, self.roster.doubtful) for runs in known.values()
        )

    def end_orphans(self) -> None:
        """No run is alive, so whatever orphan is left belongs to none: end it."""
        for pid in (*self.roster.strays, *self.roster.doubtful):
            row = processes.look(pid)
            ours = row is not None and row.ppid in (os.getpid(), self.roster.keeper)
            if row is not None and ours and pid != self.roster.daemon:
                processes.send(row, signal.SIGKILL)

    def meet_orphans(self) -> None:
        """Learn of the orphans that a dead worker left to the keeper."""
        roster = self.roster
        leaders = {entry.spawned.pid for entry in roster.alive() if entry.spawned}
        for pid in processes.children_of(roster.keeper):
            row = processes.look(pid)
            if row is None or row.state in processes.ZOMBIE:
                continue
            if pid not in leaders and pid not in (os.getpid(), roster.daemon):
                roster.doubtful[pid] = roster.suspects(row)

    def _meet_strays(self) -> None:
        roster = self.roster
        for pid in processes.children_of(os.getpid()):
            if pid in roster.leaders or pid in roster.strays:
                continue
            row = processes.look(pid)
            if row is None or row.state in processes.ZOMBIE or pid == roster.daemon:
                roster.strays[pid] = frozenset()
                continue
            roster.strays[pid] = runs = roster.suspects(row)
            if not runs:
                processes.send(row, signal.SIGKILL)
