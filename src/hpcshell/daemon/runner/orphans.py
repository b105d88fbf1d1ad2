"""Processes that lost their parents and were given to us or to our keeper: whose they are."""

from __future__ import annotations

import os
import signal
from typing import Final

from hpcshell.daemon.runner.journal import Entry
from hpcshell.daemon.runner.roster import Roster
from hpcshell.machine import processes
from hpcshell.machine.processes import Row

CHASES: Final = 200
"""Looks in a row at our children while each look finds a new one."""


class Orphans:
    """Learns of them when there are more children than leaders; otherwise looks at nothing."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster

    def left_by(self, entry: Entry, children: int) -> bool:
        """Whether a run whose leader, our child, is a zombie has left anything alive.

        `children` is how many children we have. Orphans of a run become our children at the moment
        their parent ends, so when there is none besides leaders and known strays, nothing is left.
        """
        strays, doubtful = self.roster.strays, self.roster.doubtful
        if children > len(self.roster.leaders) + len(strays) and not self.meet_ours():
            return True
        return any(entry.run in runs for known in (strays, doubtful) for runs in known.values())

    def meet_ours(self, doomed: Entry | None = None) -> bool:
        """Learn of our children that are no leaders, and stop those of a run that is to be ended.
        False: new ones keep coming.

        What forks and exits without end is gone by the time it is signalled. But our children stay
        in the list until we reap them, and the next in line is in it as soon as its parent exits:
        so we look until there is no new one, and are quicker than a look at all processes is.
        Where the parent is stopped before it exits, the next in line is below it instead.
        """
        leaders, strays = self.roster.leaders, self.roster.strays
        done = {pid for pid, runs in strays.items() if doomed is None or doomed.run not in runs}
        for _ in range(CHASES):
            children = [pid for pid in processes.children_of(os.getpid()) if pid not in leaders]
            fresh = [pid for pid in children if pid not in done]
            for pid in fresh:
                strays[pid] = self._judge(pid, doomed)
            if doomed is not None:
                theirs = [pid for pid in children if doomed.run in strays.get(pid, ())]
                fresh += self._stop_below(theirs, doomed, done)
            if not fresh:
                return True
            done.update(fresh)
        return False

    def _stop_below(self, pids: list[int], doomed: Entry, done: set[int]) -> list[int]:
        """Stop what descends from these; those of them that are new."""
        fresh: list[int] = []
        below = list(pids)
        for pid in below:
            for child in processes.children_of(pid):
                below.append(child)
                if child not in done:
                    fresh.append(child)
                    self._judge(child, doomed)
        return fresh

    def meet_keepers(self) -> None:
        """Learn of the orphans that a dead worker left to the keeper."""
        roster = self.roster
        leaders = {entry.spawned.pid for entry in roster.alive() if entry.spawned}
        for pid in processes.children_of(roster.keeper):
            if pid not in leaders and pid != os.getpid() and (runs := self._judge(pid)):
                roster.doubtful[pid] = runs

    def _judge(self, pid: int, doomed: Entry | None = None) -> frozenset[int]:
        """The runs that an orphan may belong to. One that belongs to none is killed, one that can
        only belong to the doomed is stopped.
        """
        row = processes.look(pid)
        if row is None or row.state in processes.ZOMBIE or pid == self.roster.daemon:
            return frozenset()
        runs = self.roster.suspects(row)
        if not runs:
            processes.send(row, signal.SIGKILL)
        elif doomed is not None and runs <= {doomed.run}:
            processes.send(row, signal.SIGSTOP)
        return runs

    def end_all(self) -> None:
        """No run is alive, so whatever orphan is left belongs to none: end it."""
        for pid in (*self.roster.strays, *self.roster.doubtful):
            row = processes.look(pid)
            ours = row is not None and row.ppid in (os.getpid(), self.roster.keeper)
            if row is not None and ours and pid != self.roster.daemon:
                processes.send(row, signal.SIGKILL)


class Hunt:
    """Finds all of a run that is to be ended or to stand still, time and again. Not `quiet`: at the
    last look new orphans kept coming."""

    def __init__(self, orphans: Orphans, entry: Entry) -> None:
        self.orphans = orphans
        self.entry = entry
        self.quiet = True

    def __call__(self) -> list[Row]:
        self.quiet = self.orphans.meet_ours(self.entry)
        return self.orphans.roster.members(self.entry)
