"""The worker: starts runs, reaps them, and answers the daemon."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable
from typing import Final

from hpcshell.daemon import runner_wire as wire
from hpcshell.daemon.runner_door import Door
from hpcshell.daemon.runner_ground import PARENT_DIED, WORKER_NAME, Ground, Next, take_role
from hpcshell.daemon.runner_journal import (
    COMPACT_ABOVE,
    Acked,
    Entry,
    Exited,
    Gone,
    Head,
    Journal,
    Note,
    Spawned,
    Spawning,
    Unable,
    Unborn,
)
from hpcshell.daemon.runner_keeper import exited
from hpcshell.daemon.runner_warden import Roster, Warden
from hpcshell.machine import clock, kernel, processes, spawn

LINGER: Final = 60.0
RETRY: Final = 1.0


class Worker:
    """One turn of the loop: read what there is, act on it, then say it in one write."""

    def __init__(self, ground: Ground, keeper: int, roster: Roster) -> None:
        self.ground = ground
        self.roster = roster
        self.table = roster.table
        self.keeper = roster.keeper = keeper
        self.epoll = select.epoll()
        self.door = Door(ground.listener, self.epoll)
        self.warden = Warden(roster, self._finished)
        self.leaving = False
        self.idle_since = clock.monotonic()
        self.signals = take_role(WORKER_NAME)
        self.children = os.open(
            f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC
        )
        self.routes: dict[int, Callable[[], None]] = {
            self.signals: self._on_signal,
            ground.nudge: self._on_nudge,
            ground.listener.fileno(): self._on_caller,
        }
        self.epoll.register(self.signals, select.EPOLLIN)
        self.epoll.register(ground.nudge, select.EPOLLIN)
        kernel.on_parent_death(PARENT_DIED)
        os.ftruncate(ground.lock, 0)
        os.pwrite(ground.lock, b"%d\n" % os.getpid(), 0)

    @classmethod
    def recovered(
        cls, ground: Ground, keeper: int, kept: dict[int, int], told: list[Note]
    ) -> Worker:
        """A worker that knows what the journal tells, and what the keeper could not write."""
        journal = Journal(ground.places.runs_journal)
        boot, table = journal.load()
        for note in told:
            table.apply(note)
        worker = cls(ground, keeper, Roster(ground, table, journal))
        for run, descriptor in kept.items():
            if run in table:
                table[run].pidfd = descriptor
        worker._recover(boot, set(kept))
        return worker

    def heir(self, keeper: int) -> Worker:
        """In the child of a worker that becomes the keeper: the same runs, none of them our
        children.
        """
        for entry in self.roster.leaders.values():
            entry.mine = False
        roster = Roster(self.ground, self.table, self.roster.journal)
        kept = {entry.run for entry in self.roster.leaders.values()}
        connection, peer = self.door.connection, self.door.peer
        unread, unsent = self.door.unread, self.door.unsent
        self.close()
        worker = Worker(self.ground, keeper, roster)
        if connection is not None:
            worker.door.adopt(connection, peer)
            worker.door.unread, worker.door.unsent = unread, unsent
            worker._take_connection()
        worker.leaving = self.leaving
        worker._catch_up()
        worker._watch_all(kept)
        return worker

    def close(self) -> None:
        """Let go of what belongs to this process alone."""
        os.close(self.door.spare)
        os.close(self.signals)
        os.close(self.children)
        self.epoll.close()

    def open_descriptors(self) -> None:
        """Before an heir is forked: a pidfd of each child, for the case that we are killed next."""
        for pid, entry in self.roster.leaders.items():
            entry.pidfd = processes.open_descriptor(pid)

    def leave_to_heir(self) -> dict[int, int]:
        """In the parent of an heir: let go of everything but our children, whose pids and runs are
        returned.
        """
        self.close()
        self.door.hang_up()
        self.roster.journal.close()
        for entry in self.table.values():
            if entry.pidfd >= 0:
                os.close(entry.pidfd)
        return {pid: entry.run for pid, entry in self.roster.leaders.items()}

    def serve(self) -> Next:
        """Go round until there is nothing more to do here, or the keeper has died."""
        self.door.flush(self._on_hung_up)
        while True:
            if os.getppid() != self.keeper:
                return Next.FORK
            for descriptor, _ in self.epoll.poll(self._timeout(), 64):
                route = self.routes.get(descriptor)
                if route is not None:
                    route()
            self.warden.act()
            if self.roster.journal.waiting:
                self.roster.journal.retry()
            self.door.flush(self._on_hung_up)
            if self._may_leave():
                self.ground.places.runner_socket.unlink(missing_ok=True)
                return Next.DONE

    def _timeout(self) -> float | None:
        due = self.warden.next_due()
        now = clock.monotonic()
        wait = None if due is None else max(0.0, due - now)
        if self.roster.journal.waiting:
            wait = RETRY if wait is None else min(wait, RETRY)
        if wait is None and self.door.connection is None and not self.roster.alive():
            wait = max(0.0, self.idle_since + LINGER - now)
        return wait

    def _may_leave(self) -> bool:
        if self.leaving:
            return not self.roster.alive()
        return (
            self.door.connection is None
            and clock.monotonic() >= self.idle_since + LINGER
            and not self.roster.alive()
        )

    # -- what wakes us -----------------------------------------------------------------------

    def _on_signal(self) -> None:
        numbers = kernel.signals_read(self.signals)
        if signal.SIGCHLD in numbers:
            self._reap()
        if signal.SIGTERM in numbers:
            self.leaving = True
        if signal.SIGHUP in numbers:
            self._listen_again()

    def _on_nudge(self) -> None:
        os.eventfd_read(self.ground.nudge)
        self._catch_up()

    def _catch_up(self) -> None:
        """Learn from the journal what keepers wrote about runs left to them."""
        for note in self.roster.journal.catch_up():
            if isinstance(note, Exited):
                entry = self.table.get(note.run)
                if entry is not None and entry.exited is None and not entry.over:
                    self.table.apply(note)
                    self._kept_ended(entry)

    def _on_caller(self) -> None:
        if self.door.accept():
            self._take_connection()

    def _take_connection(self) -> None:
        connection = self.door.connection
        assert connection is not None
        self.routes[connection.fileno()] = self._on_orders
        self.roster.daemon = self.door.peer
        self.leaving = False
        self.door.say(self.standing())

    def _on_hung_up(self) -> None:
        self.roster.daemon = 0
        self.idle_since = clock.monotonic()

    def _on_orders(self) -> None:
        for order in self.door.read():
            self._carry_out(order)
        os.chdir("/")
        os.umask(0o077)
        if self.roster.journal.size > COMPACT_ABOVE:
            self._compact()
        if self.door.connection is None:
            self._on_hung_up()

    def _compact(self) -> None:
        try:
            news = self.roster.journal.rewrite(self.table)
        except OSError:
            return
        for note in news:
            self._kept_ended(self.table[note.run])

    def _kept_ended(self, entry: Entry) -> None:
        self._unwatch(entry)
        self.warden.sweep(entry)

    def _listen_again(self) -> None:
        """Somebody took our socket's name away (a cleaned runtime directory): make it anew."""
        listener = listen(os.fspath(self.ground.places.runner_socket))
        old = self.ground.listener
        self.epoll.unregister(old.fileno())
        self.routes.pop(old.fileno())
        old.close()
        self.ground.listener = self.door.listener = listener
        self.epoll.register(listener.fileno(), select.EPOLLIN)
        self.routes[listener.fileno()] = self._on_caller

    # -- orders ------------------------------------------------------------------------------

    def _carry_out(self, order: wire.AnyOrder) -> None:
        match order:
            case wire.Start():
                self._start(order)
            case wire.Ack():
                self._ack(order.runs)
            case wire.Inventory():
                self.door.say(self.standing())
            case wire.Shutdown():
                self._shutdown(order)
            case _:
                self._about_a_run(order)

    def _about_a_run(self, order: wire.Stop | wire.Signal | wire.Limit) -> None:
        entry = self.table.get(order.run)
        if entry is None:
            self.door.say(wire.Unknown(run=order.run))
        elif entry.over:
            self.door.say(report(entry))
        elif isinstance(order, wire.Limit):
            self.warden.limit(entry, order.time_limit)
        else:
            try:
                number = processes.signal_number(order.signal)
            except ValueError as error:
                self.door.say(wire.Complaint(message=f"Run {order.run}: {error}."))
                return
            if isinstance(order, wire.Stop):
                self.warden.stop(entry, order.cause, order.grace, number)
            else:
                self.warden.signal(entry, number, order.to)

    def _start(self, order: wire.Start) -> None:
        known = self.table.get(order.run)
        if known is not None:
            self.door.say(report(known))
            return
        comm = os.path.basename(order.argv[0])[:15] if order.argv else ""
        note = Spawning(
            order.run,
            clock.boot_ticks(),
            comm,
            order.time_limit,
            order.grace,
            order.warn,
            order.tag,
        )
        failure = self._not_now(note)
        if failure is None:
            failure = self._spawn(order, note)
        if failure is not None:
            self.door.say(failure)

    def _not_now(self, note: Spawning) -> wire.FailedToStart | None:
        if self.leaving:
            message = "Not now: the runner is about to leave."
        elif not self.roster.journal.append_if_room(note):
            message = (
                f"Not now: {self.ground.places.runs_journal} cannot be written; is the disk full?"
            )
        else:
            return None
        return wire.FailedToStart(
            run=note.run,
            exit_code=spawn.TRY_LATER,
            message=message,
            time=clock.now(),
            transient=True,
            tag=note.tag,
        )

    def _spawn(self, order: wire.Start, note: Spawning) -> wire.FailedToStart | None:
        self.table.apply(note)
        entry = self.table[order.run]
        order.env["HPC_RUN_ID"] = str(order.run)
        order.env["HPC_RUNNER_ID"] = self.ground.runner_id
        streams = spawn.Streams(order.stdin, order.stdout, order.stderr, order.append)
        try:
            if order.warn is not None:
                processes.signal_number(order.warn.signal)
            pid = spawn.spawn(order.argv, order.env, order.cwd, streams, order.umask & 0o777)
        except spawn.CannotStart as failure:
            return self._unable(entry, failure)
        except ValueError as error:
            return self._unable(entry, spawn.CannotStart(f"The run cannot be started: {error}."))
        ticks = processes.start_ticks(pid)
        if ticks is None:
            ticks = note.ticks
        self.roster.record(Spawned(order.run, pid, ticks, clock.monotonic(), clock.now()))
        entry.mine = True
        self.roster.leaders[pid] = entry
        self.warden.plan(entry)
        self.door.say(report(entry))
        return None

    def _unable(self, entry: Entry, failure: spawn.CannotStart) -> wire.FailedToStart:
        if failure.transient:
            self.roster.record(Unborn(entry.run))
        else:
            self.roster.record(Unable(entry.run, failure.exit_code, failure.message, clock.now()))
        return wire.FailedToStart(
            run=entry.run,
            exit_code=failure.exit_code,
            message=failure.message,
            time=clock.now(),
            transient=failure.transient,
            tag=entry.spawning.tag,
        )

    def _ack(self, runs: list[int]) -> None:
        over = [run for run in runs if run in self.table and self.table[run].over]
        if over:
            self.roster.record(Acked(over))

    def _shutdown(self, order: wire.Shutdown) -> None:
        self.leaving = True
        if order.cancel:
            for entry in self.roster.alive():
                if entry.exited is None:
                    self.warden.stop(entry, "shutdown", order.grace, signal.SIGTERM)

    # -- ends --------------------------------------------------------------------------------

    def _reap(self) -> None:
        """Write down how each child ended, and only then let the kernel forget it."""
        roster = self.roster
        while (exit := kernel.peek_child()) is not None:
            entry = roster.leaders.get(exit.pid)
            if entry is None:
                roster.strays.pop(exit.pid, None)
                os.waitpid(exit.pid, 0)
                continue
            dirty = self.warden.left_behind(entry, self._count_children())
            roster.record(exited(entry.run, exit, clean=not dirty))
            os.waitpid(exit.pid, 0)
            del roster.leaders[exit.pid]
            if dirty:
                self.warden.sweep(entry)
            else:
                self._finished(entry)

    def _count_children(self) -> int:
        listed = os.pread(self.children, 4096, 0)
        if len(listed) > 4000:
            listed = os.pread(self.children, 1 << 20, 0)
        return listed.count(b" ")

    def _finished(self, entry: Entry) -> None:
        self._unwatch(entry)
        self.door.say(report(entry))
        if self.door.connection is None:
            self.idle_since = clock.monotonic()

    # -- runs that are not our children ------------------------------------------------------

    def _recover(self, boot: str, kept: set[int]) -> None:
        """Make sense of what a journal tells, then write it down in short."""
        for entry in self.roster.alive():
            if boot != clock.boot_id():
                self.table.apply(
                    Gone(entry.run, "The machine was restarted while it ran.", clock.now())
                )
            elif entry.spawned is None:
                self.table.apply(self._search(entry))
        journal = self.roster.journal
        try:
            journal.rewrite(self.table)
        except OSError:
            journal.go_on([Head(clock.boot_id()), *self.table.notes()])
        self._watch_all(kept)

    def _search(self, entry: Entry) -> Note:
        """The process of a run whose worker and keeper were killed as it was being started."""
        rows = processes.snapshot().values()
        words = self.ground.words(entry.run)
        for row in rows:
            if (
                row.pid == row.session
                and row.state not in processes.ZOMBIE
                and row.ticks >= entry.spawning.ticks - 1
                and processes.environment_has(row.pid, words)
            ):
                return Spawned(entry.run, row.pid, row.ticks, clock.monotonic(), clock.now())
        reason = "The runner was killed as it started this run; whether it ran is not known."
        return Gone(entry.run, reason, clock.now())

    def _watch_all(self, kept: set[int]) -> None:
        self.warden.meet_orphans()
        for entry in self.roster.alive():
            if entry.exited is not None:
                self.warden.sweep(entry)
            else:
                self._watch(entry, entry.run in kept)
                if not entry.over:
                    self.warden.plan(entry)

    def _watch(self, entry: Entry, kept: bool) -> None:
        """Learn when a run ends that is the keeper's child (`kept`), or nobody's we know."""
        spawned = entry.spawned
        assert spawned is not None
        if entry.pidfd < 0:
            row = processes.look(spawned.pid)
            if row is not None and row.ticks == spawned.ticks:
                entry.pidfd = processes.open_descriptor(spawned.pid)
        if kept:
            # The keeper writes down how it ends; the descriptor is for when the keeper dies too.
            return
        if entry.pidfd < 0:
            self._vanished(entry)
            return
        self.epoll.register(entry.pidfd, select.EPOLLIN)
        self.routes[entry.pidfd] = lambda: self._vanished(entry)

    def _vanished(self, entry: Entry) -> None:
        """A run that is nobody's child has ended: find its status where the kernel still has it."""
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
        self._unwatch(entry)
        if status is not None:
            self.roster.record(Exited(entry.run, status, clock.now(), 0.0, 0.0, 0))
            self.warden.sweep(entry)
            return
        processes.kill_tree(lambda: self.roster.members(entry))
        reason = "It ended while no runner was there to see how, and this kernel does not keep it."
        self.roster.record(Gone(entry.run, reason, clock.now()))
        self._finished(entry)

    def _unwatch(self, entry: Entry) -> None:
        if entry.pidfd >= 0:
            self.routes.pop(entry.pidfd, None)
            os.close(entry.pidfd)
            entry.pidfd = -1

    def standing(self) -> wire.Standing:
        """How everything stands."""
        return wire.Standing(
            protocol=wire.PROTOCOL,
            runner_pid=os.getpid(),
            keeper_pid=self.keeper,
            boot_id=clock.boot_id(),
            runs=[report(entry) for entry in self.table.values() if entry.spawned or entry.over],
        )


