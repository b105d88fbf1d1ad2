"""Suspended runs that are to go on: they stand in the line at the rank of their jobs.

What they lack is their cpus, for as long as they may still run. Everything else they hold already,
so an element that goes on stands before all of its job that has not begun.

They keep out of the way of what is promised an instant, as everything does, but not of what is
promised to start once runs without a known end are over (`NEVER`): that may be waiting for what
they hold, and then neither would ever come to an end.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hpcshell.core.records import Request
from hpcshell.policy.line import Shape
from hpcshell.policy.view import Unit, View

LONG: Final = 1e15
"""Seconds for which a run without a time limit is taken to go on: for ever, but not at `NEVER`."""


class Sleeper(NamedTuple):
    """A suspended run in the line. Sorts in the order they go; `shape` is what it lacks."""

    rank: float
    job: int
    element: int
    run: int
    shape: Shape

    @property
    def unit(self) -> Unit:
        return (self.job, self.element)


def sleepers(view: View) -> list[Sleeper]:
    """All that are to go on, the first in line last."""
    return sorted((_sleeper(view, run) for run in view.waking), key=lambda one: one[:4])[::-1]


def any_may_go_on(view: View) -> bool:
    """Whether there is room for any of them."""
    return any(view.may_resume(run) for run in view.waking)


def _sleeper(view: View, run: int) -> Sleeper:
    claim = view.claims[run]
    left = LONG
    if claim.end is not None and claim.suspended is not None:
        left = max(0.0, claim.end - claim.suspended)
    request = Request(cpus=claim.cpus, exclusive=claim.exclusive, time_limit=left)
    shape = Shape(run, request, view.room.to_go_on(run), left)
    if (pool := view.pools.get(run, "")) in view.book.known:
        shape.pool = pool
    return Sleeper(view.queue.jobs[claim.job].rank, claim.job, claim.index, run, shape)
