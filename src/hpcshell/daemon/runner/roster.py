"""The runs, and which processes and orphans belong to each."""

from __future__ import annotations

import os
from typing import Final

from hpcshell.daemon.runner.followers import Followers
from hpcshell.daemon.runner.ground import Ground
from hpcshell.daemon.runner.journal import Entry, Journal, Note, Table
from hpcshell.machine import processes, tags
from hpcshell.machine.processes import Row

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
        words, tag = self.ground.words(entry.run), self.ground.tag(entry.run)
        spawned = entry.spawned
        if spawned is None:
            return processes.Mark(NOBODY, entry.spawning.ticks, words, tag)
        return processes.Mark(spawned.pid, spawned.ticks, words, tag)

    def alive(self) -> list[Entry]:
        return [entry for entry in self.table.values() if not entry.over]

    def apart(self) -> list[int]:
        """Processes whose groups are never signalled as a whole."""
        return [pid for pid in (self.keeper, self.daemon) if pid]

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
        """The runs alive that an orphan may belong to: one if it carries its number or a mark, else
        all that were there when it began. None: it belongs to a run that has ended.
        """
        alive = self.alive()
        tag = tags.carried_by(row.pid)
        if tags.akin(tag, self.ground.tag(0)):
            return frozenset(entry.run for entry in alive if self.ground.tag(entry.run) == tag)
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
