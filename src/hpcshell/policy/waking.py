"""Suspended runs that are to go on: they stand in the line at the rank of their jobs.

What they lack is their cpus, for as long as they may still run. Everything else they hold already,
so an element that goes on stands before all of its job that has not begun.

They keep out of the way of what is promised an instant, as everything does, but not of what is
promised to start once runs without a known end are over (`NEVER`): that may be waiting for what
they hold, and then neither would ever come to an end.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hpcshell.core.records import Claim, Request
from hpcshell.policy.line import Shape
from hpcshell.policy.room import plus
from hpcshell.policy.view import Unit, View

LONG: Final = 1e15
"""Seconds for which a run without a time limit is taken to go on: for ever, but not at `NEVER`."""


class Sleeper(NamedTuple):
    """A suspended run in the line, or all of a gang. Sorts in the order they go; `shape` is what it
    lacks."""

    rank: float
    job: int
    element: int
    runs: tuple[int, ...]
    shape: Shape

    @property
    def unit(self) -> Unit:
        return (self.job, self.element)


def sleepers(view: View) -> list[Sleeper]:
    """All that are to go on, the first in line last."""
    groups: dict[object, list[int]] = {}
    for run in view.waking:
        job = view.queue.jobs[view.claims[run].job].job
        groups.setdefault(run if job.gang is None else (job.uid, job.gang.name), []).append(run)
    return sorted((_sleeper(view, runs) for runs in groups.values()), key=lambda one: one[:4])[::-1]


def any_may_go_on(view: View) -> bool:
    """Whether there is room for any of them."""
    return any(view.may_resume(run) for run in view.waking)


def _sleeper(view: View, runs: list[int]) -> Sleeper:
    """One run, or those of a gang, which go on together."""
    claims = [view.claims[run] for run in sorted(runs)]
    request = Request(
        cpus=sum(claim.cpus for claim in claims),
        exclusive=any(claim.exclusive for claim in claims),
        time_limit=max(map(_left, claims)),
    )
    need = view.room.to_go_on(claims[0].run)
    for claim in claims[1:]:
        need = plus(need, view.room.to_go_on(claim.run))
    key = tuple(claim.run for claim in claims)
    first = claims[0]
    entry, sharing = view.queue.jobs[first.job], view.queue.regime.sharing
    rank = entry.rank
    if sharing is not None and first.suspended is not None:
        rank = sharing.later(entry.job, rank, first.suspended)
    shape = Shape(key, request, request.time_limit)
    shape.need = need
    if (pool := view.pools.get(first.run, "")) in view.book.known:
        shape.pool = pool
    return Sleeper(rank, first.job, first.index, key, shape)


def _left(claim: Claim) -> float:
    """How long a suspended run may still run."""
    if claim.end is None or claim.suspended is None:
        return LONG
    return max(0.0, claim.end - claim.suspended)
