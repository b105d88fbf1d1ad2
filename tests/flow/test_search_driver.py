"""How many to ask now, whom to stop, and when a search is over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.search.driver import Next, proceed
from hpcshell.flow.search.trials import State, Trial
from hpcshell.flow.spec import EarlyStop, Search
from tests.flow.searches import a_search, choice, whole

STATES = st.lists(st.sampled_from(["running", "complete", "failed", "pruned"]), max_size=12)
STOP = EarlyStop(method="asha", least=1, most=9, reduction=3)


def trials(*states: State, reports: Any = ()) -> list[Trial]:
    told = [*reports, *[()] * len(states)]
    return [
        Trial(
            number=n,
            params={"x": n},
            state=state,
            values=(1.0,) if state == "complete" else (),
            reports=told[n],
        )
        for n, state in enumerate(states)
    ]


def after(search: Search, log: list[Trial], limit: int | None = None) -> Next:
    running = [trial.number for trial in log if trial.state == "running"]
    return proceed(search, log, running, limit)


@given(STATES, st.integers(1, 6), st.integers(1, 15), st.none() | st.integers(0, 8))
def test_no_more_run_than_may_and_no_more_than_are_wanted(
    states: Any, parallel: int, wanted: int, limit: int | None
) -> None:
    log = trials(*states)
    then = after(a_search(trials=wanted, parallel=parallel), log, limit)
    running = states.count("running")
    most = parallel if limit is None else min(parallel, limit)
    assert then.ask >= 0
    assert not then.ask or running + then.ask <= most
    assert not then.ask or len(log) + then.ask <= wanted
    assert then.done == (len(log) >= wanted and not running)
    assert not (then.done and then.ask)


@given(STATES, st.integers(1, 6), st.integers(1, 15))
def test_a_search_that_is_not_over_has_something_running_or_to_ask(
    states: Any, parallel: int, wanted: int
) -> None:
    then = after(a_search(trials=wanted, parallel=parallel), trials(*states))
    assert then.done or then.ask or "running" in states


def test_a_search_begins_with_as_many_as_may_run_at_once() -> None:
    then = after(a_search(trials=50, parallel=4), [])
    assert then == Next(ask=4, why="0 of 50 trials were asked for")


def test_a_limit_of_the_moment_counts_where_it_is_less() -> None:
    assert after(a_search(parallel=4), [], limit=2).ask == 2
    assert after(a_search(parallel=4), [], limit=9).ask == 4
    assert after(a_search(parallel=4), [], limit=0).ask == 0


def test_it_says_how_the_trials_stand() -> None:
    log = trials("complete", "complete", "failed", "pruned", "running")
    why = after(a_search(trials=5), log).why
    assert why == "all 5 trials were asked for: 2 complete, 1 failed, 1 stopped early, 1 running"


@pytest.mark.parametrize("left", [0, 2])
def test_a_space_that_is_exhausted_ends_the_search_with_a_sentence(left: int) -> None:
    search = a_search(parameters={"a": choice("x", "y"), "b": whole(1, 3)}, trials=50, parallel=4)
    tried: list[State] = ["complete"] * (6 - left)
    then = after(search, trials(*tried))
    assert (then.ask, then.done) == (left, not left)
    if not left:
        assert then.why == "all 6 points that the search can have were tried: 6 complete"


def test_what_does_worse_than_others_is_stopped_and_its_place_is_free_once_it_ended() -> None:
    search = a_search(trials=9, parallel=3, early_stop=STOP)
    reports = [((1, 0.1),), ((1, 0.5),), ((1, 0.9),)]
    then = after(search, trials("running", "running", "running", reports=reports))
    assert (then.ask, then.stop) == (0, (1, 2))
    then = after(search, trials("running", "pruned", "pruned", reports=reports))
    assert (then.ask, then.stop) == (2, ())


def test_the_direction_of_the_metric_counts() -> None:
    search = a_search(trials=9, parallel=2, early_stop=STOP, directions=("maximize",))
    log = trials("running", "running", reports=[((1, 0.1),), ((1, 0.5),)])
    assert after(search, log).stop == (0,)


def test_only_jobs_that_are_there_are_stopped() -> None:
    search = a_search(trials=9, parallel=2, early_stop=STOP)
    log = trials("running", "running", reports=[((1, 0.1),), ((1, 0.5),)])
    assert proceed(search, log, {0}, None).stop == ()


def test_a_group_is_those_that_run_side_by_side() -> None:
    stop = EarlyStop(method="halving", least=1, most=9, reduction=2)
    search = a_search(trials=4, parallel=2, early_stop=stop)
    reports = [((1, 0.1),), ((1, 0.2),), ((1, 0.8),), ((1, 0.9),)]
    states: list[State] = ["running"] * 4
    assert after(search, trials(*states, reports=reports)).stop == (1, 3)


def test_a_group_that_is_still_to_be_filled_decides_nothing() -> None:
    stop = EarlyStop(method="halving", least=1, most=9, reduction=2)
    search = a_search(trials=9, parallel=3, early_stop=stop)
    log = trials("running", "running", reports=[((1, 0.1),), ((1, 0.2),)])
    assert (after(search, log).ask, after(search, log).stop) == (1, ())
    assert (after(search, log, limit=2).ask, after(search, log, limit=2).stop) == (0, (1,))
