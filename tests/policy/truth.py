"""What must be true in a world, worked out from all that happened and not from the view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcshell.core.records import WHOLE, Dependency, Job, Outcome, State
from hpcshell.policy.cluster import Cluster
from hpcshell.policy.view import Unit
from tests.policy.made import elements_of

if TYPE_CHECKING:
    from tests.policy.world import World


def check(world: World) -> None:
    """Added up from what runs, not from what the view says is free."""
    total, claims = world.view.total, world.runs.values()
    running = [claim for claim in claims if claim.suspended is None]
    assert sum(claim.cpus for claim in running) <= total.cpus
    assert sum(claim.memory for claim in claims) <= total.memory
    whole = [gpu for claim in claims for gpu in claim.gpus]
    parts = [part for claim in claims for part in claim.shared]
    assert len(whole) == len(set(whole)) <= total.gpus
    assert all(0 <= gpu < total.gpus for gpu in [*whole, *(gpu for gpu, _ in parts)])
    assert not {gpu for gpu, _ in parts} & set(whole)
    for card in range(total.gpus):
        assert sum(share for gpu, share in parts if gpu == card) <= WHOLE
    for name, most in total.others.items():
        assert sum(claim.others.get(name, 0) for claim in claims) <= most
    alone = [claim for claim in running if claim.exclusive]
    assert not alone or len(running) == 1 or isinstance(world.view.room, Cluster)
    for number in {claim.job for claim in claims}:
        array = world.jobs[number].array
        if array is not None and array.throttle:
            assert sum(claim.job == number for claim in claims) <= array.throttle


def check_start(world: World, unit: Unit) -> None:
    """Whether this element may start now, by the words of its job."""
    job, task = world.jobs[unit[0]], world.task(unit)
    assert task.state is State.PENDING
    assert not job.held
    assert not task.held
    assert world.now >= max(job.begin, task.not_before)
    request = task.request or job.request
    assert request.cpus <= world.view.total.cpus
    if job.deadline is not None:
        assert world.now + (request.time_limit or 0.0) <= job.deadline
    if job.dependencies is not None:
        join = any if job.dependencies.any else all
        terms = job.dependencies.terms
        assert join(
            (task.attempt and pairs(job, term)) or is_met(world, term, unit) for term in terms
        )


def pairs(job: Job, term: Dependency) -> bool:
    """Whether each element waits for its like in another array: until it begins."""
    return term.kind == "aftercorr" and job.array is not None


def is_met(world: World, term: Dependency, child: Unit) -> bool:
    """The definition of each kind, over all that happened."""
    if term.kind == "singleton":
        mine = world.jobs[child[0]]
        named = (job for job in world.jobs.values() if job.name == mine.name)
        same = (job for job in named if job.user == mine.user)
        return all(job.id >= mine.id or job.id not in world.left for job in same)
    parent = world.jobs.get(term.job)
    if parent is None:
        return False
    indices = list(elements_of(parent)) if term.index is None else [term.index]
    if pairs(world.jobs[child[0]], term):
        indices = [child[1]]
        if child[1] not in elements_of(parent):
            return False
    tasks = [world.task((parent.id, index)) for index in indices]
    ended = [task for task in tasks if task.state is State.ENDED]
    if term.kind == "after":
        begun = [last_begun(world, (task.job, task.index), task.end_time) for task in tasks]
        return all(time is not None and time + term.delay <= world.now for time in begun)
    if len(ended) < len(tasks):
        return False
    if max(task.end_time or 0.0 for task in ended) + term.delay > world.now:
        return False
    good = [task.outcome is Outcome.COMPLETED for task in ended]
    return term.kind == "afterany" or all(good) != (term.kind == "afternotok")


def last_begun(world: World, unit: Unit, ended: float | None) -> float | None:
    """When the element last began, or ended without; what begins anew in the same decision is not
    waited for yet."""
    earlier = [at for at, one in world.restarts if one == unit and at < world.now]
    return max(earlier, default=world.starts.get(unit, ended))
