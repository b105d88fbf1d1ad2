"""Asks for trials and is told what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from hpcshell.core.errors import Refused
from hpcshell.flow.identity import canonical
from hpcshell.flow.search.checks import check
from hpcshell.flow.search.space import Space, seed_of
from hpcshell.flow.search.trials import Log, Report, State, Trial, latest, usable
from hpcshell.flow.spec import Params, Search

if TYPE_CHECKING:
    from hpcshell.flow.search.studies import Proposer

ATTEMPTS: Final = 10
"""How often a method may name a point that was there before, until the next free one is taken."""


class Searcher:
    """The trials so far. What it asks next follows from them and from the seed of the search alone,
    so that one made from the same log asks the same."""

    def __init__(self, search: Search, log: Log) -> None:
        self.search = search
        self._space = Space(search)
        self._trials = {n: _sound(search, trial) for n, trial in latest(log).items()}

    @property
    def trials(self) -> Mapping[int, Trial]:
        """Each trial as it stands, by its number, in the order of their numbers."""
        return self._trials

    def ask(self, count: int) -> list[Trial]:
        """New trials, all of them running from now on; fewer, where no untried point is left. No
        point is asked twice, whatever became of it."""
        asked: list[Trial] = []
        while len(asked) < count:
            number = max(self._trials, default=-1) + 1
            chosen = self._propose(number)
            if chosen is None:
                break
            trial = Trial(number=number, params=self._space.whole(chosen))
            self._trials[number] = trial
            asked.append(trial)
        return asked

    def tell(
        self,
        number: int,
        values: Sequence[float] | None,
        *,
        pruned: bool = False,
        reports: Sequence[Report] = (),
    ) -> Trial:
        """What became of a trial. None, NaN, or not one value for each metric: it failed, unless it
        was `pruned`, and then its `reports` count."""
        state: State = "pruned" if pruned else "complete"
        told = Trial(
            number=number,
            params=self._trials[number].params,
            state=state,
            values=() if pruned or values is None else tuple(values),
            reports=tuple(reports) or self._trials[number].reports,
        )
        self._trials[number] = _sound(self.search, told)
        return self._trials[number]

    def _propose(self, number: int) -> Params | None:
        tried = {canonical(trial.params) for trial in self._trials.values()}
        proposer = self._proposer()
        for attempt in range(ATTEMPTS):
            chosen = proposer.draw(seed_of(self.search.seed, number, attempt))
            if canonical(self._space.whole(chosen)) not in tried:
                return chosen
        return self._space.untried(tried, seed_of(self.search.seed, number))

    def _proposer(self) -> Proposer:
        from hpcshell.flow.search.studies import Proposer

        return Proposer(self.search, self._space, list(self._trials.values()))


def searcher(search: Search, log: Log) -> Searcher:
    """One that goes on from what the log holds. Raises `Wrong` where the search cannot be made,
    and `Refused` where what it needs is not installed."""
    check(search)
    try:
        import optuna as optuna

        if search.method == "cmaes":
            import cmaes as cmaes
    except ImportError as missing:
        hint = 'pip install "hpcshell[sweep]"'
        raise Refused(f"a search needs the package {missing.name}", hint) from None
    return Searcher(search, log)


def _sound(search: Search, trial: Trial) -> Trial:
    """A trial that is complete without a number for each metric has failed."""
    if trial.state != "complete" or usable(search, trial.values):
        return trial
    return replace(trial, state="failed", values=())
