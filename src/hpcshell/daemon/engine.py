"""The scheduler's state in memory and every way it changes.

The loop opens one store change a tick and hands it in; whatever the engine does meanwhile is
written to that change and, as orders and news, put aside. Orders are carried out and news told
only after the commit. If the commit fails the engine is thrown away and loaded again, so memory
never runs ahead of disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.lifecycle import Event, Kind, amend, step, word
from hpcshell.core.records import NO_INDEX, Job, Outcome, Resources, Run, State, Task
from hpcshell.daemon import runner_wire as wire
from hpcshell.daemon.host import Host
from hpcshell.daemon.live import LiveJob
from hpcshell.daemon.notices import end_word
from hpcshell.daemon.orders import start_order
from hpcshell.machine import clock
from hpcshell.policy.decide import Plan, Policy, Start, decide
from hpcshell.policy.depend import Fact, ParentFacts
from hpcshell.policy.retry import End, after_end
from hpcshell.policy.view import View
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

    `configure` comes before anything else.
    """

    host: Host
    policy: Policy

    def __init__(self, store: Store) -> None:
        self.store = store
        self.live: dict[int, LiveJob] = {}
        self.by_name: dict[tuple[int, str], set[int]] = {}
        self.unique: dict[tuple[int, str], int] = {}
        self.runs: dict[int, Run] = {}
        self.pids: dict[int, int] = {}
        self.view = View(Resources())
        self.orders: list[wire.AnyOrder] = []
        self.news: list[News] = []
        self.tidings: list[Tiding] = []
        self.acks: list[int] = []
        self.deferred: list[int] = []
        self.complaints: list[str] = []
        self.runner_pid = 0
        self.keeper_pid = 0
        self.plan: Plan | None = None
        self.dirty = True
        self._change: Change | None = None

    @property
    def change(self) -> Change:
        """The transaction of this tick."""
        assert self._change is not None, "nothing changes outside a tick"
        return self._change

    def begin(self, change: Change) -> None:
        """Start writing to the change of a new tick."""
        self._change = change

    # -- jobs ------------------------------------------------------------------------------------

    def add(self, job: Job) -> LiveJob:
        """Record a new job and let it wait."""
        live = LiveJob(job, indices_of(job))
        self.change.add_job(job)
        self.keep(live)
        self.note(job.submit_time, job.id, NO_INDEX, "submit", "", state="PENDING")
        return live

    def keep(self, live: LiveJob) -> None:
        """Hold a live job in memory, with facts about parents that have ended already."""
        job = live.job
        self.live[job.id] = live
        self.by_name.setdefault((job.uid, job.name), set()).add(job.id)
        if job.unique:
            self.unique[job.uid, job.unique] = job.id
        self._introduce_parents(job)
        self.view.put_job(job, live.waiting)
        self.dirty = True

    def _introduce_parents(self, job: Job) -> None:
        """Tell the view of parents it has not met: those that have ended, or begun before a
        restart."""
        for parent in self.view.needs(job):
            self.view.know(parent, parent_facts(self.store, parent))

    def amend(self, live: LiveJob, cause: str, now: float, **fields: Any) -> None:
        """Change fields of the submission itself."""
        self._rename(live.job, fields.get("name", live.job.name))
        live.job = amend(live.job, **fields)
        self.change.update_job(live.job)
        self._introduce_parents(live.job)
        self.view.put_job(live.job, live.waiting)
        detail = {name: str(value) for name, value in fields.items()}
        self.note(now, live.job.id, NO_INDEX, "edit", cause, detail=detail)
        self.dirty = True

    def _rename(self, job: Job, name: str) -> None:
        self.by_name[job.uid, job.name].discard(job.id)
        self.by_name.setdefault((job.uid, name), set()).add(job.id)

    # -- elements --------------------------------------------------------------------------------

    def apply(self, live: LiveJob, task: Task, event: Event) -> Task:
        """Step an element and record it; the only place where elements change."""
        after = step(task, event)
        self.change.put_task(after)
        live.put(after)
        if after.state is State.PENDING:
            self.view.put_task(after)
        elif after.state is State.ENDED:
            assert after.outcome is not None
            assert after.end_time is not None
            self.view.task_ended(after.job, after.index, after.outcome, after.end_time)
        self.note(
            event.time, after.job, after.index, event.kind.value, event.cause, state=word(after)
        )
        self.dirty = True
        if live.job.notify is not None:
            self._tell_of(live.job, event, after)
        if after.state is State.ENDED:
            self._finish_if_done(live)
        return after

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
        self._forget(live.job)
        self.view.job_finished(job_id)

    def _forget(self, job: Job) -> None:
        del self.live[job.id]
        self.unique.pop((job.uid, job.unique), None)
        named = self.by_name[job.uid, job.name]
        named.discard(job.id)
        if not named:
            del self.by_name[job.uid, job.name]

    def drop_waiting(self, live: LiveJob, outcome: Outcome, cause: str, now: float) -> int:
        """End all elements that have never begun, as one fact. Returns how many."""
        count = len(live.waiting)
        if not count:
            return 0
        live.job = amend(live.job, dropped=outcome)
        self.change.update_job(live.job)
        gone, live.waiting = live.waiting, IndexSet()
        live.tally.add_never_begun(count, outcome, cause, now)
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

    def stop(self, live: LiveJob, task: Task, why: str, cause: str, now: float) -> Task:
        """Ask a running element to end: `why` is cancel, requeue or another word for the runner."""
        kind = Kind.CANCEL if why == "cancel" else Kind.STOP
        after = self.apply(live, task, Event(kind=kind, time=now, cause=cause, stopping=why))
        self.orders.append(wire.Stop(run=task.run, cause=why, grace=live.job.grace))
        return after

    # -- decisions -------------------------------------------------------------------------------

    def decide(self, now: float) -> None:
        """Ask the decider and record what it wants started; end what can never start."""
        self.view.advance(now)
        self._end_impossible(now)
        self.plan = decide(self.view, self.policy, now)
        self.view.keep(self.plan.promises)
        for start in self.plan.starts:
            self._start(start, now)
        self.dirty = False

    def _start(self, start: Start, now: float) -> None:
        live = self.live[start.job]
        task = live.task(start.index)
        assert task is not None, f"decided to start {start.job}_{start.index}, which does not wait"
        run_id = self.change.next_run_id()
        claim = start.claim(run_id, now)
        self.view.claim(claim)
        task = self.apply(live, task, Event(kind=Kind.START, time=now, run=run_id))
        order = start_order(live.job, task, claim, self.host)
        run = Run(
            id=run_id,
            job=live.job.id,
            index=task.index,
            attempt=task.attempt,
            claim=claim,
            start_time=now,
            boot=self.host.boot,
            stdout=order.stdout or "",
            stderr=order.stderr or "",
        )
        self.change.add_run(run)
        self.runs[run_id] = run
        self.orders.append(order)

    def _end_impossible(self, now: float) -> None:
        for job_id, index, outcome, sentence in self.view.impossible(now):
            live = self.live.get(job_id)
            if live is None:
                continue
            terms = live.job.dependencies
            if outcome is Outcome.CANCELLED and terms is not None and terms.on_never == "hold":
                self.amend(live, sentence, now, held="dependency")
            else:
                self._end_waiting(live, index, outcome, sentence, now)

    def _end_waiting(
        self, live: LiveJob, index: int | None, outcome: Outcome, cause: str, now: float
    ) -> None:
        if index is None:
            self._end_job(live, outcome, cause, now)
            return
        task = live.task(index)
        if task is not None and task.state is State.PENDING:
            self.apply(live, task, Event(kind=Kind.CANCEL, time=now, cause=cause, outcome=outcome))

    def _end_job(self, live: LiveJob, outcome: Outcome, cause: str, now: float) -> None:
        for task in [task for task in live.tasks.values() if task.state is State.PENDING]:
            self.apply(live, task, Event(kind=Kind.CANCEL, time=now, cause=cause, outcome=outcome))
        self.drop_waiting(live, outcome, cause, now)

    # -- what the runner says --------------------------------------------------------------------

    def run_ended(self, run_id: int, end: End) -> None:
        """Record the end of a run and what becomes of its element; unknown and ended runs are
        ignored."""
        run = self.runs.pop(run_id, None)
        self.pids.pop(run_id, None)
        if run is None:
            return
        live = self.live[run.job]
        task = live.tasks[run.index]
        self.view.release(run_id)
        self.change.end_run(ended_run(run, end))
        event = after_end(
            live.job, task, end, total=self.host.total, lost_limit=self.host.lost_limit
        )
        self.apply(live, task, event)

    def start_again(self, run: Run) -> None:
        """Order a recorded run once more: the runner has not got it. Its id makes this harmless."""
        live = self.live[run.job]
        task = live.tasks[run.index]
        if task.state is State.STOPPING:
            end = End(time=self.now(), stopped_by=task.stopping, message="it was never started")
            self.run_ended(run.id, end)
        else:
            self.orders.append(start_order(live.job, task, run.claim, self.host))

    def defer_start(self, run_id: int, why: str) -> None:
        """The machine could not start it just now; it is ordered again a little later."""
        self.complaints.append(why)
        if run_id in self.runs:
            self.deferred.append(run_id)

    def lose_runs_of_other_boots(self) -> None:
        """The machine went down under the runs that were alive then."""
        for run in [run for run in self.runs.values() if run.boot != self.host.boot]:
            self.run_ended(run.id, End(time=self.now(), lost=True, message="the machine restarted"))

    def new_end(self, task: Task, limit: float | None) -> None:
        """The time limit of a running element has changed: so has the end of its claim."""
        claim = self.view.claims[task.run]
        end = None if limit is None else claim.start + limit
        self.view.release(task.run)
        self.view.claim(replace(claim, end=end))

    def configure(self, host: Host, policy: Policy) -> None:
        """Go on with other settings; what is running keeps what it holds."""
        self.host, self.policy = host, policy
        self.view.set_total(host.total)
        self.dirty = True

    # -- questions -------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """How many elements are in which state, of the jobs that have not ended."""
        counts: dict[str, int] = {}
        for live in self.live.values():
            if live.waiting:
                counts["PENDING"] = counts.get("PENDING", 0) + len(live.waiting)
            for task in live.tasks.values():
                counts[word(task)] = counts.get(word(task), 0) + 1
        return counts

    def parents(self, job_id: int) -> list[int]:
        """Whom a live job waits for; nobody, once it has ended."""
        live = self.live.get(job_id)
        return [] if live is None else list(parents_of(live.job))

    # -- the clock -------------------------------------------------------------------------------

    def now(self) -> float:
        return clock.now()

    def wake_due(self) -> bool:
        """Whether time alone has made something ready, or too late."""
        wake = self.view.next_wake()
        return wake is not None and wake <= self.now()

    # -- the story -------------------------------------------------------------------------------

    def note(
        self,
        time: float,
        job: int,
        index: int,
        kind: str,
        cause: str,
        *,
        state: str = "",
        detail: Any = None,
    ) -> None:
        """Write one event and keep it for those who listen."""
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


