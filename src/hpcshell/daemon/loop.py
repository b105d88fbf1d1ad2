"""The daemon's one loop: read everything, decide, record it in one commit, then answer and act.

A tick's commit takes all that arrived while the last one synced, so durability costs one fsync for
many requests. Nothing is answered, ordered or told before the commit; if it fails, what clients
asked is refused, what the runner said is kept for the next tick, and memory is loaded again from
disk.
"""

from __future__ import annotations

import selectors
import signal
import traceback
from collections.abc import Callable
from typing import Final

from hpcshell.core.errors import Broken, HpcError
from hpcshell.daemon.acting import RETRY_AFTER, Acts
from hpcshell.daemon.alarms import Alarms
from hpcshell.daemon.answering import Request, answer, change, tell
from hpcshell.daemon.attachment import Attachment
from hpcshell.daemon.deciding import decide_now, wake_due
from hpcshell.daemon.engine import Engine
from hpcshell.daemon.gpus import Gpus
from hpcshell.daemon.hearing import hear
from hpcshell.daemon.leaps import Pace, carry_on, move
from hpcshell.daemon.lent import Lent
from hpcshell.daemon.loading import load
from hpcshell.daemon.notices import Notices
from hpcshell.daemon.regimes import set_up
from hpcshell.daemon.reranking import Reranking
from hpcshell.daemon.runner import wire
from hpcshell.daemon.runner.link import RunnerLink
from hpcshell.daemon.runs import forgive_back_offs, lose_runs_of_other_boots
from hpcshell.daemon.server import Peer, Server
from hpcshell.daemon.signals import Signals
from hpcshell.daemon.succession import recall_anew
from hpcshell.daemon.upkeep import Upkeep
from hpcshell.daemon.verbs import LOOKS
from hpcshell.daemon.verbs.daemon import stopped_view
from hpcshell.daemon.watchers import Watchers
from hpcshell.machine import clock
from hpcshell.machine.logfile import LogFile
from hpcshell.machine.processes import await_ends
from hpcshell.store.store import Store

