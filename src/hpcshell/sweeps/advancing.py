"""The next step of a sweep: whoever takes it holds the lock, and it does not matter who does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from hpcshell.clusters.troubles import NotSetUp
from hpcshell.core.errors import HpcError, NotFound, Refused, Wrong
from hpcshell.core.records import Record
from hpcshell.flow.sharing import shares
from hpcshell.sweeps.disk import Unwritable
from hpcshell.sweeps.folder import Folder, Manifest, Row
from hpcshell.sweeps.ledger import Ledger, Taken, Target, Wanted
from hpcshell.sweeps.standing import LIVE, UNKNOWN, Standing
from hpcshell.sweeps.submitting import submit


class Step(Record, frozen=True, kw_only=True):
    """What was done: the batches that were taken, how many points wait here yet, and what went
    wrong. `busy`: a place that could take them later has some now. `hopeless`: nobody will ever
    take them."""

    taken: tuple[Taken, ...] = ()
    left: int = 0
    troubles: tuple[HpcError, ...] = ()
    busy: bool = False

    @property
    def hopeless(self) -> bool:
        final = all(isinstance(one, Wrong | Refused | NotFound | NotSetUp) for one in self.troubles)
        return bool(self.troubles) and final and not self.busy


class Advancing:
    """Takes steps of one sweep."""

    def __init__(self, folder: Folder, manifest: Manifest, ledger: Ledger) -> None:
        self.folder, self.manifest, self.ledger = folder, manifest, ledger

    def step(self, rows: Iterable[Row], standings: Iterable[Standing]) -> Step:
        """Submit as much of what is wanted as its places take now. Raises `Unwritable`."""
        busy = Counter(one.on for one in standings if one.state in (*LIVE, UNKNOWN))
        taken: list[Taken] = []
        troubles: list[HpcError] = []
        for wanted, some in self._orders(rows):
            for target, part in self._parts(wanted, some, busy):
                try:
                    taken.append(
                        submit(
                            self.folder,
                            self.manifest,
                            self.ledger,
                            part,
                            target,
                            attempt=wanted.attempt,
                        )
                    )
                    busy[target.on] += len(part)
                except Unwritable:
                    raise
                except HpcError as error:
                    troubles.append(error)
        return Step(
            taken=tuple(taken),
            left=len(self.ledger.wanted),
            troubles=tuple(troubles),
            busy=busy.total() > 0,
        )

    def _orders(self, rows: Iterable[Row]) -> list[tuple[Wanted, list[Row]]]:
        """What is to be submitted, by who wanted it."""
        found: dict[int, tuple[Wanted, list[Row]]] = {}
        for row in rows:
            wanted = self.ledger.wanted.get(row.id)
            if wanted is not None:
                found.setdefault(id(wanted), (wanted, []))[1].append(row)
        return list(found.values())

    def _parts(
        self, wanted: Wanted, rows: Sequence[Row], busy: Counter[str]
    ) -> Iterable[tuple[Target, Sequence[Row]]]:
        """Which of them each place gets now."""
        places = {target.on: busy[target.on] for target in wanted.targets}
        given = shares(len(rows), places, self._most(wanted))
        first = 0
        for target in wanted.targets:
            part = rows[first : first + given.get(target.on, 0)]
            first += len(part)
            if part:
                yield target, part

    def _most(self, wanted: Wanted) -> int | None:
        """Points in flight at once, where no array sees to that by itself."""
        alone = len(wanted.targets) == 1 and wanted.targets[0].shape == "array"
        return None if alone else self.manifest.spec.care.throttle