def ended_run(run: Run, end: End) -> Run:
    """The run with its end filled in."""
    return replace(
        run,
        end_time=end.time,
        exit_code=end.exit_code,
        signal=end.signal,
        stopped_by=end.stopped_by,
        usage=end.usage,
    )


def parents_of(job: Job) -> Iterator[int]:
    """Ids of the jobs this one waits for."""
    if job.dependencies is not None:
        yield from (term.job for term in job.dependencies.terms if term.job)


def parent_facts(store: Store, job_id: int) -> ParentFacts:
    """What the store knows of a parent, element by element."""
    stored = store.job(job_id)
    if stored is None:  # purged long ago: all that is left to say is that it ended
        return ParentFacts(total=1, begun=1, ended=1, completed=1)
    tasks = store.tasks(job_id)
    ended = [task for task in tasks if task.state is State.ENDED]
    facts = ParentFacts(
        total=len(indices_of(stored.job)),
        begun=sum(task.start_time is not None or task.state is State.ENDED for task in tasks),
        ended=len(ended),
        completed=sum(task.outcome is Outcome.COMPLETED for task in ended),
        last_begin=max((task.start_time or 0.0 for task in tasks), default=0.0),
        last_end=max((task.end_time or 0.0 for task in ended), default=0.0),
        elements={task.index: Fact(task.start_time, task.end_time, task.outcome) for task in tasks},
    )
    if stored.job.dropped is not None:
        facts.begun = facts.ended = facts.total
        facts.last_end = stored.summary.end_time if stored.summary else facts.last_end
    return facts