def report(entry: Entry) -> wire.Report:
    """How one run stands."""
    tag = entry.spawning.tag
    stopped_by = entry.stopping.cause if entry.stopping else None
    if entry.unable is not None:
        return wire.FailedToStart(
            run=entry.run,
            exit_code=entry.unable.exit_code,
            message=entry.unable.message,
            time=entry.unable.time,
            tag=tag,
        )
    if entry.gone is not None:
        return wire.Lost(
            run=entry.run,
            reason=entry.gone.reason,
            time=entry.gone.time,
            stopped_by=stopped_by,
            tag=tag,
        )
    if entry.over and entry.exited is not None:
        end = entry.exited
        signalled = os.WIFSIGNALED(end.status)
        return wire.Ended(
            run=entry.run,
            exit_code=None if signalled else os.WEXITSTATUS(end.status),
            signal=os.WTERMSIG(end.status) if signalled else None,
            core=signalled and os.WCOREDUMP(end.status),
            time=end.time,
            cpu_user=end.cpu_user,
            cpu_system=end.cpu_system,
            max_rss=end.max_rss,
            stopped_by=stopped_by,
            tag=tag,
        )
    assert entry.spawned is not None
    return wire.Started(
        run=entry.run,
        pid=entry.spawned.pid,
        start_ticks=entry.spawned.ticks,
        time=entry.spawned.time,
        stopping=stopped_by,
        tag=tag,
    )


def listen(path: str) -> socket.socket:
    """A listening socket under this name, in place of whatever was there."""
    fresh = f"{path}.{os.getpid()}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)
    listener.bind(fresh)
    os.chmod(fresh, 0o600)
    listener.listen(16)
    os.rename(fresh, path)
    return listener
