"""What the parameters of a search can be, and what can never be searched."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.flow.identity import canonical
from hpcshell.flow.search.checks import check
from hpcshell.flow.search.space import Space, between, count, fraction, holds, on_grid
from hpcshell.flow.spec import Dist, EarlyStop, Params, Search
from tests.flow.searches import SPACE, WHEN, a_search, choice, uniform, whole

DISTS = st.sampled_from(
    [
        uniform(-2.0, 3.0),
        Dist(kind="loguniform", low=1e-6, high=10.0),
        Dist(kind="quniform", low=0.1, high=0.7, step=0.1),
        Dist(kind="quniform", low=0.0, high=1.0, step=1 / 3),
        whole(-4, 9),
        whole(1, 1000, log=True),
        whole(0, 10, step=3),
        whole(0, 10**15),
    ]
)


@given(DISTS, st.floats(0, 1))
def test_every_fraction_is_a_value_of_the_range(dist: Dist, part: float) -> None:
    value = between(dist, part)
    assert holds(dist, value)
    assert 0 <= fraction(dist, value) <= 1
    assert between(dist, fraction(dist, value)) == pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("dist", "value", "held"),
    [
        (uniform(0.0, 1.0), 1, True),
        (uniform(0.0, 1.0), 1.01, False),
        (uniform(0.0, 1.0), True, False),
        (uniform(0.0, 1.0), "0.5", False),
        (whole(0, 10, step=3), 9, True),
        (whole(0, 10, step=3), 10, False),
        (whole(0, 10), 2.0, False),
        (Dist(kind="quniform", low=0.1, high=0.7, step=0.1), 0.1 + 0.1 + 0.1, True),
        (choice(1, "a", [1, 2]), [1, 2], True),
        (choice(1, "a", [1, 2]), True, False),
    ],
)
def test_what_a_parameter_can_be(dist: Dist, value: Any, held: bool) -> None:
    assert holds(dist, value) is held


@given(st.integers(-50, 50), st.integers(1, 500), st.integers(0, 40))
def test_steps_are_the_decimals_that_a_person_would_write(low: int, step: int, at: int) -> None:
    dist = Dist(kind="quniform", low=low / 100, high=1000.0, step=step / 100)
    assert on_grid(dist, dist.low + at * dist.step) == (low + at * step) / 100


def finite(**more: Any) -> Search:
    parameters = {
        "opt": choice("sgd", "adam", "sgd"),
        "beta": whole(1, 3),
        "n": whole(0, 9, step=4),
    }
    return a_search(parameters=parameters, when={"beta": "opt == 'adam'"}, **more)


def every_point() -> list[Params]:
    return [
        {"opt": opt, **({"beta": beta} if beta else {}), "n": n}
        for (opt, beta), n in product(
            [("sgd", 0), ("adam", 1), ("adam", 2), ("adam", 3)], [0, 4, 8]
        )
    ]


def test_points_that_a_condition_makes_equal_are_counted_once() -> None:
    assert Space(finite()).size(1000) == len(every_point()) == 12
    assert Space(finite()).size(5) == 5


def test_a_range_without_steps_has_no_end() -> None:
    assert Space(a_search()).size(200) == 200
    assert count(uniform(0.0, 1.0)) == 0
    assert count(uniform(0.5, 0.5)) == 1


def test_a_large_space_is_counted_without_walking_it() -> None:
    wide = {"a": whole(1, 10**9), "b": whole(1, 10**9)}
    assert Space(a_search(parameters=wide)).size(10**12) == 10**12
    narrow = {"a": whole(1, 1000), "b": whole(1, 1000, step=2)}
    assert Space(a_search(parameters=narrow)).size(10**12) == 500_000


def test_a_range_that_only_some_points_have_makes_a_space_endless_only_with_those() -> None:
    for word, expected in (("b", 100), ("c", 2)):
        parameters = {"opt": choice("a", "b"), "x": uniform(0, 1)}
        search = a_search(parameters=parameters, when={"x": f"opt == '{word}'"})
        assert Space(search).size(100) == expected


@given(st.sets(st.integers(0, 11)), st.integers(0, 2**32 - 1))
def test_an_untried_point_is_found_as_long_as_there_is_one(tried: set[int], seed: int) -> None:
    points = every_point()
    found = Space(finite()).untried({canonical(points[n]) for n in tried}, seed)
    left = [point for n, point in enumerate(points) if n not in tried]
    assert found in left if left else found is None


@given(st.integers(0, 2**32 - 1))
def test_in_a_space_without_end_one_is_always_found(seed: int) -> None:
    search = a_search(
        parameters={"opt": choice("a", "b"), "x": uniform(0, 1)}, when={"x": "opt == 'b'"}
    )
    tried: set[bytes] = set()
    for _ in range(20):
        found = Space(search).untried(tried, seed)
        assert found is not None
        tried.add(canonical(found))
    assert len(tried) == 20


def test_constants_do_not_hide_what_was_tried() -> None:
    search = finite(constants={"epochs": 3})
    tried = {canonical({"epochs": 3, **point}) for point in every_point()}
    assert Space(search).untried(tried, 1) is None


def test_every_kind_of_parameter_can_be_searched() -> None:
    for method in ("tpe", "cmaes", "nsga2", "random"):
        check(a_search(method))


NORMAL = Dist(kind="normal", low=1.0, high=0.5)
LOGNORMAL = Dist(kind="lognormal", low=0.0, high=1.0)


@pytest.mark.parametrize(
    ("dist", "message", "hint"),
    [
        (NORMAL, "normal has none", "uniform: [0, 2]"),
        (LOGNORMAL, "lognormal has none", "loguniform: [0.135335, 7.38906]"),
        (Dist(kind="beta", low=0, high=1), "does not know beta", "uniform"),
        (choice(), "nothing to choose", "choices"),
        (Dist(kind="choice", choices=(1, 2), weights=(0.5, 0.5)), "no weights", "leave them out"),
        (uniform(2, 1), "[2, 1] is no range", "lowest"),
        (uniform(0, math.inf), "is no range", "lowest"),
        (uniform(math.nan, 1), "is no range", "lowest"),
        (uniform(-1e308, 1e308), "is too wide", "together"),
        (Dist(kind="quniform", low=0, high=1e9, step=1e-9), "is too wide", "step"),
        (Dist(kind="loguniform", low=0, high=1), "no logarithm", "above 0"),
        (whole(0, 9, log=True), "no logarithm", "above 0"),
        (whole(1, 9, log=True, step=2), "no steps", "step"),
        (Dist(kind="int", low=0.5, high=3), "no whole number", "uniform"),
        (Dist(kind="int", low=0, high=3, step=0.5), "0.5 is no step", "above 0"),
        (Dist(kind="quniform", low=0, high=3, step=-1), "-1 is no step", "above 0"),
        (Dist(kind="quniform", low=0, high=3), "needs a step", "quniform"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_what_to_do(
    dist: Dist, message: str, hint: str
) -> None:
    with pytest.raises(Wrong) as refused:
        check(a_search(parameters={"x": dist}))
    assert refused.value.message.startswith("search.parameters.x: ")
    assert message in refused.value.message
    assert hint in (refused.value.hint or "")


TWO: dict[str, Any] = {"metrics": ("a", "b"), "directions": ("minimize", "maximize")}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parameters": {}}, "no parameters"),
        ({"when": {"lr": "beta > 0"}, "parameters": SPACE}, "no parameter is called 'beta'"),
        ({"metrics": ()}, "no metric"),
        ({"metrics": ("a", "b")}, "2 metrics and 1 directions"),
        ({"early_stop": EarlyStop(), **TWO}, "the search has several"),
        ({"early_stop": EarlyStop(reduction=1)}, "reduction is 1"),
        ({"method": "cmaes", **TWO}, "cmaes has one metric"),
        ({"method": "cmaes", "parameters": {"x": SPACE["lr"]}}, "two or more parameters"),
    ],
)
def test_a_search_that_contradicts_itself_is_refused(fields: Any, message: str) -> None:
    with pytest.raises(Wrong) as refused:
        check(a_search(**fields))
    assert message in refused.value.message
    assert refused.value.hint


def test_what_has_a_condition_is_no_dimension_of_cmaes() -> None:
    parameters = {"opt": choice("a", "adam"), "x": uniform(0, 1), "y": uniform(0, 1)}
    with pytest.raises(Wrong):
        check(a_search("cmaes", parameters=parameters, when={"y": WHEN["beta"]}))
