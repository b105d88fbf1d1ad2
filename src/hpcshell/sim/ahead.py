"""The live queue played forward for who asks when something starts (`policy.ahead`).

    ahead = Ahead(take, enough)
    ahead.starts(unit).start

It is played on only as far as is asked for, and once for all that ask.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from msgspec.structs import replace

from hpcshell.core.records import Job
from hpcshell.policy.ahead import Played
from hpcshell.policy.regime import Regime
from hpcshell.policy.snapshot import Snapshot, regime_of
from hpcshell.policy.view import Unit
from hpcshell.predict.named import taught
from hpcshell.sim.forward import Forward
from hpcshell.sim.lengths import Lengths, part_of_limit

Taken = Callable[[], Snapshot]
"""What is played: asked for once, when there is need."""
NO_TIME = "there was no more time for it"


def regime_taken(snapshot: Snapshot) -> Regime:
    """The regime of a snapshot, with all that has been learnt of run times."""
    settings = snapshot.settings
    name = "request" if settings is None else settings.scheduler.predict
    return regime_of(snapshot, taught(name, snapshot.learnt))


class Ahead:
    """See the module. `enough` says when the time for all of it is used up."""

    def __init__(
        self,
        take: Taken,
        enough: Callable[[], bool],
        regime: Callable[[Snapshot], Regime] = regime_taken,
    ) -> None:
        self._take = take
        self._regime = regime
        self._enough = enough
        self._snapshot: Snapshot | None = None
        self._played: dict[bool, Forward] = {}

    def starts(self, unit: Unit, *, expected: bool = False) -> Played:
        """As `policy.ahead.Ahead` says."""
        if expected not in self._played:
            self._played[expected] = self._forward(expected)
        return self._until(self._played[expected], unit)

    def starts_as(self, job: Job, unit: Unit) -> Played:
        """As `policy.ahead.Ahead` says."""
        forward = self._forward(expected=False)
        if job.id in forward.jobs:
            forward.change(job)
        return self._until(forward, unit)

    def _forward(self, expected: bool) -> Forward:
        if self._snapshot is None:
            self._snapshot = self._take()
        regime = self._regime(self._snapshot)
        lengths = _expected(regime) if expected else part_of_limit(1.0, inf)
        return Forward(self._snapshot, lengths, regime)

    def _until(self, forward: Forward, unit: Unit) -> Played:
        """Play until the element has started, or is over without."""
        if unit[0] not in forward.jobs:
            return Played(None, f"only the first {len(forward.jobs):,} jobs in line are looked at")

        def told() -> bool:
            return unit in forward.starts or unit in forward.resumed or unit[0] in forward.ends

        if not told():
            forward.play(inf, lambda: told() or self._enough())
        start = forward.starts.get(unit, forward.resumed.get(unit))
        if start is None and not told() and forward.cut:
            return Played(None, NO_TIME)
        left_out = self._snapshot is not None and self._snapshot.left_out
        return Played(start, of=len(forward.jobs) if left_out else 0)


def _expected(regime: Regime) -> Lengths:
    """Every run takes as long as is expected when it begins."""

    def length(job: Job, cpus: int, limit: float | None) -> float:
        found = regime.foresight.length(job, replace(job.request, time_limit=limit))
        return inf if found is None else found

    return length
