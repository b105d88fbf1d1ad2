"""What runs of jobs that name a model really used of their cards, kept for those that come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hpcshell.core.records import Job
from hpcshell.store.change import Change
from hpcshell.store.store import Store

if TYPE_CHECKING:
    from hpcshell.predict.models.measured import Measured

KEPT: Final = "model_runs"
MOST: Final = 2000
"""So many runs are kept in all, the latest."""


class ModelRuns:
    """Oldest first. Read when they are first asked for: few daemons ever need them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runs: list[Measured] | None = None

    @property
    def known(self) -> list[Measured]:
        """All of them."""
        if self._runs is None:
            self._runs = _decoded(self._store.kept(KEPT))
        return self._runs

    def add(self, job: Job, peak: int, change: Change) -> None:
        """A run of the job is over that held `peak` bytes at most, over all of its cards."""
        if job.model is None or not (peak and job.model.predicted):
            return
        from hpcshell.predict.models.measured import RECENT, measured_of

        new = measured_of(job.model, peak)
        alike = [one for one in self.known if _key(one) == _key(new)]
        dropped = {id(one) for one in alike[: max(0, len(alike) + 1 - RECENT)]}
        kept = [one for one in self.known if id(one) not in dropped]
        self._runs = [*kept, new][-MOST:]
        change.keep(KEPT, msgspec.json.encode(self._runs))


def _key(run: Measured) -> tuple[str, str, str]:
    return run.family, run.mode, run.dtype


def _decoded(kept: bytes | None) -> list[Measured]:
    """Nothing, where they cannot be read: estimates do without them."""
    from hpcshell.predict.models.measured import Measured

    try:
        return msgspec.json.decode(kept or b"[]", type=list[Measured])
    except msgspec.MsgspecError:
        return []
