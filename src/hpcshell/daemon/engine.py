"""The scheduler's state in memory and every way it changes.

The loop opens one store change a tick and hands it in; whatever the engine does meanwhile is
written to that change and, as orders and news, put aside. Orders are carried out and news told
only after the commit. If the commit fails the engine is thrown away and loaded again, so memory
never runs ahead of disk.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.lifecycle import Event, Kind, amend, step, word
from hpcshell.core.records import (
    NO_INDEX,
    Claim,
    Job,
    NodeNote,
    Outcome,
    Resources,
    Run,
    State,
    Task,
)
from hpcshell.daemon.host import Host
from hpcshell.daemon.live import LiveJob
from hpcshell.daemon.modelruns import ModelRuns
from hpcshell.daemon.notices import end_word
from hpcshell.daemon.orders import stop_order
from hpcshell.daemon.parents import parent_facts
from hpcshell.daemon.remembered import Remembered
from hpcshell.daemon.roll import Roll
from hpcshell.daemon.runner import wire
from hpcshell.policy.decide import Policy
from hpcshell.policy.regime import Regime
from hpcshell.policy.rooms import host_of
from hpcshell.policy.view import Unit, View
from hpcshell.store.change import Change
from hpcshell.store.rows import indices_of
from hpcshell.store.store import Store

Tiding = tuple[Job, str, int]
"""What somebody asked to be told of: the job, the event, and the element (`NO_INDEX`: the job)."""
_TIDINGS: Final = {Kind.START: "begin", Kind.REQUEUE: "requeue"}


class News(dict[str, Any]):
    """One line of the event stream, as it is stored and told."""


class Engine:
    """Live jobs, the decider's view of them, and the change being written.

    `configure` comes before anything else. `strangers` are runs that the runner knows and the
    database does not. Not `met`: nothing but the runner itself can tell which ids it knows, and
    none is given out before it has. `prepared`: runs on record of elements that wait; `followers`:
    those of them that the runner keeps, by the run each is to follow (`succession`).
    """

    host: Host
    policy: Policy

    def __init__(self, store: Store) -> None:
        self.store = store
        self.live: dict[int, LiveJob] = {}
        self.roll = Roll()
        self.by_name: dict[tuple[int, str], set[int]] = {}
        self.unique: dict[tuple[int, str], set[int]] = {}
        self.users: Counter[str] = Counter()
        """How many live jobs are whose."""
        self.remembered = Remembered()
        self.runs: dict[int, Run] = {}
        self.pids: dict[int, int] = {}
        self.view = View(Resources())
        self.orders: list[wire.AnyOrder] = []
        self.news: list[News] = []
        self.tidings: list[Tiding] = []
        self.acks: list[int] = []
        self.deferred: list[int] = []
        self.complaints: list[str] = []
        self.strangers: list[wire.Report] = []
        self.met = True
        self.protocol = 0
        self.prepared: dict[Unit, Run] = {}
        self.followers: dict[int, Run] = {}
        self.recalling = False
        self.recalls = 0
        self.begun: list[Run] = []
        self.runner_pid = 0
        self.keeper_pid = 0
        self.newest: Job | None = None
        self.node = NodeNote()
        self.model_runs = ModelRuns(store)
        self.dirty = True
        self.looked: float | None = None
        """When the checkpoints of runs were looked at last, by the steady clock."""
        self._change: Change | None = None

    @property
    def change(self) -> Change:
        """The transaction of this tick."""
        assert self._change is not None, "nothing changes outside a tick"
        return self._change

    @property
    def last_job(self) -> int:
        """The highest id given out, also in this tick."""
        return self.store.ids.job if self._change is None else self._change.ids.job

    def begin(self, change: Change) -> None:
        """Start writing to the change of a new tick."""
        self._change = change

    # -- jobs ------------------------------------------------------------------------------------

    def add(self, job: Job) -> LiveJob:
        """Record a new job and let it wait."""
        live = LiveJob(job, indices_of(job))
        self.newest = job
        self.change.add_job(job)
        self.keep(live)
        self.note(job.submit_time, job.id, NO_INDEX, "submit", "", state="PENDING")
        return live

    def keep(self, live: LiveJob) -> None:
        """Hold a live job in memory, and show it to the view."""
        self.hold(live)
        self.introduce_parents(live.job)
        self.view.put_job(live.job, live.waiting)

    def hold(self, live: LiveJob) -> None:
        """Hold a live job in memory."""
        job = live.job
        self.live[job.id] = live
        self.roll.enter(live)
        self.roll.count(live)
        self.users[job.user] += 1
        self.by_name.setdefault((job.uid, job.name), set()).add(job.id)
        if job.unique:
            self.unique.setdefault((job.uid, job.unique), set()).add(job.id)
        self.dirty = True

    def introduce_parents(self, job: Job) -> None:
        """Tell the view of parents it has not met: those that have ended, or begun before a
        restart."""
        for parent in self.view.needs(job):
            self.view.know(parent, parent_facts(self.store, parent))

    def amend(self, live: LiveJob, cause: str, now: float, **fields: Any) -> None:
        """Change fields of the submission itself."""
        self._rename(live.job, fields.get("name", live.job.name))
        self.roll.leave(live)
        live.job = amend(live.job, **fields)
        self.roll.enter(live)
        self.change.update_job(live.job)
        self.introduce_parents(live.job)
        self.view.put_job(live.job, live.waiting)
        detail = {name: str(value) for name, value in fields.items()}
        self.note(now, live.job.id, NO_INDEX, "edit", cause, detail=detail)
        self.dirty = True

    def _rename(self, job: Job, name: str) -> None:
        _strike(self.by_name, (job.uid, job.name), job.id)
        self.by_name.setdefault((job.uid, name), set()).add(job.id)

    # -- elements --------------------------------------------------------------------------------

    def apply(self, live: LiveJob, task: Task, event: Event) -> Task:
        """Step an element and record it; the only place where elements change."""
        after = step(task, event)
        self.change.put_task(after)
        self.roll.put(live, task, after)
        if self.prepared and after.state is not State.PENDING:
            self._settle(after)
        if after.state is State.PENDING:
            self.view.put_task(after)
        elif after.state is State.ENDED:
            assert after.outcome is not None
            assert after.end_time is not None
            self.view.task_ended(after.job, after.index, after.outcome, after.end_time)
        began = self.view.claims.get(event.run) if event.kind is Kind.START else None
        detail = None if began is None else _cards_given(began, after)
        kind, state = event.kind.value, word(after)
        self.note(event.time, after.job, after.index, kind, event.cause, state=state, detail=detail)
        self.dirty = True
        if live.job.notify is not None:
            self._tell_of(live.job, event, after)
        if after.state is State.ENDED:
            self._finish_if_done(live)
        return after

    def _settle(self, task: Task) -> None:
        """The element waits no more: its prepared run has begun, or never will."""
        run = self.prepared.pop((task.job, task.index), None)
        if run is not None and task.run != run.id:
            end = task.end_time
            ended = replace(run, start_time=end, end_time=end, stopped_by="cancel")
            self.change.end_run(ended)

    def _tell_of(self, job: Job, event: Event, task: Task) -> None:
        what = _TIDINGS.get(event.kind)
        if event.kind is Kind.END and task.outcome is not None:
            if task.outcome is Outcome.TIMEOUT:
                self.tidings.append((job, "time_limit", task.index))
            what = end_word(task.outcome) if task.index != NO_INDEX else None
        if what is not None:
            self.tidings.append((job, what, task.index))

    def _finish_if_done(self, live: LiveJob) -> None:
        if not live.finished or live.job.id not in self.live:
            return
        job_id = live.job.id
        summary = live.tally.summary()
        self.change.end_job(job_id, summary)
        if live.job.notify is not None:
            self.tidings.append((live.job, end_word(summary.outcome), NO_INDEX))
        self._forget(live)
        self.view.job_finished(job_id)

    def _forget(self, live: LiveJob) -> None:
        job = live.job
        del self.live[job.id]
        self.roll.leave(live)
        self.users[job.user] -= 1
        _strike(self.by_name, (job.uid, job.name), job.id)
        if job.unique:
            _strike(self.unique, (job.uid, job.unique), job.id)

    def drop_waiting(self, live: LiveJob, outcome: Outcome, cause: str, now: float) -> int:
        """End all elements that have never begun, as one fact. Returns how many."""
        count = len(live.waiting)
        if not count:
            return 0
        live.job = amend(live.job, dropped=outcome)
        self.change.update_job(live.job)
        gone, live.waiting = live.waiting, IndexSet()
        live.tally.add_never_begun(count, outcome, cause, now)
        self.roll.drop(count)
        self.view.elements_dropped(live.job.id, gone, outcome, now)
        self.note(
            now,
            live.job.id,
            NO_INDEX,
            "drop",
            cause,
            state=outcome.value,
            detail={"elements": count},
        )
        self.dirty = True
        self._finish_if_done(live)
        return count

    def stop(
        self,
        live: LiveJob,
        task: Task,
        why: str,
        cause: str,
        now: float,
        *,
        grace: float | None = None,
    ) -> Task:
        """Ask a running element to end: `why` is cancel, requeue or another word for the runner;
        `grace` replaces the job's own."""
        kind = Kind.CANCEL if why == "cancel" else Kind.STOP
        after = self.apply(live, task, Event(kind=kind, time=now, cause=cause, stopping=why))
        order = stop_order(live.job, after)
        self.orders.append(order if grace is None else replace(order, grace=grace))
        return after

    def configure(self, host: Host, policy: Policy, view: View | None = None) -> None:
        """Go on with other settings; what is running keeps what it holds. `view`: the same work
        as another regime sees it."""
        self.host, self.policy = host, policy
        self.view = self.view if view is None else view
        placement = host.settings.scheduler.placement
        self.view.set_total(host.total, host_of(host.node, placement))
        self.dirty = True

    @property
    def regime(self) -> Regime:
        """Who goes first, and what else the configuration makes of jobs."""
        return self.view.queue.regime

    # -- the story -------------------------------------------------------------------------------

    def note(
        self,
        time: float,
        job: int | None,
        index: int,
        kind: str,
        cause: str,
        *,
        state: str = "",
        detail: Any = None,
    ) -> None:
        """Write one event (without a job: the machine's own) and keep it for those who listen."""
        element = None if index < 0 else index
        seq = self.change.add_event(
            time, job, kind, index=element, state=state, cause=cause, detail=detail
        )
        self.news.append(
            News(
                seq=seq,
                time=time,
                job=job,
                element=element,
                kind=kind,
                cause=cause,
                state=state,
                detail=detail,
            )
        )


def _cards_given(claim: Claim, task: Task) -> dict[str, Any] | None:
    """Which cards a run that begins was given, and the number of the attempt; None: none."""
    cards = [*claim.gpus, *(card for card, _ in claim.shared)]
    return {"gpus": cards, "attempt": task.attempt} if cards else None


def _strike(jobs: dict[tuple[int, str], set[int]], key: tuple[int, str], job: int) -> None:
    """The job is not among those of the key any more."""
    left = jobs[key]
    left.discard(job)
    if not left:
        del jobs[key]
