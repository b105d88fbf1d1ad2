"""The keeper: parent of the worker, and of the runs a dead worker leaves behind.

It does nothing while all is well. When the worker is killed the kernel gives its children to the
keeper, which finds out from the journal whose they are, has a new worker forked, and from then on
writes down how those runs end. A worker whose keeper was killed becomes a keeper in the same way,
with the runs it has.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from typing import Final

from hpcshell.daemon.runner.brood import exited
from hpcshell.daemon.runner.ground import KEEPER_NAME, WORKER_NAME, Ground, Next, take_role
from hpcshell.daemon.runner.journal import Entry, Journal, Note, Spawned, Unborn
from hpcshell.machine import clock, kernel, processes, tags

RETRY: Final = 1.0
EXEC_PATIENCE: Final = 2.0


class Keeper:
    """`leaders` are the runs whose leader is our child, by its pid."""

    def __init__(
        self, ground: Ground, leaders: dict[int, int] | None = None, worker: int = 0
    ) -> None:
        self.ground = ground
        self.leaders = leaders or {}
        self.worker = worker
        self.journal = Journal(ground.places.runs_journal)
        self.unwritten: list[Note] = []
        self.signals = take_role(KEEPER_NAME)
        self.poll = select.poll()
        self.poll.register(self.signals, select.POLLIN)
        self.forked_at = 0.0

    def close(self) -> None:
        """Let go of what the new worker must not share."""
        os.close(self.signals)

    def forked(self, pid: int) -> None:
        self.worker = pid
        self.forked_at = clock.monotonic()

    def descriptors(self) -> dict[int, int]:
        """A pidfd of each run's leader. Opened before the fork: who holds one can still learn how
        the run ended when we are killed too.
        """
        return {run: processes.open_descriptor(pid) for pid, run in self.leaders.items()}

    def keep(self) -> Next:
        """Wait until a worker has to be forked, or until everything is done."""
        if not self.worker:
            return Next.FORK
        while True:
            outcome = self._reap()
            if outcome is not None:
                return outcome
            if self.unwritten and self._write():
                os.eventfd_write(self.ground.nudge, 1)
            self.poll.poll(RETRY * 1000 if self.unwritten else None)
            kernel.signals_read(self.signals)
            self._wake_worker()

    def _wake_worker(self) -> None:
        """A job may have stopped the worker, its parent, and with it all that is to be started,
        limited and told."""
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            if os.waitid(os.P_PID, self.worker, os.WSTOPPED | os.WNOHANG) is not None:
                os.kill(self.worker, signal.SIGCONT)

    def _reap(self) -> Next | None:
        while (exit := kernel.peek_child()) is not None:
            if exit.pid == self.worker or (
                # Before a child is called a stray: did the worker just die and leave it to us?
                exit.pid not in self.leaders and kernel.peek_child(self.worker)
            ):
                return self._worker_ended()
            run = self.leaders.pop(exit.pid, None)
            if run is not None:
                self._record([exited(run, exit)])
            os.waitpid(exit.pid, 0)
        return None

    def _worker_ended(self) -> Next:
        self._adopt()
        _, status = os.waitpid(self.worker, 0)
        self.worker = 0
        if status == 0 and not self.leaders:
            return Next.DONE
        # A worker that dies as soon as it is born must not keep the machine busy.
        young = 1.0 - (clock.monotonic() - self.forked_at)
        if os.WIFEXITED(status) and young > 0:
            time.sleep(young)
        return Next.FORK

    def _adopt(self) -> None:
        """Learn whose the children are that the dead worker left to us."""
        _, table = self.journal.load()
        self.journal.close()
        for note in self.unwritten:
            table.apply(note)
        children = set(processes.children_of(os.getpid())) - {self.worker} - set(self.leaders)
        unresolved: list[Entry] = []
        for entry in table.values():
            spawned = entry.spawned
            if entry.ended:
                continue
            if spawned is None:
                unresolved.append(entry)
            elif spawned.pid in children and _is(spawned.pid, spawned.ticks):
                self.leaders[spawned.pid] = entry.run
                children.discard(spawned.pid)
        for entry in unresolved:
            note = self._resolve(entry, children)
            if isinstance(note, Spawned):
                self.leaders[note.pid] = entry.run
            self._record([note])

    def _resolve(self, entry: Entry, children: set[int]) -> Note:
        """Whether the worker, killed while it started this run, had made its process: only we can
        be its parent now, so it is among our children or it never was.
        """
        limit = clock.monotonic() + EXEC_PATIENCE
        while True:
            rows = [row for row in map(processes.look, children) if row is not None]
            unborn = [row for row in rows if row.comm == WORKER_NAME]
            if (
                not any(row.state not in processes.ZOMBIE for row in unborn)
                or clock.monotonic() > limit
            ):
                break
            time.sleep(0.001)
        rows = [row for row in rows if row not in unborn or row.state not in processes.ZOMBIE]
        row = self._leader(entry, rows)
        if row is None:
            return Unborn(entry.run)
        return Spawned(entry.run, row.pid, row.ticks, clock.monotonic(), clock.now())

    def _leader(self, entry: Entry, rows: Iterable[processes.Row]) -> processes.Row | None:
        """The likeliest leader of a run among our unknown children: they may be orphans of other
        runs, and orphans of this one, which are younger than their leader.
        """
        ranked: list[tuple[int, int, int, processes.Row]] = []
        for row in rows:
            if row.comm == WORKER_NAME:
                return row
            if row.pid == row.session and row.ticks >= entry.spawning.ticks - 1:
                rank = self._rank(entry, row)
                if rank is not None:
                    ranked.append((rank, row.ticks, row.pid, row))
        return min(ranked)[3] if ranked else None

    def _rank(self, entry: Entry, row: processes.Row) -> int | None:
        """How unlikely it is that this session leader is the run's; None: it is not."""
        tag = tags.carried_by(row.pid)
        if tags.akin(tag, self.ground.tag(entry.run)):
            return 0 if tag == self.ground.tag(entry.run) else None
        if row.state in processes.ZOMBIE:
            return 0 if row.comm == entry.spawning.comm else 2
        if processes.environment_has(row.pid, self.ground.words(entry.run)):
            return 0
        # Without any mark it may be a leader that emptied its environment.
        return None if processes.environment_has(row.pid, self.ground.words(None)) else 1

    def _record(self, notes: list[Note]) -> None:
        self.unwritten.extend(notes)
        if self._write():
            os.eventfd_write(self.ground.nudge, 1)

    def _write(self) -> bool:
        if not self.journal.append_as_keeper(self.unwritten):
            return False
        self.unwritten.clear()
        return True


def close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        if descriptor >= 0:
            os.close(descriptor)


def _is(pid: int, ticks: int) -> bool:
    row = processes.look(pid)
    return row is not None and row.ticks == ticks
