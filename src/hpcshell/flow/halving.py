"""Early stop: trials that do worse than others at the same step give their place to new ones.

Successive halving (Jamieson and Talwalkar, "Non-stochastic best arm identification and
hyperparameter optimization", AISTATS 2016) lets all trials of a group come to a rung and then
only the best 1 in `reduction` go on to the next one, which is `reduction` times as far. The
asynchronous one (Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht and Talwalkar, "A system for
massively parallel hyperparameter tuning", MLSys 2020, algorithm 2) waits for nobody: a trial is
held against those that have come to the rung so far. Theirs pauses trials and promotes some of
them later; a job cannot be paused for free, so ours goes on past a rung as long as it is among the
best there, and is stopped once it is not.

A rung lets max(1, floor(n / reduction)) of the n trials that came to it pass. Of equal ones the
earlier trial is the better one, so that the best at a rung is always one, and is never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from hpcshell.core.errors import Wrong
from hpcshell.flow.spec import Direction, EarlyStop

Reports = Mapping[int, Sequence[tuple[float, float]]]
"""What each trial has told so far, by its number: steps, and the value at each."""


def rungs(stop: EarlyStop) -> tuple[int, ...]:
    """The steps where trials are compared: `least`, then `reduction` times as far, below `most`.
    Raises `Wrong` where these are no ladder."""
    if stop.reduction < 2:
        raise Wrong(f"early_stop.reduction is {stop.reduction}", "make it 2 or more")
    if not 1 <= stop.least <= stop.most:
        shown = f"early_stop goes from {stop.least} to {stop.most}"
        raise Wrong(shown, "min is 1 or more, and max is not below it")
    found = []
    step = stop.least
    while step < stop.most:
        found.append(step)
        step *= stop.reduction
    return tuple(found)


def decide(
    stop: EarlyStop, direction: Direction, reports: Reports, ended: Collection[int]
) -> set[int]:
    """The numbers of the trials to stop now. `reports` has every trial, also those that told
    nothing yet; `ended`: those that run no more, whatever they came to.

    With `asha` a trial is judged at the furthest rung that it came to: nobody is stopped for a slow
    start that leads by now. Whom it stops has to be in `ended` from then on, as a rung becomes
    wider with many worse ones. With `halving` they are one group: a rung decides nothing before
    each that passed the last one has come to it or has ended, and then for good."""
    costs = [_at(rung, direction, reports) for rung in rungs(stop)]
    if stop.method == "asha":
        return _behind(costs, stop.reduction).difference(ended)
    return _beaten(costs, stop.reduction, set(reports), ended).difference(ended)


def _behind(costs: Sequence[Mapping[int, float]], reduction: int) -> set[int]:
    """Who is not among the best at the furthest rung that it came to."""
    lost: set[int] = set()
    for there in costs:
        lost = lost.difference(there) | _losers(there, reduction)
    return lost


def _beaten(
    costs: Sequence[Mapping[int, float]], reduction: int, group: set[int], ended: Collection[int]
) -> set[int]:
    """Who was not among the best at a complete rung, of those that had passed the ones before."""
    left = group
    for there in costs:
        if any(number not in there and number not in ended for number in left):
            break
        left = left - _losers({n: there[n] for n in left if n in there}, reduction)
    return group - left


def _losers(costs: Mapping[int, float], reduction: int) -> set[int]:
    order = sorted(costs, key=lambda number: (costs[number], number))
    return set(order[max(1, len(order) // reduction) :])


def _at(rung: int, direction: Direction, reports: Reports) -> dict[int, float]:
    """What each trial that came to a rung had there, less being better: its value at the first
    step from there on; of several at one step, the best."""
    sign = -1.0 if direction == "maximize" else 1.0
    found = {}
    for number, told in reports.items():
        there = [(step, sign * v) for step, v in told if step >= rung and not math.isnan(v)]
        if there:
            found[number] = min(there)[1]
    return found
