"""From a specification to its points."""

from __future__ import annotations

from itertools import islice
from math import prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.flow.expand import exact, excluder, groups, most, names, points
from hpcshell.flow.identity import point_id, salt
from hpcshell.flow.reading import from_document
from hpcshell.flow.spec import Spec
from tests.flow.documents import documents, specs, sweep

# ---------------------------------------------------------------------------------------- laws


@given(specs)
def test_there_are_no_more_points_than_most_and_as_many_where_it_is_exact(spec: Spec):
    count = sum(1 for _ in points(spec))
    assert count <= most(spec)
    assert count == most(spec) or not exact(spec)


@given(specs)
def test_no_point_comes_twice(spec: Spec):
    ids = [point_id(point, salt(spec, "")) for point in points(spec)]
    assert len(set(ids)) == len(ids)


@given(documents)
def test_the_same_document_has_the_same_points_in_the_same_order(document: dict[str, Any]):
    first = list(points(from_document(document)))
    spec = from_document(document)
    assert first == list(points(spec)) == list(points(spec))


@given(specs)
def test_no_point_is_excluded_and_each_has_only_known_names(spec: Spec):
    known = names(spec)
    for point in points(spec):
        assert set(point) <= set(known)
    if len(spec.blocks) == 1:
        tests = [excluder(exclusion, known) for exclusion in spec.blocks[0].exclude]
        assert not any(test(point) for point in points(spec) for test in tests)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_grid_is_the_product_of_its_axes_and_the_last_varies_fastest(lengths: list[int]):
    spec = sweep(grid={f"p{at}": list(range(length)) for at, length in enumerate(lengths)})
    found = [tuple(point.values()) for point in points(spec)]
    assert exact(spec)
    assert len(found) == most(spec) == prod(lengths)
    assert found == sorted(found)


@given(st.integers(1, 30), st.integers(0, 9))
def test_a_parameter_more_changes_no_draw_of_the_others_and_a_sample_more_no_earlier(
    samples: int, seed: int
):
    one = {"lr": {"loguniform": [1e-5, 1]}}
    two = {"opt": {"normal": [0, 1]}, **one}
    few = sweep(random={"samples": samples, "seed": seed, "parameters": one})
    many = sweep(random={"samples": samples + 5, "seed": seed, "parameters": two})
    assert [p["lr"] for p in points(few)] == [p["lr"] for p in islice(points(many), samples)]


# --------------------------------------------------------------------------------------- cases


def test_a_condition_multiplies_only_the_points_where_it_holds():
    spec = sweep(
        grid={"momentum": {"values": [0.9, 0.99], "when": "opt == 'sgd'"}, "opt": ["sgd", "adam"]}
    )
    assert list(points(spec)) == [
        {"opt": "sgd", "momentum": 0.9},
        {"opt": "sgd", "momentum": 0.99},
        {"opt": "adam"},
    ]
    assert (most(spec), exact(spec)) == (4, False)


def test_a_condition_on_a_conditional_parameter_does_not_hold_where_that_is_not_set():
    spec = sweep(
        grid={
            "opt": ["sgd", "adam"],
            "momentum": {"values": [0.9], "when": "opt == 'sgd'"},
            "nesterov": {"values": [True], "when": "momentum > 0.5"},
        }
    )
    assert list(points(spec)) == [
        {"opt": "sgd", "momentum": 0.9, "nesterov": True},
        {"opt": "adam"},
    ]


def test_a_conditional_draw_is_left_out_where_its_condition_does_not_hold():
    spec = sweep(
        grid={"opt": ["sgd", "adam"]},
        random={
            "samples": 3,
            "parameters": {"momentum": {"uniform": [0, 1], "when": "opt == 'sgd'"}},
        },
    )
    found = list(points(spec))
    assert [point["opt"] for point in found] == ["sgd", "sgd", "sgd", "adam"]
    assert "momentum" not in found[-1]


def test_each_listed_point_is_met_with_the_grid_and_what_is_drawn():
    spec = sweep(
        parameters={"epochs": 1},
        list=[{"lr": 0.1}, {"lr": 0.2, "epochs": 5}],
        grid={"seed": [1, 2]},
        random={"samples": 3, "parameters": {"x": {"uniform": [0, 1]}}},
    )
    found = list(points(spec))
    assert len(found) == most(spec) == 12
    assert {(point["lr"], point["epochs"]) for point in found} == {(0.1, 1), (0.2, 5)}


def test_paired_values_go_together():
    spec = sweep(paired=[{"sizes": {"width": [1, 2], "heads": [2, 4]}}, {"a": [1, 1], "b": [2, 3]}])
    assert [tuple(point.values()) for point in points(spec)] == [
        (1, 2, 1, 2),
        (1, 2, 1, 3),
        (2, 4, 1, 2),
        (2, 4, 1, 3),
    ]
    assert [group.group for group in groups(spec)] == ["sizes", ""]


def test_a_group_has_a_condition_of_its_own():
    spec = sweep(
        grid={"opt": ["sgd", "adam"]},
        paired={"g": {"a": [1, 2], "b": {"range": [2]}, "when": "opt == 'sgd'"}, "h": {"c": [1]}},
    )
    assert list(points(spec)) == [
        {"opt": "sgd", "a": 1, "b": 0, "c": 1},
        {"opt": "sgd", "a": 2, "b": 1, "c": 1},
        {"opt": "adam", "c": 1},
    ]


def test_blocks_are_united_and_what_both_have_runs_once():
    spec = from_document(
        {"command": "x", "sweep": [{"grid": {"a": [1, 2]}}, {"grid": {"a": [2, 3, 2.0]}}]}
    )
    assert [point["a"] for point in points(spec)] == [1, 2, 3, 2.0]
    assert (most(spec), exact(spec)) == (5, False)


def test_an_exclusion_by_values_means_equal_numbers_and_no_truths():
    spec = sweep(grid={"a": [1, 1.0, True, "1"]}, exclude={"a": 1})
    assert [point["a"] for point in points(spec)] == [True, "1"]


def test_draws_that_are_the_same_run_once():
    spec = sweep(random={"samples": 50, "parameters": {"a": {"int": [1, 3]}}})
    assert sorted(point["a"] for point in points(spec)) == [1, 2, 3]
    assert (most(spec), exact(spec)) == (50, False)


def test_a_trillion_points_are_counted_at_once_and_begun():
    spec = sweep(grid={name: {"range": [1000]} for name in "abcd"})
    assert most(spec) == 10**12
    assert exact(spec)
    assert [point["d"] for point in islice(points(spec), 3)] == [0, 1, 2]


def test_a_condition_that_cannot_be_computed_says_so():
    spec = sweep(grid={"a": ["x", 1], "b": {"values": [1], "when": "a > 0"}})
    with pytest.raises(Wrong, match="cannot be computed"):
        list(points(spec))
