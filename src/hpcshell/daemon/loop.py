"""The daemon's one loop: read everything, decide, record it in one commit, then answer and act.

A tick's commit takes all that arrived while the last one synced, so durability costs one fsync for
many requests. Nothing is answered, ordered or told before the commit; if it fails, what clients
asked is refused, what the runner said is kept for the next tick, and memory is loaded again from
disk.
"""

from __future__ import annotations

import heapq
import selectors
import signal
import socket
import traceback
from collections.abc import Callable
from typing import Any, Final

from hpcshell.core.errors import Broken, HpcError, NotYet, Wrong
from hpcshell.daemon import runner_wire as wire
from hpcshell.daemon.engine import Engine, load
from hpcshell.daemon.hearing import hear
from hpcshell.daemon.notices import Notices
from hpcshell.daemon.runner_link import RunnerLink
from hpcshell.daemon.server import Ask, Peer, Server
from hpcshell.daemon.verbs import LOOKS, VERBS
from hpcshell.daemon.verbs.look import document_of
from hpcshell.daemon.watchers import Watchers
from hpcshell.machine import clock
from hpcshell.machine.logfile import LogFile
from hpcshell.machine.processes import await_ends
from hpcshell.store.store import Store

RETRY_AFTER: Final = 1.0
RUNNER_LEAVES_WITHIN: Final = 5.0
"""Seconds an idle runner gets to leave, so that nothing is alive when a stop is answered."""
REQUESTS_A_TICK: Final = 2000


