"""What of some changes to a queue changes nothing, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Request, Resources, State
from hpcshell.core.settings import Settings
from hpcshell.policy.choice import rights_of, sharing_of
from hpcshell.policy.formulas import ORDERS
from hpcshell.policy.snapshot import Snapshot, Standing, waiting_of

if TYPE_CHECKING:
    from hpcshell.sim.changes import Changes

Part = IndexSet | None
"""Elements of a job; None: all of it."""


def idle(changes: Changes, snapshot: Snapshot, site: Settings) -> Iterator[str]:
    """One sentence each. `site`: the settings that hold."""
    live = {one.job.id: one for one in snapshot.jobs}
    for number, part in changes.release.items():
        if not _held(live[number], part):
            yield f"--release changes nothing: job {number} is not held"
    for number, part in changes.hold.items():
        if live[number].job.held:
            yield f"--hold changes nothing: job {number} is held already"
        elif not _waits(live[number], part):
            yield f"--hold changes nothing: nothing of job {number} waits"
    for number, priority in changes.priority.items():
        if told := _idle_priority(live[number], priority, changes.order or site):
            yield f"--priority changes nothing: {told}"
    if changes.total is not None and not snapshot.left_out:
        yield from _idle_amounts(changes.total, changes, snapshot)


def _held(one: Standing, part: Part) -> bool:
    """Whether anything of it is held back."""
    tasks = (task for task in one.tasks if task.held)
    return bool(one.job.held) or any(part is None or task.index in part for task in tasks)


def _waits(one: Standing, part: Part) -> bool:
    """Whether any of these elements has yet to start."""
    waiting = waiting_of(one)
    if waiting if part is None else part.within(waiting):
        return True
    pending = (task.index for task in one.tasks if task.state is State.PENDING)
    return any(part is None or index in part for index in pending)


def _idle_priority(one: Standing, priority: int, settings: Settings) -> str:
    """Why another priority changes nothing; "": it may."""
    number, order = one.job.id, settings.scheduler.order
    if one.job.priority == priority:
        return f"job {number} has that priority already"
    if settings.scheduler.preempt_gap is not None or sharing_of(settings) is not None:
        return ""  # it may say who makes room
    if order in ORDERS:
        return f"the order {order} does not look at it"
    if rights_of(settings) is None and not _waits(one, None):
        return f"nothing of job {number} waits"
    return ""


def _idle_amounts(total: Resources, changes: Changes, snapshot: Snapshot) -> Iterator[str]:
    """What is added or removed that nobody asks for."""
    jobs = (*(one.job for one in snapshot.jobs), *changes.submit)
    own = (task.request for one in snapshot.jobs for task in one.tasks if task.request is not None)
    requests = [*(job.request for job in jobs), *own]
    before, after = _amounts(snapshot.total), _amounts(total)
    for name in after:
        more = after[name] - before.get(name, 0)
        if more and not any(_asks(request, name) for request in requests):
            option = "--add" if more > 0 else "--remove"
            yield f"{option} changes nothing: nothing asks for {name}"


def _amounts(total: Resources) -> dict[str, int]:
    return {"cpus": total.cpus, "memory": total.memory, "gpus": total.gpus, **total.others}


def _asks(request: Request, name: str) -> bool:
    counts = {
        "cpus": request.cpus,
        "memory": request.memory,
        "gpus": request.gpu_hundredths,
        **request.others,
    }
    return bool(counts.get(name))