def load(engine: Engine) -> None:
    """Fill an empty engine from the store; the store is not changed."""
    jobs = list(engine.store.live_jobs())
    parents = {parent for stored in jobs for parent in parents_of(stored.job)}
    for stored in jobs:
        if stored.job.id in parents:
            engine.view.know(stored.job.id, parent_facts(engine.store, stored.job.id))
        live = LiveJob(stored.job, stored.waiting)
        live.tasks = {task.index: task for task in stored.tasks}
        _tally(engine.store, live, stored.ended)
        engine.keep(live)
        for task in stored.tasks:
            if task.state is State.PENDING:
                engine.view.put_task(task)
    for run in engine.store.live_runs():
        engine.runs[run.id] = run
        engine.view.claim(run.claim)


def _tally(store: Store, live: LiveJob, ended: dict[str, int]) -> None:
    """Add up the elements of a live job that have ended already."""
    for task in live.tasks.values():
        live.tally.began(task)
    if not ended:
        return
    counted = 0
    for task in store.tasks(live.job.id, [outcome.value for outcome in Outcome]):
        live.tally.add(task)
        counted += 1
    dropped = sum(ended.values()) - counted
    if dropped and live.job.dropped is not None:
        live.tally.add_never_begun(dropped, live.job.dropped, "", 0.0)