class Loop:
    """Owns the selector, the clients, the runner link and the engine.

    `configure` reads the configuration and gives it to an engine; it raises `Wrong` and changes
    nothing when a file is wrong.
    """

    def __init__(
        self,
        store: Store,
        server: Server,
        link: RunnerLink,
        log: LogFile,
        configure: Callable[[Engine], None],
    ) -> None:
        self.configure = configure
        self.store = store
        self.server = server
        self.link = link
        self.log = log
        self.selector = server.selector
        self.engine = self._load()
        self.notices = Notices(
            self.engine.host.settings.notify,
            log,
            server.selector,
            lambda job: self.engine.host.environments[job.launch.env],
        )
        self.watchers = Watchers(self.alarm)
        self.heard: list[wire.AnyEvent] = []
        self.asked: list[tuple[Peer, Ask]] = []
        self.stopping = False
        self.leaving = ""
        self.leave_by = 0.0
        self.started = clock.now()
        self.broken = ""
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._alarm_count = 0
        self._link_fd = -1
        self._link_events = selectors.EVENT_READ

    def _load(self) -> Engine:
        engine = Engine(self.store)
        self.configure(engine)
        load(engine)
        return engine

    def _load_again(self) -> Engine:
        """After a failed commit: what is on disk, under the settings that were in force."""
        engine = Engine(self.store)
        engine.configure(self.engine.host, self.engine.policy)
        engine.pids, engine.runner_pid = self.engine.pids, self.engine.runner_pid
        engine.keeper_pid = self.engine.keeper_pid
        load(engine)
        return engine

    # -- time ------------------------------------------------------------------------------------

    def alarm(self, after: float, call: Callable[[], None]) -> None:
        """Call something once, `after` seconds from now by the monotonic clock."""
        self._alarm_count += 1
        heapq.heappush(self._alarms, (clock.monotonic() + after, self._alarm_count, call))

    def _ring(self) -> None:
        while self._alarms and self._alarms[0][0] <= clock.monotonic():
            heapq.heappop(self._alarms)[2]()

    def _timeout(self) -> float | None:
        """Seconds until something is due by the clock alone; None sleeps until somebody speaks."""
        if self.asked or (self.engine.dirty and not self.broken):
            return 0.0
        due = self._alarms[0][0] - clock.monotonic() if self._alarms else None
        wake = self.engine.view.next_wake()
        if wake is not None and not self.broken:
            # wall-clock instants are looked at again at least every minute: the clock may be set
            wake = min(max(0.0, wake - clock.now()), 60.0)
            due = wake if due is None else min(due, wake)
        return None if due is None else max(0.0, due)

    # -- the loop --------------------------------------------------------------------------------

    def run(self) -> None:
        """Until told to stop."""
        self._watch_signals()
        self._recover()
        self._open_link()
        while not self.stopping:
            self._read(self.selector.select(self._timeout()))
            self._ring()
            self._tick()
            self._tend_link()
            self.stopping = self.stopping or self._may_leave()
        self._farewell()

    def _recover(self) -> None:
        """What a restart of the machine has taken is recorded before anything is started."""
        with self.store.change() as change:
            self.engine.begin(change)
            self.engine.lose_runs_of_other_boots()

    def leave(self, *, cancel: bool) -> None:
        """Stop after this tick; with `cancel` once everything that runs has ended."""
        self.leaving = "cancel" if cancel else "now"
        self.leave_by = clock.monotonic() + RUNNER_LEAVES_WITHIN
        self.alarm(RUNNER_LEAVES_WITHIN, lambda: None)

    def _may_leave(self) -> bool:
        """Whether all is said: what is to be cancelled has ended, and the runner can be told to
        go."""
        if not self.leaving or (self.leaving == "cancel" and self.engine.runs):
            return False
        return bool(self.link.runner_pid) or clock.monotonic() >= self.leave_by

    def _read(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, mask in ready:
            owner = key.data
            if isinstance(owner, Peer):
                if mask & selectors.EVENT_READ:
                    self.asked.extend((owner, ask) for ask in self.server.requests(owner))
            elif owner is self.server:
                self.server.accept()
            elif owner is self.link:
                self._hear_runner(mask)
            else:
                owner()

    def _tick(self) -> None:
        asked, self.asked = self.asked[:REQUESTS_A_TICK], self.asked[REQUESTS_A_TICK:]
        try:
            with self.store.change() as change:
                self.engine.begin(change)
                for event in self.heard:
                    hear(self.engine, event)
                answers = [(peer, ask, self._perform(peer, ask)) for peer, ask in asked]
                if self.leaving:
                    self.engine.dirty = False  # nothing is started any more
                elif self.engine.dirty or self.engine.wake_due():
                    self.engine.decide(clock.now())
        except HpcError as error:
            self._commit_failed(error, asked)
        except Exception as error:  # a defect of ours must not take down a month of jobs
            self.log.write(
                "error", "a tick failed", error=repr(error), trace=traceback.format_exc()
            )
            self._commit_failed(
                Broken(f"the daemon failed: {error!r}", "see hpc daemon logs"), asked
            )
        else:
            self.broken = ""
            self.heard.clear()
            self._carry_out()
            self._answer(answers)
            self.watchers.look(self.engine)
            self._tell()
        self.server.flush()

    def _perform(self, peer: Peer, ask: Ask) -> Any:
        """Do what one request asks; its own mistakes are its answer and change nothing."""
        verb = VERBS.get(ask.verb)
        try:
            if self.leaving and ask.verb in ("submit", "rerun"):
                raise NotYet("the daemon is stopping", "submit again in a moment")
            if verb is None:
                raise _unknown_verb(ask.verb)
            return verb(self, peer, ask)
        except HpcError as error:
            return error
        except Exception as error:
            if ask.verb not in LOOKS:
                raise  # it may have changed something: the whole tick is undone
            self.log.write(
                "error",
                "a request failed",
                verb=ask.verb,
                error=repr(error),
                trace=traceback.format_exc(),
            )
            return Broken(f"the daemon failed to answer: {error!r}", "see: hpc daemon logs")

    def _answer(self, answers: list[tuple[Peer, Ask, Any]]) -> None:
        for peer, ask, answer in answers:
            if peer.closed or answer is None:  # None: a watcher will answer
                continue
            if isinstance(answer, HpcError):
                peer.fail(ask.id, answer)
            else:
                peer.answer(ask.id, answer)

    def _carry_out(self) -> None:
        engine = self.engine
        orders = [order for order in engine.orders if not _stale(engine, order)]
        if engine.acks:
            # Last: a start repeated after the ack of its end would be a second start.
            orders.append(wire.Ack(runs=engine.acks))
        engine.acks, engine.orders = [], []
        if orders:
            self.link.send(orders)
        for complaint in engine.complaints:
            self.log.write("warning", "the runner complains", complaint=complaint)
        engine.complaints.clear()
        if engine.deferred:
            self.alarm(RETRY_AFTER, self._start_deferred)

    def _tell(self) -> None:
        """Mail, webhooks and the desktop, for the jobs that asked for them."""
        tidings, self.engine.tidings = self.engine.tidings, []
        for job, what, index in tidings:
            self.notices.offer(job, what, document_of(self.engine, job, index))

    def _start_deferred(self) -> None:
        deferred, self.engine.deferred = self.engine.deferred, []
        for run_id in deferred:
            if run_id in self.engine.runs:
                self.engine.start_again(self.engine.runs[run_id])

    def _commit_failed(self, error: HpcError, asked: list[tuple[Peer, Ask]]) -> None:
        """Nothing of this tick happened: say so, forget it, and try the runner's words again
        later."""
        self.broken = error.message
        self.log.write("error", "a change could not be recorded", error=error.message)
        for peer, ask in asked:
            if not peer.closed:
                peer.fail(ask.id, error)
        self.engine = self._load_again()
        self.alarm(RETRY_AFTER, self._try_again)

    def _try_again(self) -> None:
        self.broken = ""
        self.engine.dirty = True

    # -- the runner ------------------------------------------------------------------------------

    def _open_link(self) -> None:
        try:
            opened = self.link.open()
        except HpcError as error:
            self.log.write("error", "no runner", error=error.message)
            opened = False
        if not opened:
            self.alarm(self.link.retry_after, self._open_link)
            return
        self._link_fd, self._link_events = self.link.fileno(), selectors.EVENT_READ
        self.selector.register(self._link_fd, selectors.EVENT_READ, self.link)

    def _hear_runner(self, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self.link.flush()
        self.heard.extend(self.link.receive())

    def _tend_link(self) -> None:
        """Reopen a link that broke; watch for room on one that is full."""
        if self._link_fd < 0:
            return
        if self.link.closed:
            self.selector.unregister(self._link_fd)
            self._link_fd = -1
            self.log.write("warning", "the runner went away; connecting again")
            self._open_link()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.link.wants_write else 0)
        if wanted != self._link_events:
            self.selector.modify(self._link_fd, wanted, self.link)
            self._link_events = wanted

    # -- beginning and end -----------------------------------------------------------------------

    def _watch_signals(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._signals = (ours, theirs)
        self.selector.register(ours, selectors.EVENT_READ, self._signalled)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def _signalled(self) -> None:
        for number in self._signals[0].recv(64):
            if number == signal.SIGHUP:
                self.server.listen()
            else:
                self.stopping = True

    def _farewell(self) -> None:
        self.log.write("info", "stopping", live=len(self.engine.live))
        if self.leaving:
            self.link.send([wire.Shutdown(cancel=self.leaving == "cancel")])
            if not self.engine.runs:
                await_ends((self.link.runner_pid, self.link.keeper_pid), RUNNER_LEAVES_WITHIN)
        self.server.close()
        self.notices.close()
        self.link.close()
        self.store.close()


def _unknown_verb(verb: str) -> HpcError:
    return Wrong(
        f"the daemon knows no verb {verb!r}", "client and daemon differ: hpc daemon restart"
    )


def _stale(engine: Engine, order: wire.AnyOrder) -> bool:
    """Whether this starts a run whose end has been recorded in the same tick."""
    return isinstance(order, wire.Start) and order.run not in engine.runs
