"""The worker's own children: starting runs, and writing down how they ended."""

from __future__ import annotations

import os
from collections.abc import Callable

from hpcshell.core.errors import HpcError
from hpcshell.daemon.runner import wire
from hpcshell.daemon.runner.journal import Entry, Exited, Spawned, Spawning, Unable, Unborn
from hpcshell.daemon.runner.report import report
from hpcshell.daemon.runner.roster import Roster
from hpcshell.daemon.runner.warden import Warden
from hpcshell.machine import clock, kernel, processes, spawn, tags
from hpcshell.machine.session.words import ERRORS, INPUT, Session, hosting


class Brood:
    """Starts and reaps; `finished` is told of each run that is over."""

    def __init__(self, roster: Roster, warden: Warden, finished: Callable[[Entry], None]) -> None:
        self.ground = roster.ground
        self.roster = roster
        self.warden = warden
        self.finished = finished
        self.children = os.open(
            f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC
        )

    def close(self) -> None:
        os.close(self.children)

    # -- starting ----------------------------------------------------------------------------

    def start(self, order: wire.Start, leaving: bool) -> wire.Report:
        """Start a run, unless it is known already, and say how it stands."""
        known = self.roster.table.get(order.run)
        if known is not None:
            return report(known)
        comm = os.path.basename(order.argv[0])[:15] if order.argv else ""
        note = Spawning(
            order.run,
            clock.boot_ticks(),
            comm,
            order.time_limit,
            order.grace,
            order.warn,
            order.tag,
            order.session is not None,
        )
        if leaving:
            return _not_now(note, "the runner is about to leave")
        if not self.roster.journal.append_if_room(note):
            journal = self.ground.places.runs_journal
            return _not_now(note, f"{journal} cannot be written; is the disk full?")
        self.roster.table.apply(note)
        return self._spawn(order, self.roster.table[order.run])

    def _spawn(self, order: wire.Start, entry: Entry) -> wire.Report:
        order.env["HPC_RUN_ID"] = str(order.run)
        order.env["HPC_RUNNER_ID"] = self.ground.runner_id
        streams = spawn.Streams(order.stdin, order.stdout, order.stderr, order.append)
        try:
            if order.warn is not None:
                processes.signal_number(order.warn.signal)
            if order.guarded:
                _check_guarded(order)
            tags.carry(self.ground.tag(order.run))
            with spawn.pinned(order.cores):
                argv = self._words(order)
                pid = spawn.spawn(argv, order.env, order.cwd, streams, order.umask & 0o777)
        except spawn.CannotStart as failure:
            if not failure.transient:
                spawn.tell(failure, streams, order.cwd)
            return self._unable(entry, failure)
        except (ValueError, TypeError, OverflowError) as error:
            return self._unable(entry, spawn.CannotStart(f"The run cannot be started: {error}."))
        ticks = processes.start_ticks(pid)
        if ticks is None:
            ticks = entry.spawning.ticks
        now, floor = clock.now(), kernel.own_peak()
        self.roster.record(Spawned(order.run, pid, ticks, clock.monotonic(), now, floor=floor))
        self.roster.leaders[pid] = entry
        self.warden.plan(entry)
        return report(entry)

    def _words(self, order: wire.Start) -> list[str]:
        """What is started: the command, or the host of its session. The command is looked for
        before that, so that one which is not there is told in the same words."""
        if order.session is None:
            return order.argv
        spawn.enter(order.cwd)
        spawn.program_of(order.argv, order.env)
        directory = self.ground.places.session(order.run)
        kept = INPUT if order.stdin is not None else ""
        kept += ERRORS if order.stderr not in (None, order.stdout) else ""
        session = Session(order.session.program, order.session.name, directory)
        return hosting(session, kept, order.argv)

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

    # -- ending ------------------------------------------------------------------------------

    def reap(self) -> None:
        """Write down how each child ended, and only then let the kernel forget it."""
        roster = self.roster
        while (exit := kernel.peek_child()) is not None:
            entry = roster.leaders.get(exit.pid)
            if entry is None:
                roster.strays.pop(exit.pid, None)
                os.waitpid(exit.pid, 0)
                continue
            dirty = self.warden.orphans.left_by(entry, self._count_children())
            roster.record(exited(entry.run, exit, clean=not dirty))
            os.waitpid(exit.pid, 0)
            del roster.leaders[exit.pid]
            if dirty:
                self.warden.sweep(entry)
            else:
                self.finished(entry)

    def _count_children(self) -> int:
        listed = os.pread(self.children, 4096, 0)
        if len(listed) > 4000:
            listed = os.pread(self.children, 1 << 20, 0)
        return listed.count(b" ")

    def open_descriptors(self) -> None:
        """Before an heir is forked: a pidfd of each child, for when we are killed next."""
        for pid, entry in self.roster.leaders.items():
            entry.pidfd = processes.open_descriptor(pid)


def _check_guarded(order: wire.Start) -> None:
    """As late as can be: between here and the program's own look at it lies the start alone."""
    from hpcshell.machine.scripts import allowed

    try:
        allowed(os.path.join(order.cwd, order.guarded), order.roots)
    except HpcError as error:
        raise spawn.CannotStart(f"It was not started: {error.message}.") from None


def _not_now(note: Spawning, why: str) -> wire.FailedToStart:
    return wire.FailedToStart(
        run=note.run,
        exit_code=spawn.TRY_LATER,
        message=f"Not now: {why}.",
        time=clock.now(),
        transient=True,
        tag=note.tag,
    )


def exited(run: int, exit: kernel.Exit, clean: bool = False) -> Exited:
    """The note about a leader's end."""
    return Exited(
        run, exit.status, clock.now(), exit.cpu_user, exit.cpu_system, exit.max_rss, clean
    )
