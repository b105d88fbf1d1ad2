"""Runs of a world that stand still and go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from hpcshell.core.lifecycle import Event, Kind, step
from hpcshell.policy.retry import End
from hpcshell.policy.view import Unit

if TYPE_CHECKING:
    from tests.policy.world import World


def end_later(world: World, run: int, end: End) -> None:
    """It ends at that time, unless something comes in between."""
    world.ends[run] = end

    def over() -> None:
        if world.ends.get(run) is end:
            world.end_run(run, end)

    world.at(end.time, over, order=0)


def suspend(world: World, run: int) -> None:
    """The run stands still; `wake` lets it go on in its turn."""
    claim = world.runs[run] = world.view.suspend(run, world.now)
    _step(world, (claim.job, claim.index), Kind.SUSPEND)
    end = world.ends[run]
    world.ends[run] = replace(end, time=end.time - world.now)


def wake(world: World, run: int) -> None:
    """It is to go on as soon as it may."""
    world.view.wake(run)
    claim = world.runs[run]
    _step(world, (claim.job, claim.index), Kind.WAKE)


def resume(world: World, run: int) -> None:
    """The run goes on."""
    world.resumed.append((world.now, world.runs[run].job, world.runs[run].index))
    claim = world.runs[run] = world.view.resume(run, world.now)
    _step(world, (claim.job, claim.index), Kind.RESUME)
    end = world.ends[run]
    end_later(world, run, replace(end, time=world.now + end.time))


def _step(world: World, unit: Unit, kind: Kind) -> None:
    world.tasks[unit] = step(world.tasks[unit], Event(kind=kind, time=world.now))
