"""Whether a world keeps what its scheduler promises."""

from __future__ import annotations

from collections.abc import Callable

from hpcshell.policy.decide import forecast
from hpcshell.policy.view import Unit
from tests.policy.world import World


def run_as_promised(world: World, counts: Callable[[Unit], bool] = lambda unit: True) -> None:
    """Run it to its end: no element of those that count is ever promised less than it was before,
    and none starts later than that."""
    first: dict[Unit, float] = {}

    def look(world: World) -> None:
        plan = forecast(world.view, world.policy, world.now)
        world.view.keep(plan.promises, plan.spots)
        for unit, start in plan.promises.items():
            if counts(unit):
                assert start <= first.setdefault(unit, start)

    world.watch.append(look)
    world.run()
    assert all(world.starts[unit] <= start for unit, start in first.items())
