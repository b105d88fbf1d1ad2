"""The scheduler's picture of the machine and of all live work. Only its owner changes it.

The owner (the daemon, or the simulator) tells the view every fact as it happens; `decide` and
`explain` only read. An element is in exactly one place: in its job's `waiting` set (never begun,
no record), among the pending tasks (`put_task`: retry back-off, held alone), or running (`claim`).

The owner's calls, in the order of a life:

    view.needs(job)               -> parents to tell the view of first: view.know(id, ParentFacts)
    view.put_job(job, waiting)    new or changed; `PLAIN` is the waiting set of a plain job
    view.put_task(task)           a PENDING element with its own record (takes it out of `waiting`)
    view.lend(job, index)         it is to follow a run of its job, and is not decided about; then
                                  `claim` when it does, or `put_task` when it is taken back
    view.impossible(now)          lets time pass, and names what the owner is to end (or to hold)
    decide(view, policy, now)     (after `view.advance(now)` or `view.impossible(now)`)
    view.keep(plan.promises)      only matters when the policy keeps more than one promise; on
                                  several nodes, `keep(plan.promises, plan.spots)`
    view.claim(claim)             the element starts: it waits no more, resources are held
    view.suspend(run, now)        it stands still: cpus back, the rest stays held; then
      view.wake(run)                it is to go on in its turn: a plan says when (or, after all,
                                    `sleep`); and
      view.resume(run, now)         it goes on, and holds again what it held
    view.change(claim)            it holds something else, or until another time
    view.release(run)             the attempt is over: resources back; then one of:
      view.put_task(task)           it is tried again
      view.task_ended(job, index, outcome, time)    it is over
    view.task_ended(...)          also for an element that ends without having begun (cancelled)
    view.elements_dropped(job, indices, outcome, time)    so do many waiting elements at once
    view.job_finished(job)        all of it has ended, after the last task_ended: it is forgotten
    view.set_total(resources)     the machine has changed
    view.set_node(name, state)    one of several nodes is drained, has failed, or is there again
    close_cards(view, cards)      these take no new work, and all others do (see `holdings`)

There is nothing else to say about an element that starts or ends; putting an unchanged job costs
nothing. On recovery: `put_job` by ascending id (`needs` names the live parents that had begun,
too), `put_task` for what is pending, `claim` for what runs or is suspended, then `wake`.

Costs grow with what a call changes (and the logarithm of what waits), never with what waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Final

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import NO_INDEX, Claim, Job, Outcome, Resources, Task
from hpcshell.policy.depend import Fact, ParentFacts
from hpcshell.policy.holdings import Holdings, Unit
from hpcshell.policy.hopeless import Hopeless, hopeless
from hpcshell.policy.host import Host
from hpcshell.policy.line import Entry
from hpcshell.policy.queue import Queue
from hpcshell.policy.regime import Regime
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.room import Room, Vector

__all__ = ["PLAIN", "Fact", "ParentFacts", "Unit", "View"]

PLAIN: Final = IndexSet((range(NO_INDEX, NO_INDEX + 1),))


class View(Holdings):
    """See the module. `room` is the machine, `queue` the live jobs; both are for reading."""

    def __init__(
        self, machine: Resources | Room, regime: Regime | None = None, host: Host | None = None
    ) -> None:
        """`machine`: what it has, or a `Cluster`; `host`: how its cards and cpus are joined."""
        regime = regime or Regime()
        if not isinstance(machine, Room):
            machine = Room(machine, host)
        super().__init__(machine, regime.foresight, regime.ledger)
        self.queue = Queue(self.room, regime)
        self.bounds = regime.bounds
        self.room.reshaped = self.queue.turn.remeasure

    # -- reading ---------------------------------------------------------------------------------

    def entry(self, job: int) -> Entry | None:
        """A live job as the view keeps it; None when it is not live."""
        return self.queue.jobs.get(job)

    def next_wake(self, now: float = 0.0) -> float | None:
        """The next instant at which time alone changes something; None: never."""
        now = max(now, self.queue.gates.clock)
        wakes = (
            self.queue.gates.next_wake(),
            self.outlook.next_wake(),
            self.book.next_wake(now) if self.book.known else None,
            slice_ends(self, now),
        )
        return min((wake for wake in wakes if wake is not None), default=None)

    def needs(self, job: Job) -> list[int]:
        """The parents of which the view must be told with `know` before it is given `job`."""
        return self.queue.ties.needs(job.dependencies)

    # -- jobs ------------------------------------------------------------------------------------

    def know(self, job: int, facts: ParentFacts) -> None:
        """What has happened to the elements of `job`, live or ended, as far as it counts for
        children."""
        self.queue.gates.touch(self.queue.ties.know(job, facts))

    def put_job(self, job: Job, waiting: IndexSet) -> None:
        """`job` is live and `waiting` are its elements that have never begun and have no record."""
        entry = self.queue.jobs.get(job.id)
        if entry is not None and entry.job is job and entry.waiting.ranges == waiting.ranges:
            return
        before = None if entry is None else (entry.job.request, entry.rank)
        if entry is None or entry.job.reservation != job.reservation:
            self.book.join(job.reservation)
            self.book.leave("" if entry is None else entry.job.reservation)
        entry = self.queue.put(job, waiting)
        if self.bounds is not None:
            self.bounds.submitted(job, entry.alive())
        if before is not None and before != (job.request, entry.rank):
            self.promised = {unit: at for unit, at in self.promised.items() if unit[0] != job.id}

    def job_finished(self, job: int) -> None:
        """Nothing of `job` is left to end. What its children need to know of it is kept."""
        if (entry := self.queue.jobs.get(job)) is not None:
            self.book.leave(entry.job.reservation)
        self.queue.drop(job)
        if self.bounds is not None:
            self.bounds.forgotten(job)

    def elements_dropped(self, job: int, indices: IndexSet, outcome: Outcome, time: float) -> None:
        """Waiting elements end without having begun."""
        self.queue.take_all(job, indices)
        if self.bounds is not None:
            self.bounds.over(job, len(indices))
        ties = self.queue.ties
        self.queue.gates.touch(ties.dropped(job, indices, outcome, time))

    # -- elements --------------------------------------------------------------------------------

    def put_task(self, task: Task) -> None:
        """An element with its own record waits: to be tried again, or held or released by
        itself."""
        self.queue.put_task(task)

    def lend(self, job: int, index: int) -> None:
        """A waiting element is to take the place of a run of its job as soon as that is over."""
        self.queue.lend(self.queue.jobs[job], index)

    def claim(self, claim: Claim) -> None:
        """A run of the element has been started, or is found running on recovery."""
        entry = self.queue.jobs.get(claim.job)
        self.room.hold(claim)
        self.promised.pop((claim.job, claim.index), None)
        if entry is not None:
            shape = entry.shape_of(claim.index)
            self.outlook.began(claim, entry.job, shape.request, shape.length)
            if self.bounds is not None:
                holds = self.room.held_by(shape.request)
                self.bounds.began(claim.run, self.bounds.claimant(entry.job, holds))
            if self.ledger is not None:
                self.ledger.began(claim, entry.job.user, entry.job.account)
            if claim.reservation:
                self.pools[claim.run] = claim.reservation
            first = self.queue.start(entry, claim.index)
            touched = self.queue.ties.began(claim.job, claim.index, claim.start, first)
            self.queue.gates.touch(touched)

    def release(self, run: int, at: float | None = None) -> None:
        """The run is over, since `at` (None: the time told last), and holds nothing any more."""
        if self.ledger is not None:
            self.ledger.ended(run, self.queue.gates.clock if at is None else at)
        claim = self.room.let_go(run)
        self.outlook.over(run)
        for known in (self.pools, self.since, self.leaving, self.checkpoints):
            known.pop(run, None)
        if self.bounds is not None:
            self.bounds.ended(run)
        self.waking.discard(run)
        if claim is not None:
            self.queue.stop(claim.job)

    def task_ended(self, job: int, index: int, outcome: Outcome, time: float) -> None:
        """The element is over for good."""
        begun = self.queue.take(job, index)
        if self.bounds is not None:
            self.bounds.over(job, 1)
        self.queue.gates.touch(self.queue.ties.ended(job, index, outcome, time, begun))

    # -- the machine and the clock ---------------------------------------------------------------

    def set_total(self, total: Resources, host: Host | None = None) -> None:
        """The machine has changed; if it has not, promises stay as they are. `host`: how its cards
        and cpus are joined, where that is known."""
        if host is not None:
            self.room.host = host
        if total == self.room.total:
            return
        self.room.set_total(total)
        self.promised = {}
        self.queue.turn.remeasure()

    def advance(self, now: float) -> None:
        """What time alone makes ready becomes ready. A clock that goes back undoes nothing."""
        self.queue.gates.advance(now)
        self.outlook.advance(now)
        if self.book.known:
            self.book.advance(now)

    def reserve(self, reservation: Reservation) -> None:
        """Set a part of the machine apart; one of the same name is replaced."""
        self.book.add(reservation)
        self.promised = {}

    def unreserve(self, name: str) -> None:
        """It is set apart no more."""
        self.book.drop(name)
        self.promised = {}

    def rerank(self) -> bool:
        """Ask for the ranks of all jobs again, as of the time told last; whether any changed. What
        runs have used by then counts."""
        if self.ledger is not None:
            self.ledger.settle(self.queue.gates.clock)
        return self.queue.rerank()

    def impossible(self, now: float) -> list[Hopeless]:
        """What can never start any more: (job, index, outcome, sentence), index None: all that
        waits of it.

        CANCELLED: its dependency can never be met. DEADLINE: it cannot end by its deadline. Told
        again until the owner has ended it; a job that is held is not told of for its dependency.
        """
        self.advance(now)
        return list(hopeless(self.queue))

    def keep(self, promises: dict[Unit, float], spots: dict[Unit, Vector] | None = None) -> None:
        """Hold on to the promises of a plan, and its `spots`: a later plan makes none of them
        worse.

        That is, as long as runs end in time and nothing that goes before them comes in.
        """
        self.promised = dict(promises)
        self.spots = dict(spots or {})


def slice_ends(view: View, now: float) -> float | None:
    """When the next run may have to make room for what waits: its slice is over, or the time for
    which it was safe."""
    if not view.queue.regime.preempting or not (view.queue.turn.heads or view.waking):
        return None
    return min((end for end in _turns(view) if now < end < inf), default=None)


def any_may_yield(view: View) -> bool:
    """Whether anything that runs may have to make room for what waits, sooner or later."""
    if not view.queue.regime.preempting or not (view.queue.turn.heads or view.waking):
        return False
    return any(end < inf for end in _turns(view))


def _turns(view: View) -> Iterator[float]:
    """From when each run may have to make room, by right and in turn."""
    known, claims = view.queue.jobs, view.claims.values()  # what is out of order, no job holds
    running = (claim for claim in claims if claim.suspended is None and claim.job in known)
    return (end(view, claim) for claim in running for end in (safe_until, turn_ends))


def safe_until(view: View, claim: Claim) -> float:
    """Until when a run need not make room by anybody's right; `inf`: for ever."""
    rights, job = view.queue.regime.rights, view.queue.jobs[claim.job].job
    if rights is None or not rights.reach(job):
        return inf
    return claim.start + claim.paused + rights.exempts.get(job.qos, rights.exempt)


def turn_ends(view: View, claim: Claim) -> float:
    """When the slice of a run is over; `inf`: it does not take turns."""
    sharing = view.queue.regime.sharing
    if sharing is None or not sharing.shares(view.queue.jobs[claim.job].job):
        return inf
    return view.on_since(claim) + sharing.slice
