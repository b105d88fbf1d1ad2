"""All that a view was told, as one record: to be sent, kept, and told to another view.

    view_of(snapshot, regime)   a view that answers as the first one did
    facts_of(view)              what the view knows of the parents of its live jobs

The launch of a job (its command, its environment) is not the decider's affair and is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any, Final

from msgspec import field
from msgspec.structs import replace

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Claim, Job, Launch, Record, Resources, State, Task
from hpcshell.core.settings import Settings
from hpcshell.policy.choice import choice, ledger_of
from hpcshell.policy.depend import ParentFacts
from hpcshell.policy.holdings import close_cards
from hpcshell.policy.line import Entry
from hpcshell.policy.place.nodes import Node
from hpcshell.policy.plan import Policy
from hpcshell.policy.regime import Foresight, Regime
from hpcshell.policy.reserve import Reservation
from hpcshell.policy.rooms import TOPOLOGY, room_of
from hpcshell.policy.view import PLAIN, View

NO_LAUNCH: Final = Launch(argv=(), cwd="")
NOTHING: Final = IndexSet()


class Standing(Record, frozen=True, kw_only=True):
    """A live job. `waiting`: its elements that have never begun and have no record, as text; None:
    all that it was submitted with. `tasks`: the elements that have a record and have not ended."""

    job: Job
    waiting: str | None = None
    tasks: tuple[Task, ...] = ()


class Snapshot(Record, frozen=True, kw_only=True):
    """A queue and its machine at the instant `now`. `jobs` go by ascending id.

    `runs`: what each run holds; `waking`: the suspended ones that are to go on; `parents`: what is
    known of jobs that others wait for; `promised`: (job, index, instant). `plots`: where
    reservations are; `used`: when they were used last; `since`: when runs that had been suspended
    went on; `closed`: why nothing new starts, and `closed_cards` nothing on certain cards;
    `burdens`: what strangers hold of cards.
    `last_job`: the highest id given out, `left_out`: so many jobs that wait are not in it.
    `settings`, `usage` and `origin` are what `choice` makes the regime of, `learnt` what its
    predictor knows. `nodes` and `placement`: as `room_of` is told.
    """

    now: float
    total: Resources
    policy: Policy = Policy()
    jobs: tuple[Standing, ...] = ()
    runs: tuple[Claim, ...] = ()
    waking: tuple[int, ...] = ()
    parents: dict[int, ParentFacts] = field(default_factory=dict)
    promised: tuple[tuple[int, int, float], ...] = ()
    reservations: tuple[Reservation, ...] = ()
    plots: dict[str, tuple[int, ...]] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    since: dict[int, float] = field(default_factory=dict)
    leaving: dict[int, float] = field(default_factory=dict)
    checkpoints: dict[int, float] = field(default_factory=dict)
    closed: str = ""
    closed_cards: dict[int, str] = field(default_factory=dict)
    burdens: dict[int, int] = field(default_factory=dict)
    settings: Settings | None = None
    usage: dict[str, float] = field(default_factory=dict)
    origin: float = 0.0
    learnt: list[tuple[list[Any], list[Any]]] = field(default_factory=list)
    last_job: int = 0
    left_out: int = 0
    nodes: tuple[Node, ...] = ()
    placement: str = TOPOLOGY


def elements_of(job: Job) -> IndexSet:
    """The elements of a job as it was submitted."""
    return PLAIN if job.array is None else IndexSet.parse(job.array.indices)


def standing(
    job: Job, waiting: IndexSet, tasks: Iterable[Task] = (), entry: Entry | None = None
) -> Standing:
    """A live job as a snapshot has it; `entry`: as a view has it. Elements that ask for something
    of their own go in the order in which the view met what they ask for."""
    tasks = tuple(tasks)
    if entry is not None and entry.lines:
        known = entry.tasks
        at = {index: line.number for index, (_, line) in known.items()}
        tasks = tuple(sorted(tasks, key=lambda task: -at.get(task.index, 0)))
    bare = replace(job, launch=NO_LAUNCH, notify=None, comment="")
    if not waiting:
        text = ""
    elif waiting is PLAIN or (job.array is None and not tasks):
        text = None
    else:
        text = str(waiting)
        if job.array is not None and text == job.array.indices:
            text = None
    return Standing(job=bare, waiting=text, tasks=tasks)


def waiting_of(one: Standing) -> IndexSet:
    """The elements of it that have never begun and have no record."""
    if one.waiting is None:
        return elements_of(one.job)
    return IndexSet.parse(one.waiting) if one.waiting else NOTHING


def view_of(snapshot: Snapshot, regime: Regime | None = None) -> View:
    """A view that has been told all of it."""
    view = View(room_of(snapshot.total, snapshot.nodes, snapshot.placement), regime)
    view.advance(snapshot.now)
    for reservation in snapshot.reservations:
        view.reserve(reservation)
        view.book.used(reservation.name, snapshot.used.get(reservation.name, snapshot.now))
    view.book.plots.restore(snapshot.plots)
    for one in snapshot.jobs:
        for parent in view.needs(one.job):
            if (facts := snapshot.parents.get(parent)) is not None:
                view.know(parent, copied(facts))
        view.put_job(one.job, waiting_of(one))
        for task in one.tasks:
            if task.state is State.PENDING:
                view.put_task(task)
    for claim in snapshot.runs:
        view.claim(claim)
    if view.bounds is not None:  # what has begun of a job counts with it
        for entry in view.queue.jobs.values():
            view.bounds.submitted(entry.job, entry.alive())
    for run in snapshot.waking:
        view.wake(run)
    view.since.update(snapshot.since)
    view.leaving.update(snapshot.leaving)
    view.checkpoints.update(snapshot.checkpoints)
    view.closed = snapshot.closed
    close_cards(view, snapshot.closed_cards, snapshot.burdens)
    view.keep({(job, index): start for job, index, start in snapshot.promised})
    return view


def regime_of(snapshot: Snapshot, foresight: Foresight | None = None) -> Regime:
    """Who goes first by the configuration that the snapshot was taken under, and what is expected
    of runs. A new one for each view: usage is charged to it."""
    settings = snapshot.settings
    if settings is None:
        return Regime()
    ledger = ledger_of(settings)
    ledger.restore(snapshot.usage)
    made = choice(
        settings, snapshot.total, foresight=foresight, ledger=ledger, origin=snapshot.origin
    )
    return made[1]


def copied(facts: ParentFacts) -> ParentFacts:
    """The same, to be changed by itself."""
    elements = facts.elements
    return replace(facts, elements=None if elements is None else dict(elements))


def facts_of(view: View) -> dict[int, ParentFacts]:
    """What is known of the parents of live jobs, as far as anything is; copies."""
    ties = view.queue.ties
    known = ((parent, ties.facts(parent)) for parent in ties.wanted if parent)
    return {
        parent: copied(facts)
        for parent, facts in known
        if facts is not None and facts.begun + facts.ended
    }


def promised_of(view: View) -> tuple[tuple[int, int, float], ...]:
    """The promises that are an instant."""
    return tuple((*unit, start) for unit, start in view.promised.items() if isfinite(start))
