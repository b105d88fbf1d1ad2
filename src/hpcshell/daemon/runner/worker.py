"""The worker: answers the daemon, and has runs started, watched and ended."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import traceback
from collections.abc import Callable
from typing import Final

from hpcshell.daemon.runner import wire
from hpcshell.daemon.runner.adopted import LOOK_AGAIN, Adopted
from hpcshell.daemon.runner.brood import Brood
from hpcshell.daemon.runner.door import Door
from hpcshell.daemon.runner.ground import (
    PARENT_DIED,
    WORKER_NAME,
    Ground,
    Next,
    take_role,
)
from hpcshell.daemon.runner.journal import Acked, Entry, Journal, Note
from hpcshell.daemon.runner.report import report
from hpcshell.daemon.runner.roster import Roster
from hpcshell.daemon.runner.said import Said
from hpcshell.daemon.runner.starts import Starts
from hpcshell.daemon.runner.warden import Warden
from hpcshell.machine import clock, kernel
from hpcshell.machine.listening import listen

LINGER: Final = 60.0
RETRY: Final = 1.0


class Worker:
    """One turn of the loop: read what there is, act on it, then say it in one write."""

    def __init__(self, ground: Ground, keeper: int, roster: Roster) -> None:
        self.ground = ground
        self.roster = roster
        self.keeper = roster.keeper = keeper
        self.leaving = False
        self.idle_since = clock.monotonic()
        self.signals = take_role(WORKER_NAME)
        self.epoll = select.epoll()
        self.routes: dict[int, Callable[[], None]] = {}
        self.door = Door(ground.listener, self.epoll)
        self.warden = Warden(roster, self._finished)
        self.said = Said(roster, self.warden, self.door.say)
        self.brood = Brood(roster, self.warden, self._finished)
        self.starts = Starts(roster, self.brood, self.door.say)
        self.adopted = Adopted(roster, self.warden, self.epoll, self.routes, self._finished)
        self.routes[ground.listener.fileno()] = self._on_caller
        for descriptor, route in ((self.signals, self._on_signal), (ground.nudge, self._on_nudge)):
            self.epoll.register(descriptor, select.EPOLLIN)
            self.routes[descriptor] = route
        kernel.on_parent_death(PARENT_DIED)
        ground.sign(roster.daemon)

    @classmethod
    def recovered(
        cls, ground: Ground, keeper: int, kept: dict[int, int], told: list[Note]
    ) -> Worker:
        """A worker that knows what the journal tells, and what the keeper could not write."""
        journal = Journal(ground.places.runs_journal)
        boot, table = journal.load()
        for note in told:
            table.apply(note)
        roster = Roster(ground, table, journal)
        roster.daemon = ground.signed_daemon()
        worker = cls(ground, keeper, roster)
        worker.adopted.recover(boot, kept)
        return worker

    def heir(self, keeper: int) -> Worker:
        """In the child of a worker that becomes the keeper: the same runs and the same connection,
        but no child of our own.
        """
        kept = {entry.run for entry in self.roster.leaders.values()}
        roster = Roster(self.ground, self.roster.table, self.roster.journal)
        roster.daemon = self.roster.daemon
        self.close()
        worker = Worker(self.ground, keeper, roster)
        worker.door.inherit(self.door)
        if worker.door.connection is not None:
            worker._take_connection()
        worker.leaving = self.leaving
        worker.adopted.catch_up()
        worker.adopted.watch_all(kept)
        return worker

    def close(self) -> None:
        """Let go of what belongs to this process alone."""
        self.door.close()
        self.brood.close()
        os.close(self.signals)
        self.epoll.close()

    def leave_to_heir(self) -> dict[int, int]:
        """In the parent of an heir: let go of everything but our children, whose pids and runs are
        returned.
        """
        self.close()
        self.door.hang_up()
        self.roster.journal.close()
        for entry in self.roster.table.values():
            if entry.pidfd >= 0:
                os.close(entry.pidfd)
        return {pid: entry.run for pid, entry in self.roster.leaders.items()}

    # -- the loop ----------------------------------------------------------------------------

    def serve(self) -> Next:
        """Go round until there is nothing more to do here, or the keeper has died."""
        while True:
            self.warden.act()
            if self.roster.journal.waiting:
                self.roster.journal.retry()
            if self.adopted.blind:
                self.adopted.look_again()
            if not self.door.flush():
                self.idle_since = clock.monotonic()
            if self._may_leave():
                self.warden.orphans.end_all()
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.ground.places.runner_socket)
                return Next.DONE
            if os.getppid() != self.keeper:
                return Next.FORK
            ready = [descriptor for descriptor, _ in self.epoll.poll(self._timeout(), 64)]
            # Orders first: after a long stop, what was to follow may have been recalled meanwhile.
            ready.sort(key=lambda each: self.routes.get(each) != self._on_orders)
            for descriptor in ready:
                route = self.routes.get(descriptor)
                if route is not None:
                    route()

    def _timeout(self) -> float | None:
        now = clock.monotonic()
        waits = []
        if (due := self.warden.next_due()) is not None:
            waits.append(max(0.0, due - now))
        if (due := self.door.due_in()) is not None:
            waits.append(due)
        if self.roster.journal.waiting:
            waits.append(RETRY)
        if self.adopted.blind:
            waits.append(LOOK_AGAIN)
        if self.door.connection is None and not self.roster.alive():
            waits.append(max(0.0, self.idle_since + LINGER - now))
        return min(waits, default=None)

    def _may_leave(self) -> bool:
        if not self.leaving:
            if self.door.connection is not None:
                return False
            if clock.monotonic() < self.idle_since + LINGER:
                return False
        return not self.roster.alive()

    def _on_signal(self) -> None:
        numbers = kernel.signals_read(self.signals)
        if signal.SIGCHLD in numbers:
            self.brood.reap()
        if signal.SIGTERM in numbers:
            self.leaving = True
        if signal.SIGHUP in numbers:
            self._listen_again()

    def _on_nudge(self) -> None:
        os.eventfd_read(self.ground.nudge)
        self.adopted.catch_up()

    def _listen_again(self) -> None:
        """Somebody took our socket's name away (a cleaned runtime directory): make it anew."""
        old = self.ground.listener
        try:
            self.ground.listener = listen(self.ground.places.runner_socket)
        except OSError:
            return
        self.routes.pop(old.fileno())
        self.door.listen_at(self.ground.listener)
        self.routes[self.ground.listener.fileno()] = self._on_caller

    # -- the daemon --------------------------------------------------------------------------

    def _on_caller(self) -> None:
        # What the daemon before had said is recorded in its store: it is carried out, not dropped.
        self._on_orders()
        if self.door.accept():
            self._take_connection()

    def _take_connection(self) -> None:
        connection = self.door.connection
        assert connection is not None
        self.routes[connection.fileno()] = self._on_orders
        self.roster.daemon = self.door.peer
        self.ground.sign(self.door.peer)
        self.leaving = False
        self.door.say(self.standing())

    def _on_orders(self) -> None:
        for order in self.door.read():
            try:
                self._carry_out(order)
            except Exception as error:
                # A defect of ours: one order is spoilt, not every run.
                traceback.print_exc()
                self.door.say(wire.Complaint(message=f"An order failed: {error!r}"))
        self.starts.give_back_late()
        self.adopted.compact()
        if self.door.connection is None:
            self.idle_since = clock.monotonic()

    def _carry_out(self, order: wire.AnyOrder) -> None:
        match order:
            case wire.Start():
                self.starts.order(order, self.leaving)
            case wire.Recall():
                self.starts.give_back_all(order)
            case wire.Ack():
                self._ack(order.runs)
            case wire.Inventory():
                self.door.say(self.standing())
            case wire.Shutdown():
                self._shutdown(order)
            case _:
                self.said.carry_out(order)

    def _ack(self, runs: list[int]) -> None:
        table = self.roster.table
        over = [run for run in runs if run in table and table[run].over]
        if over:
            self.roster.record(Acked(over))

    def _shutdown(self, order: wire.Shutdown) -> None:
        self.leaving = True
        self.roster.followers.give_back()
        if order.cancel:
            for entry in self.roster.alive():
                if not entry.ended:
                    self.warden.stop(entry, "shutdown", order.grace, signal.SIGTERM)

    def _finished(self, entry: Entry) -> None:
        self.adopted.unwatch(entry)
        if entry.spawning.session:
            shutil.rmtree(self.ground.places.session(entry.run), ignore_errors=True)
        if self.door.connection is None:
            self.roster.followers.give_back()
            self.idle_since = clock.monotonic()
            return
        follower = self.starts.take_place_of(entry)
        self.door.say(report(entry))
        self.starts.give_back_late()
        if follower is not None:
            self.starts.now(follower, self.leaving)

    def standing(self) -> wire.Standing:
        """How everything stands; nothing is kept to follow another any longer."""
        self.roster.followers.give_back()
        entries = self.roster.table.values()
        return wire.Standing(
            protocol=wire.PROTOCOL,
            runner_pid=os.getpid(),
            keeper_pid=self.keeper,
            boot_id=clock.boot_id(),
            runs=[report(entry) for entry in entries if entry.spawned or entry.over],
        )
