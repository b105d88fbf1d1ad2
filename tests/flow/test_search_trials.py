"""The trials of a search, and the best of them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.flow.search.trials import (
    Trial,
    costs,
    dominates,
    latest,
    pareto,
    read_log,
    values_of,
    written,
)
from tests.flow.searches import a_search

NUMBERS = st.integers(-3, 3).map(float)
POINTS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=20)
TURNS = st.tuples(*2 * [st.sampled_from(["minimize", "maximize"])])


def complete(points: list[tuple[float, ...]]) -> list[Trial]:
    return [
        Trial(number=n, params={"x": n}, state="complete", values=values)
        for n, values in enumerate(points)
    ]


@given(POINTS, TURNS)
def test_the_front_holds_just_those_that_none_dominates(points: Any, directions: Any) -> None:
    spent = {n: costs(values, directions) for n, values in enumerate(points)}
    expected = [
        n for n, cost in spent.items() if not any(dominates(o, cost) for o in spent.values())
    ]
    assert [trial.number for trial in pareto(complete(points), directions)] == expected


@given(POINTS, TURNS, st.randoms())
def test_the_front_is_the_same_in_any_order(points: Any, directions: Any, chance: Any) -> None:
    trials = complete(points)
    shuffled = chance.sample(trials, len(trials))
    assert pareto(shuffled, directions) == pareto(trials, directions)


def test_of_one_metric_the_front_is_the_best_and_its_equals() -> None:
    front = pareto(complete([(2.0,), (1.0,), (3.0,), (1.0,)]), ("minimize",))
    assert [trial.number for trial in front] == [1, 3]


def test_only_complete_trials_without_nan_are_on_the_front() -> None:
    trials = [
        Trial(number=0, params={}, state="failed"),
        Trial(number=1, params={}, state="complete", values=(math.nan, 0.0)),
        Trial(number=2, params={}, state="complete", values=(5.0, 5.0)),
        Trial(number=3, params={}, state="running"),
    ]
    assert [trial.number for trial in pareto(trials, ("minimize", "minimize"))] == [2]


def test_what_was_written_last_counts() -> None:
    first = Trial(number=1, params={"x": 1})
    last = Trial(number=1, params={"x": 1}, state="complete", values=(0.5,))
    assert latest([first, Trial(number=0, params={}), last])[1] == last
    assert list(latest([first, Trial(number=0, params={})])) == [0, 1]


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"loss": 0.5, "size": 3, "other": 9.0}, (0.5, 3)),
        ({"loss": 0.5}, None),
        ({"loss": 0.5, "size": math.nan}, None),
        ({"loss": math.inf, "size": 3}, (math.inf, 3)),
    ],
)
def test_a_metric_that_is_missing_or_nan_is_no_result(metrics: Any, expected: Any) -> None:
    search = a_search(metrics=("loss", "size"), directions=("minimize", "minimize"))
    assert values_of(search, metrics) == expected


FLOATS = st.floats(allow_nan=False)
TRIALS = st.builds(
    Trial,
    number=st.integers(0, 99),
    params=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()),
    state=st.sampled_from(["running", "complete", "failed", "pruned"]),
    values=st.lists(FLOATS).map(tuple),
    reports=st.lists(st.tuples(FLOATS, FLOATS)).map(tuple),
)


@given(st.lists(TRIALS), TRIALS, st.data())
def test_a_log_is_read_as_it_was_written_but_for_a_last_line_that_broke_off(
    log: list[Trial], last: Trial, data: st.DataObject
) -> None:
    text = "".join(f"{written(trial)}\n" for trial in log)
    line = written(last)
    assert "\n" not in line
    assert read_log(text + line[: data.draw(st.integers(0, len(line)))]) == log


@pytest.mark.parametrize("line", ["{", "[]", '{"number": "x", "params": {}}', '{"number": 1}'])
def test_a_line_that_is_no_trial_is_named(line: str) -> None:
    with pytest.raises(Wrong) as refused:
        read_log(f"{written(Trial(number=0, params={}))}\n{line}\n")
    assert refused.value.message.startswith("line 2 of the log of trials is no trial: ")
