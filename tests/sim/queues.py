"""Queues of a pure world as snapshots, to be played forward beside it."""

from __future__ import annotations

from msgspec.structs import replace

from hpcshell.policy.snapshot import Snapshot, facts_of, promised_of, standing
from hpcshell.sim.lengths import UNLIMITED
from tests.policy.workloads import Load, Work
from tests.policy.world import World


def snapshot_of(world: World) -> Snapshot:
    """Everything in it now."""
    jobs = []
    for number in sorted(world.left):
        tasks = tuple(
            task
            for (job, _), task in world.tasks.items()
            if job == number and task.state.value != "ENDED"
        )
        jobs.append(
            standing(world.jobs[number], world.waiting(number), tasks, world.view.entry(number))
        )
    view = world.view
    return Snapshot(
        now=world.now,
        total=view.total,
        policy=world.policy,
        jobs=tuple(jobs),
        runs=tuple(view.claims.values()),
        waking=tuple(view.waking),
        parents=facts_of(view),
        promised=promised_of(view),
        reservations=tuple(view.book.known.values()),
        used=view.book.uses(),
        since=dict(view.since),
        closed=view.closed,
        last_job=max(world.jobs, default=0),
    )


def to_limits(work: Work) -> Work:
    """The same work, whose every run takes all of its time limit and succeeds. What has no limit
    has no deadline either: the world would let it run on after that."""
    limit = work.job.request.time_limit
    job = work.job if limit is not None else replace(work.job, deadline=None)
    return Work(job, runs=(UNLIMITED if limit is None else limit,), exits=(0,))


def load_to_limits(load: Load) -> Load:
    """The same load, of which every run takes all of its time limit and succeeds."""
    return load._replace(work=tuple(map(to_limits, load.work)))


def world_until(world: World, until: float) -> World:
    """The world, played until no later than then."""
    while (time := world._next()) is not None and time <= until:
        world.now = max(world.now, time)
        world.tick()
    return world
