"""Runs that are not the worker's children: the keeper's, and those that lost both parents."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import Final

from hpcshell.daemon.runner.journal import (
    COMPACT_ABOVE,
    Entry,
    Exited,
    Gone,
    Head,
    Note,
    Spawned,
)
from hpcshell.daemon.runner.roster import Roster
from hpcshell.daemon.runner.warden import Warden
from hpcshell.machine import clock, kernel, processes

LOOK_AGAIN: Final = 1.0
UNSEEN: Final = (
    "It ended while no runner was there to see how, and this kernel does not keep the status."
)
INTERRUPTED: Final = "The runner was killed as it started this run; how it ended is not known."


class Adopted:
    """Learns how they end: from the keeper's notes, or from the kernel by a pidfd."""

    def __init__(
        self,
        roster: Roster,
        warden: Warden,
        epoll: select.epoll,
        routes: dict[int, Callable[[], None]],
        finished: Callable[[Entry], None],
    ) -> None:
        self.roster = roster
        self.table = roster.table
        self.warden = warden
        self.epoll = epoll
        self.routes = routes
        self.finished = finished
        self.blind: dict[int, Entry] = {}
        """Runs nobody tells us of and for which there was no descriptor to be had: looked at by
        the clock."""

    def recover(self, boot: str, kept: dict[int, int]) -> None:
        """Make sense of what a journal of this boot or another tells, and write it down in short.

        `kept` are the runs whose leader is the keeper's child, each with a pidfd or -1.
        """
        for run, descriptor in kept.items():
            if run in self.table:
                self.table[run].pidfd = descriptor
        for entry in self.roster.alive():
            if boot != clock.boot_id():
                reason = "The machine was restarted while it ran."
                self.table.apply(Gone(entry.run, reason, clock.now(), clean=True))
            elif entry.spawned is None:
                self.table.apply(self._search(entry))
        try:
            self.roster.journal.rewrite(self.table)
        except OSError:
            self.roster.journal.go_on([Head(clock.boot_id()), *self.table.notes()])
        self.watch_all(set(kept))

    def _search(self, entry: Entry) -> Note:
        """What became of a run whose worker and keeper were both killed as it was being started.

        A process with its mark may be the leader, or what a leader that has ended left behind. It
        is let live, within its limits, but its exit status will not be taken for the run's.
        """
        mark = self.roster.mark(entry)
        found = [
            row
            for row in processes.snapshot().values()
            if row.pid == row.session
            and row.state not in processes.ZOMBIE
            and row.ticks >= entry.spawning.ticks - 1
            and processes.carries(row.pid, mark)
        ]
        if not found:
            self.warden.kill(entry)
            return Gone(entry.run, INTERRUPTED, clock.now(), clean=True)
        row = min(found, key=lambda row: (row.ticks, row.pid))
        return Spawned(entry.run, row.pid, row.ticks, clock.monotonic(), clock.now(), certain=False)

    def watch_all(self, kept: set[int]) -> None:
        """Watch every run that is alive: none is our child yet."""
        self.warden.orphans.meet_keepers()
        for entry in self.roster.alive():
            if entry.ended:
                self.warden.sweep(entry)
            else:
                self._watch(entry, entry.run in kept)
                if not entry.over:
                    self.warden.pauses.settle(entry)
                    self.warden.plan(entry)

    def _watch(self, entry: Entry, kept: bool) -> None:
        spawned = entry.spawned
        assert spawned is not None
        row = processes.look(spawned.pid)
        if entry.pidfd < 0 and row is not None and row.ticks == spawned.ticks:
            entry.pidfd = processes.open_descriptor(spawned.pid)
        if kept:
            # The keeper writes down how it ends; the descriptor is for when the keeper dies too.
            return
        if entry.pidfd >= 0:
            self.epoll.register(entry.pidfd, select.EPOLLIN)
            self.routes[entry.pidfd] = lambda: self._look(entry)
        else:
            self._look(entry)
            if not entry.ended:
                self.blind[entry.run] = entry

    def look_again(self) -> None:
        """Look at the runs that only the clock tells us of."""
        for entry in list(self.blind.values()):
            self._look(entry)

    def _look(self, entry: Entry) -> None:
        """If a run that is nobody's child has ended, find its status where the kernel has it."""
        spawned = entry.spawned
        assert spawned is not None
        row = processes.look(spawned.pid)
        status = None
        if row is not None and row.ticks == spawned.ticks:
            if row.state not in processes.ZOMBIE:
                return
            if row.state == "Z":
                status = row.status
        if status is None and entry.pidfd >= 0:
            status = kernel.exit_status_of(entry.pidfd)
        if status is not None and spawned.certain:
            self.roster.record(Exited(entry.run, status, clock.now(), 0.0, 0.0, 0))
        else:
            reason = UNSEEN if spawned.certain else INTERRUPTED
            self.roster.record(Gone(entry.run, reason, clock.now()))
        self._ended(entry)

    def unwatch(self, entry: Entry) -> None:
        """Let go of a run's descriptor."""
        self.blind.pop(entry.run, None)
        if entry.pidfd >= 0:
            self.routes.pop(entry.pidfd, None)
            os.close(entry.pidfd)
            entry.pidfd = -1

    def catch_up(self) -> None:
        """Learn from the journal what keepers wrote about runs left to them."""
        for note in self.roster.journal.catch_up():
            if isinstance(note, Exited):
                entry = self.table.get(note.run)
                if entry is not None and not entry.ended:
                    self.table.apply(note)
                    self._ended(entry)

    def compact(self) -> None:
        """Write the journal anew when it has grown too long."""
        if self.roster.journal.size < COMPACT_ABOVE:
            return
        try:
            news = self.roster.journal.rewrite(self.table)
        except OSError:
            return
        for note in news:
            self._ended(self.table[note.run])

    def _ended(self, entry: Entry) -> None:
        self.unwatch(entry)
        self.warden.sweep(entry)