RUNNER_LEAVES_WITHIN: Final = 5.0
"""Seconds an idle runner gets to leave, so that nothing is alive when a stop is answered."""
REQUESTS_A_TICK: Final = 2000
LOOK_AGAIN: Final = 1.0


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
        gpus: Gpus,
    ) -> None:
        self.configure = configure
        self.gpus = gpus
        self.store = store
        self.server = server
        self.link = link
        self.log = log
        self.selector = server.selector
        self.engine = Engine(store)
        configure(self.engine)
        load(self.engine)
        self.notices = Notices(
            self.engine.host.settings.notify,
            log,
            server.selector,
            lambda job: self.engine.host.environments[job.launch.env],
        )
        self.alarms = Alarms()
        self.watchers = Watchers(self.alarms.after)
        self.lent = Lent(self.alarms.after)
        self.reranking = Reranking(self.alarms.after)
        self.upkeep = Upkeep(self, server.peers, self.alarms.after)
        self.runner = Attachment(link, server.selector, self.alarms, log)
        self.acts = Acts(self.runner, self.alarms, log)
        gpus.attend(server.selector, self.alarms.after)
        self.heard: list[wire.AnyEvent] = []
        self.stopping = False
        self.leaving = ""
        self.leave_by = 0.0
        self.farewells: list[tuple[Peer, int]] = []
        """Who is to be told, when we leave, what has not ended."""
        self.started = clock.now()
        self.pace = Pace()
        self.trouble: HpcError | None = None
        self._fresh = True
        self._one_by_one = False

    def _load_again(self) -> Engine:
        """What is on disk, under the settings that were in force."""
        engine = Engine(self.store)
        set_up(engine, self.engine.host, self.engine.policy)
        engine.pids, engine.runner_pid = self.engine.pids, self.engine.runner_pid
        engine.keeper_pid, engine.met = self.engine.keeper_pid, self.engine.met
        engine.protocol, engine.recalls = self.engine.protocol, self.engine.recalls
        if self.engine.followers or self.engine.recalling:
            recall_anew(engine)  # they are prepared runs like others now
        load(engine)
        self._fresh = True
        return engine

    # -- the loop --------------------------------------------------------------------------------

    def run(self) -> None:
        """Until told to stop."""
        Signals(self.selector, self._signalled)
        self.runner.open()
        while not self.stopping:
            self._read(self.selector.select(self._timeout()))
            self.tick()
            self.runner.tend()
            self.stopping = self.stopping or self._may_leave()
        self._farewell()

    def _timeout(self) -> float | None:
        """Seconds until something is due by the clock alone; None sleeps until somebody speaks."""
        at_rest = not self.engine.dirty and not (self._one_by_one and self.heard)
        if self.server.eager or not (at_rest or self.trouble):
            return 0.0
        due = self.alarms.next_in()
        wake = self.engine.view.next_wake()
        if wake is not None and not self.trouble:
            # wall-clock instants are looked at again at least every minute: the clock may be set
            wake = min(max(0.0, wake - clock.now()), 60.0)
            due = wake if due is None else min(due, wake)
        if self.leaving:  # nobody need say anything for it to be time
            due = LOOK_AGAIN if due is None else min(due, LOOK_AGAIN)
        return due

    def leave(self, *, cancel: bool) -> None:
        """Stop after this tick; with `cancel` once everything that runs has ended."""
        self.leaving = "cancel" if cancel else "now"
        self.leave_by = clock.monotonic() + RUNNER_LEAVES_WITHIN

    def _may_leave(self) -> bool:
        """Whether all is said: what is to be cancelled has ended, and the runner can be told to
        go."""
        if not self.leaving:
            return False
        now, silent = clock.monotonic(), self.runner.silent_since
        if self.leaving == "cancel" and self.engine.runs:
            # nothing can be ended while no runner can be had, and none may ever come
            return silent is not None and now >= silent + RUNNER_LEAVES_WITHIN
        return bool(self.link.runner_pid) or now >= self.leave_by

    def _read(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, mask in ready:
            owner = key.data
            if isinstance(owner, Peer):
                self.server.attend(owner, mask)
            elif owner is self.server:
                self.server.accept()
            elif owner is self.runner:
                self.heard.extend(self.runner.hear(mask))
            else:
                owner()

    def tick(self) -> None:
        """One turn: what is due, then what was heard and asked, and what follows from it, in one
        commit."""
        self._mind_the_clock()
        self.alarms.ring()
        heard, asked = self._next_turn()
        try:
            with self.store.change() as records:
                self.engine.begin(records)
                if self.trouble is None:
                    self._take_in(heard)
                asked = self.lent.let_pass(self.engine, asked)
                done = change(self, asked)
                decided = self.trouble is not None or self._decide()
        except HpcError as error:
            self._commit_failed(error, asked)
        except Exception as error:  # a defect of ours must not take down a month of jobs
            self._defect(error, heard)
            broken = Broken(f"the daemon failed: {error!r}", "see hpc daemon logs")
            self._commit_failed(broken, asked)
        else:
            if decided or heard or any(ask.verb not in LOOKS for _, ask in asked):
                self.engine.remembered.forget()
            self._committed(heard)
            answer(self, asked, done)
            self.watchers.look(self.engine)
            tell(self)
        self.server.flush()

    def _next_turn(self) -> tuple[list[wire.AnyEvent], list[Request]]:
        """What to deal with now. In trouble the runner's words are kept for later; after a defect
        they are taken one by one, so that a single one cannot spoil the rest."""
        if self._one_by_one and self.heard and self.trouble is None:
            return self.heard[:1], []
        return ([] if self.trouble else self.heard[:]), list(self.server.requests(REQUESTS_A_TICK))

    def _take_in(self, heard: list[wire.AnyEvent]) -> None:
        now = clock.now()
        if self._fresh:
            lose_runs_of_other_boots(self.engine, now)
            forgive_back_offs(self.engine, now)
        for event in heard:
            hear(self.engine, event)
        self.acts.start_deferred(self.engine, now)
        self.gpus.review(self.engine, self.configure, self.log)

    def _decide(self) -> bool:
        """Whether there was anything to decide."""
        now, due = clock.now(), True
        if self.leaving:
            self.engine.dirty = False  # nothing is started any more
        elif self.engine.dirty or wake_due(self.engine, now) or self.reranking.rung:
            self.reranking.renew(self.engine, now)
            decide_now(self.engine, now)
        else:
            due = False
        self.lent.review(self.engine)
        return due

    def _mind_the_clock(self) -> None:
        """What runs goes on as if nobody had set the clock, and what a wrong one has let go waits
        again. In trouble nothing is decided, and the clock is minded after it."""
        if self.trouble is not None:
            return
        if by := self.pace.leap():
            try:
                move(self.engine, by)
                self.log.write("warning", "the clock was set", forward=by)
                self.heard = [self.pace.restamped(event, by) for event in self.heard]
                before, self.engine = self.engine.view, self._load_again()
                carry_on(self.engine, before, by)
            except HpcError as error:
                self._commit_failed(error, [])
                return
            except Exception as error:  # as in a tick; what runs has another age then
                self._defect(error, [])
        self.pace.follow()

    def _committed(self, heard: list[wire.AnyEvent]) -> None:
        """It is on disk: act on it."""
        if self.trouble is None:
            self._fresh = False
            self.acts.started()
        del self.heard[: len(heard)]
        self._one_by_one = self._one_by_one and bool(self.heard)
        self.acts.carry_out(self.engine)

    def _defect(self, error: Exception, heard: list[wire.AnyEvent]) -> None:
        """Leave a trace, and find out whether it was one word of the runner's."""
        self.log.write("error", "a tick failed", error=repr(error), trace=traceback.format_exc())
        if self._one_by_one and heard:
            self.log.write("error", "left out", event=repr(heard[0]))
            del self.heard[:1]
        self._one_by_one = bool(self.heard)

    def _commit_failed(self, error: HpcError, asked: list[Request]) -> None:
        """Nothing of this tick happened: say so, forget it, and try the runner's words again
        later."""
        self.trouble = error
        self.log.write("error", "a change could not be recorded", error=error.message)
        if any(ask.verb == "stop" for _, ask in asked):
            self.leaving = ""
            self.farewells.clear()
        self.engine = self._load_again()
        self.gpus.forget_recorded()
        self.alarms.after(RETRY_AFTER, self._try_again)
        asked = self.lent.let_go() + asked
        answer(self, asked, [error] * len(asked))

    def _try_again(self) -> None:
        self.trouble = None
        self.engine.dirty = True
        self._mind_the_clock()

    # -- beginning and end -----------------------------------------------------------------------

    def _signalled(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._listen_again()
        else:
            self.stopping = True

    def _listen_again(self) -> None:
        try:
            self.server.listen()
        except (HpcError, OSError) as error:
            self.log.write("error", "the control socket cannot be made", error=str(error))
            self.alarms.after(RETRY_AFTER, self._listen_again)

    def _farewell(self) -> None:
        self.log.write("info", "stopping", live=len(self.engine.live))
        if self.leaving:
            self.runner.send([wire.Shutdown(cancel=self.leaving == "cancel")])
            if not self.engine.runs:
                await_ends((self.link.runner_pid, self.link.keeper_pid), RUNNER_LEAVES_WITHIN)
        for peer, ask in self.farewells:
            if not peer.closed:
                peer.answer(ask, stopped_view(self))
        self.upkeep.keep_usage()
        self.server.close()
        self.notices.close()
        self.gpus.close()
        self.runner.close()
        self.store.close()
