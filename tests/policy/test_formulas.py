"""Scores: numbers whatever the figures, what each puts first, and the printed formulas."""

from __future__ import annotations

import inspect
from math import isnan, log2, log10, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.policy import formulas
from hpcshell.policy.formulas import ORDERS, Order

every_order = pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)

runs = st.just(0.0) | st.floats(0.0, 1e12)
procs = st.floats(0.0, 1e12)
instants = st.floats(-1e12, 1e12)
waits = st.floats(-1e12, 1e12)
whole = st.integers(1, 10**6).map(float)


@every_order
@given(run=runs, width=procs, submit=instants, wait=waits)
def test_a_score_is_always_a_number(
    order: Order, run: float, width: float, submit: float, wait: float
) -> None:
    score = order.score(run, width, submit, wait)
    assert isinstance(score, float)
    assert not isnan(score)


@every_order
@given(run=whole, width=whole, submit=whole, one=waits, other=waits)
def test_a_score_changes_with_waiting_only_where_the_table_says_so(
    order: Order, run: float, width: float, submit: float, one: float, other: float
) -> None:
    if not order.ages:
        assert order.score(run, width, submit, one) == order.score(run, width, submit, other)


@every_order
def test_a_score_that_ages_does_change(order: Order) -> None:
    assert order.ages == (order.score(60.0, 4.0, 9.0, 1.0) != order.score(60.0, 4.0, 9.0, 100.0))


@pytest.mark.parametrize("name", ["wfp3", "unicef", "lexp"])
@given(run=whole, width=whole, wait=whole, more=whole)
def test_where_waiting_counts_for_a_job_more_of_it_never_puts_it_back(
    name: str, run: float, width: float, wait: float, more: float
) -> None:
    score = ORDERS[name].score
    assert score(run, width, 0.0, wait + more) <= score(run, width, 0.0, wait)


@pytest.mark.parametrize("name", ["f1", "f2", "f3", "f4", "sjf", "saf"])
@given(run=whole, width=whole, submit=whole, more=whole)
def test_the_shorter_the_earlier(
    name: str, run: float, width: float, submit: float, more: float
) -> None:
    score = ORDERS[name].score
    assert score(run, width, submit, 0.0) <= score(run + more, width, submit, 0.0)


@given(run=whole, width=whole, submit=whole, wait=whole)
def test_the_formulas_are_those_of_the_papers(
    run: float, width: float, submit: float, wait: float
) -> None:
    r, n, s, w = run, width + 1, submit, wait
    printed = {
        "fifo": s,
        "sjf": r,
        "ljf": -r,
        "saf": r * n,
        "laf": -r * n,
        "wfp3": -((w / r) ** 3) * n,
        "unicef": -w / (log2(n) * r),
        "f1": log10(r) * n + 870 * log10(s),
        "f2": sqrt(r) * n + 25600 * log10(s),
        "f3": r * n + 6.86e6 * log10(s),
        "f4": r * sqrt(n) + 5.3e5 * log10(s),
        "lexp": -(w + r) / r,
        "sexp": (w + r) / r,
        "expansion": -(w + r) / (r * sqrt(n)),
    }
    assert set(printed) == set(ORDERS)
    for name, value in printed.items():
        assert ORDERS[name].score(r, n, s, w) == pytest.approx(value, rel=1e-12), name


def test_unicef_puts_jobs_of_one_processor_before_all_others() -> None:
    unicef = ORDERS["unicef"].score
    assert unicef(86400.0, 1.0, 0.0, 1.0) < unicef(1.0, 2.0, 0.0, 1e6)
    assert unicef(60.0, 1.0, 0.0, 0.0) == unicef(60.0, 64.0, 0.0, 0.0) == 0.0


def test_every_order_says_what_it_is_and_where_it_is_from() -> None:
    for name, order in ORDERS.items():
        assert order.name == name == order.score.__name__
        assert order.meaning
        assert order.source
        assert (inspect.getdoc(order.score) or "").strip()
        assert list(inspect.signature(order.score).parameters) == [
            "run",
            "procs",
            "submit",
            "wait",
        ]


def test_a_compiler_of_numeric_python_takes_every_score_as_it_is() -> None:
    numba = pytest.importorskip("numba")
    for name, order in ORDERS.items():
        compiled = numba.njit("float64(float64, float64, float64, float64)")(order.score)
        for figures in ((60.0, 4.0, 1000.0, 30.0), (0.0, 0.0, 0.0, 0.0), (1e12, 1.0, -5.0, -3.0)):
            assert compiled(*figures) == pytest.approx(order.score(*figures), rel=1e-12), name


def test_the_module_has_no_score_outside_the_table() -> None:
    found = {
        name
        for name, value in vars(formulas).items()
        if inspect.isfunction(value) and value.__module__ == formulas.__name__ and name[0] != "_"
    }
    assert found == set(ORDERS)
