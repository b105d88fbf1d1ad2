"""Trials that do worse than others at the same step are stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.flow.halving import decide, rungs
from hpcshell.flow.spec import Direction, EarlyStop
from tests.flow.curves import Race

Told = Mapping[int, Sequence[tuple[float, float]]]

STEPS = st.integers(0, 30)
CURVE = st.dictionaries(STEPS, st.integers(-5, 5).map(float), max_size=8)
REPORTS = st.dictionaries(st.integers(0, 30), CURVE.map(lambda curve: tuple(curve.items())))
STOPS = st.builds(
    EarlyStop,
    method=st.sampled_from(["asha", "halving"]),
    least=st.integers(1, 3),
    most=st.integers(3, 30),
    reduction=st.integers(2, 4),
)
DIRECTIONS = st.sampled_from(["minimize", "maximize"])


def at(rung: int, told: Sequence[tuple[float, float]]) -> float | None:
    """What a trial had at the first step from the rung on."""
    later = sorted((step, value) for step, value in told if step >= rung)
    return later[0][1] if later else None


@pytest.mark.parametrize(
    ("least", "most", "reduction", "expected"),
    [(1, 81, 3, (1, 3, 9, 27)), (2, 9, 2, (2, 4, 8)), (5, 5, 3, ()), (1, 2, 4, (1,))],
)
def test_rungs_are_a_reduction_apart_and_below_the_most(
    least: int, most: int, reduction: int, expected: tuple[int, ...]
) -> None:
    assert rungs(EarlyStop(least=least, most=most, reduction=reduction)) == expected


@pytest.mark.parametrize("fields", [{"reduction": 1}, {"least": 0}, {"least": 9, "most": 8}])
def test_what_is_no_ladder_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Wrong):
        rungs(EarlyStop(**fields))


@given(STOPS, DIRECTIONS, REPORTS)
def test_the_best_at_the_furthest_rung_is_never_stopped(
    stop: EarlyStop, direction: Any, reports: Told
) -> None:
    stopped = decide(stop, direction, reports, ())
    left = [number for number in reports if number not in stopped]
    assert bool(left) == bool(reports)
    if stop.method == "halving":
        return
    for rung in rungs(stop):
        there = {n: value for n, told in reports.items() if (value := at(rung, told)) is not None}
        best = min if direction == "minimize" else max
        leaders = [n for n, value in there.items() if value == best(there.values())]
        ahead = [r for r in rungs(stop) if r > rung]
        furthest = [n for n in leaders if all(at(r, reports[n]) is None for r in ahead)]
        if leaders and min(leaders) in furthest:
            assert min(leaders) not in stopped


@given(STOPS, DIRECTIONS, REPORTS)
def test_the_best_at_the_first_rung_passes_it(
    stop: EarlyStop, direction: Any, reports: Told
) -> None:
    first = {n: told[:1] for n, told in reports.items() if told and told[0][0] >= stop.least}
    once = EarlyStop(method=stop.method, least=stop.least, most=stop.least + 1)
    stopped = decide(once, direction, first, ())
    best = min if direction == "minimize" else max
    if first:
        leader = best(value for ((_, value),) in first.values())
        assert min(n for n, ((_, value),) in first.items() if value == leader) not in stopped


@given(STOPS, DIRECTIONS, REPORTS, st.data())
def test_order_repetition_and_nan_change_nothing(
    stop: EarlyStop, direction: Any, reports: Told, data: st.DataObject
) -> None:
    noisy = {}
    for number in data.draw(st.permutations(sorted(reports))):
        told = [*reports[number], *reports[number], *((step, math.nan) for step in range(30))]
        noisy[number] = data.draw(st.permutations(told))
    assert decide(stop, direction, noisy, ()) == decide(stop, direction, reports, ())


@given(STOPS, DIRECTIONS, REPORTS, st.sets(st.integers(0, 30)))
def test_only_those_are_stopped_that_run(
    stop: EarlyStop, direction: Any, reports: Told, ended: set[int]
) -> None:
    stopped = decide(stop, direction, reports, ended)
    assert stopped <= set(reports) - ended
    assert decide(stop, direction, reports, ended) == stopped


@given(STOPS, DIRECTIONS, REPORTS)
def test_to_ask_for_more_is_to_ask_for_less_of_its_opposite(
    stop: EarlyStop, direction: Any, reports: Told
) -> None:
    turned = {n: [(step, -value) for step, value in told] for n, told in reports.items()}
    other: Direction = "maximize" if direction == "minimize" else "minimize"
    assert decide(stop, other, turned, ()) == decide(stop, direction, reports, ())


@given(STOPS, DIRECTIONS, REPORTS, st.data())
def test_who_is_stopped_stays_stopped_whatever_is_reported_short_of_a_new_rung(
    stop: EarlyStop, direction: Any, reports: Told, data: st.DataObject
) -> None:
    stopped = decide(stop, direction, reports, ())
    more = {}
    for number, told in reports.items():
        furthest = max((int(step) for step, _ in told), default=0)
        ahead = [rung for rung in rungs(stop) if rung > furthest]
        ceiling = min(ahead, default=100)
        extra = st.tuples(st.integers(furthest + 1, 100), st.integers(-9, 9).map(float))
        added = [report for report in data.draw(st.lists(extra)) if report[0] < ceiling]
        more[number] = [*told, *added]
    assert decide(stop, direction, more, ()) == stopped


@given(STOPS, DIRECTIONS, REPORTS, st.data())
def test_who_lost_in_a_group_has_lost_whatever_comes(
    stop: EarlyStop, direction: Any, reports: Told, data: st.DataObject
) -> None:
    group = EarlyStop(method="halving", least=stop.least, most=stop.most, reduction=stop.reduction)
    later = st.lists(st.tuples(st.integers(31, 90), st.integers(-9, 9).map(float)))
    more = {number: [*told, *data.draw(later)] for number, told in reports.items()}
    assert decide(group, direction, reports, ()) <= decide(group, direction, more, ())


@given(st.integers(1, 40), st.integers(2, 5), st.randoms())
def test_at_most_one_in_so_many_passes_a_complete_rung_of_a_group(
    size: int, reduction: int, chance: Any
) -> None:
    stop = EarlyStop(method="halving", least=1, most=2, reduction=reduction)
    reports = {number: [(1, chance.random())] for number in range(size)}
    left = size - len(decide(stop, "minimize", reports, ()))
    assert left == max(1, size // reduction)


def test_a_group_waits_for_all_who_have_not_ended() -> None:
    stop = EarlyStop(method="halving", least=1, most=9, reduction=3)
    reports: Told = {0: [(1, 0.1)], 1: [(1, 0.2)], 2: []}
    assert decide(stop, "minimize", reports, ()) == set()
    assert decide(stop, "minimize", reports, {2}) == {1}


def test_without_a_group_nobody_waits() -> None:
    stop = EarlyStop(method="asha", least=1, most=9, reduction=3)
    assert decide(stop, "minimize", {0: [(1, 0.1)], 1: [(1, 0.2)], 2: []}, ()) == {1}
    assert decide(stop, "maximize", {0: [(1, 0.1)], 1: [(1, 0.2)], 2: []}, ()) == {0}


def test_who_leads_far_out_is_not_stopped_for_a_slow_start() -> None:
    stop = EarlyStop(method="asha", least=1, most=27, reduction=3)
    late: dict[int, Sequence[tuple[float, float]]] = {n: [(1, 0.1)] for n in range(1, 9)}
    assert 0 not in decide(stop, "minimize", {0: [(1, 0.9), (3, 0.5), (9, 0.2)], **late}, ())


def test_a_trial_that_skips_a_step_is_judged_by_its_next_one() -> None:
    stop = EarlyStop(method="asha", least=2, most=9, reduction=3)
    assert decide(stop, "minimize", {0: [(1, 0.0), (3, 0.5)], 1: [(2, 0.4)]}, ()) == {0}


@pytest.mark.parametrize("method", ["asha", "halving"])
@pytest.mark.parametrize("seed", range(5))
def test_a_good_configuration_is_found_in_less_than_half_of_the_steps(
    method: Any, seed: int
) -> None:
    race = Race(EarlyStop(method=method, least=1, most=81, reduction=3), trials=81, seed=seed)
    race.run(parallel=9)
    assert race.steps_spent < race.steps_of_all / 2
    assert race.best_found() <= race.best_of_all() + 0.05
