"""What comes next in a search: how many to ask now, whom to stop, and when it is over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from hpcshell.core.records import Record
from hpcshell.flow.halving import decide
from hpcshell.flow.search.space import Space
from hpcshell.flow.search.trials import Log, State, Trial, latest
from hpcshell.flow.spec import Search

_WORDS: Final[Mapping[State, str]] = {
    "complete": "complete",
    "failed": "failed",
    "pruned": "stopped early",
}


class Next(Record, frozen=True, kw_only=True):
    """`ask`: how many trials to ask for now; `stop`: the numbers of those to end; `done`: the
    search is over; `why`: one sentence on all of it."""

    ask: int = 0
    stop: tuple[int, ...] = ()
    done: bool = False
    why: str = ""


def proceed(
    search: Search,
    log: Log,
    running: Collection[int],
    limit: int | None = None,
) -> Next:
    """`running`: the numbers of the trials that wait or run as jobs; `limit`: how many may at once,
    if that is less than the search's own `parallel`. A trial that is to be stopped has its place
    until it has ended."""
    trials = latest(log)
    total = Space(search).size(search.trials)
    left = max(0, total - len(trials))
    most = search.parallel if limit is None else min(search.parallel, limit)
    ask = max(0, min(left, most - len(running)))
    return Next(
        ask=ask,
        stop=_to_stop(search, trials, running) if not ask or _asynchronous(search) else (),
        done=not left and not running,
        why=_why(search, trials, total, len(running)),
    )


def _asynchronous(search: Search) -> bool:
    return search.early_stop is not None and search.early_stop.method == "asha"


def _to_stop(
    search: Search, trials: Mapping[int, Trial], running: Collection[int]
) -> tuple[int, ...]:
    """The numbers of running trials that do worse than others at the same step."""
    if search.early_stop is None:
        return ()
    stopped: set[int] = set()
    for group in _groups(search, list(trials)):
        reports = {number: trials[number].reports for number in group}
        ended = {number for number in group if trials[number].state != "running"}
        stopped |= decide(search.early_stop, search.directions[0], reports, ended)
    return tuple(sorted(stopped.intersection(running)))


def _groups(search: Search, numbers: list[int]) -> Iterator[list[int]]:
    """Who is compared with whom: all of them, or as many in a row as run at once. The last of these
    groups may be small: it is all there if nobody can be asked now."""
    size = len(numbers) if _asynchronous(search) else search.parallel
    for first in range(0, len(numbers), max(1, size)):
        yield numbers[first : first + size]


def _why(search: Search, trials: Mapping[int, Trial], total: int, running: int) -> str:
    ended = [trial.state for trial in trials.values()]
    told = [f"{ended.count(state)} {word}" for state, word in _WORDS.items() if state in ended]
    if running:
        told.append(f"{running} running")
    counts = f": {', '.join(told)}" if told else ""
    if len(trials) < total:
        return f"{len(trials)} of {total} trials were asked for{counts}"
    if total < search.trials:
        return f"all {total} points that the search can have were tried{counts}"
    return f"all {total} trials were asked for{counts}"
