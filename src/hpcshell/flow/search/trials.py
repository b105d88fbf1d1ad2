"""The trials of a search, and which of them are the best."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from hpcshell.core.errors import Wrong
from hpcshell.core.records import Record
from hpcshell.flow.spec import Direction, Params, Search

State = Literal["running", "complete", "failed", "pruned"]
Report = tuple[float, float]
"""A step, and the value of the first metric there."""
Log = Iterable["Trial"]
"""Trials as they were written down; of several with one number the last one counts."""


class Trial(Record, frozen=True, kw_only=True):
    """One point of a search. `number`: from 0, in the order in which they were asked. `values`: one
    for each metric, once it is complete. `pruned`: ended early by its `reports`."""

    number: int
    params: Params
    state: State = "running"
    values: tuple[float, ...] = ()
    reports: tuple[Report, ...] = ()


def latest(log: Log) -> dict[int, Trial]:
    """Each trial as it stands, by its number, in the order of their numbers."""
    last = {trial.number: trial for trial in log}
    return {number: last[number] for number in sorted(last)}


def written(trial: Trial) -> str:
    """A trial as a line of the log: JSON, with Python's word for an infinite value."""
    return json.dumps(msgspec.to_builtins(trial))


def read_log(text: str) -> list[Trial]:
    """The trials of a log. A last line that was broken off is as if it had not been written; raises
    `Wrong` for any other that is no trial."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    return [_read(line, number) for number, line in enumerate(lines, 1) if line.strip()]


def _read(line: str, number: int) -> Trial:
    try:
        return msgspec.convert(json.loads(line), Trial)
    except (ValueError, msgspec.ValidationError) as bad:
        hint = "take the line out: its trial is then asked again"
        raise Wrong(f"line {number} of the log of trials is no trial: {bad}", hint) from None


def values_of(search: Search, metrics: Mapping[str, float]) -> tuple[float, ...] | None:
    """What a point measured, as a search is told it; None where a metric is missing or NaN."""
    found = tuple(metrics.get(name, math.nan) for name in search.metrics)
    return found if usable(search, found) else None


def usable(search: Search, values: Sequence[float] | None) -> bool:
    """Whether there is a number for each metric."""
    if values is None or len(values) != len(search.metrics):
        return False
    return not any(math.isnan(value) for value in values)


def costs(values: Sequence[float], directions: Sequence[Direction]) -> tuple[float, ...]:
    """The same values, each turned so that less is better."""
    pairs = zip(values, directions, strict=True)
    return tuple(-value if direction == "maximize" else value for value, direction in pairs)


def pareto(trials: Log, directions: Sequence[Direction]) -> tuple[Trial, ...]:
    """Those complete trials that no other is better than in one metric without being worse in
    another, in the order of their numbers. With one metric: the best, and its equals."""
    known = [
        (costs(trial.values, directions), trial)
        for trial in latest(trials).values()
        if trial.state == "complete" and not any(map(math.isnan, trial.values))
    ]
    front: list[tuple[tuple[float, ...], Trial]] = []
    for cost, trial in sorted(known, key=lambda pair: pair[0]):  # none is beaten by a later one
        if not any(dominates(better, cost) for better, _ in front):
            front.append((cost, trial))
    return tuple(sorted((trial for _, trial in front), key=lambda trial: trial.number))


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the costs `one` are nowhere more than `other`, and somewhere less."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
