"""Values of parameters, and what makes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.expand import points
from hpcshell.flow.reading import from_document, read
from tests.flow.documents import sweep
from tests.support.refusals import refusal


def made(values: Any) -> list[Any]:
    return [point["x"] for point in points(sweep(grid={"x": values}))]


def said(values: Any) -> str:
    error = refusal(from_document, {"command": "t", "sweep": {"grid": {"x": values}}})
    assert error is not None
    return error.message


# ---------------------------------------------------------------------------------------- laws

_few = st.integers(-1000, 1000)


@given(_few, _few, st.integers(1, 50))
def test_a_range_of_whole_numbers_is_pythons(start: int, stop: int, step: int):
    expected = list(range(start, stop, step))
    if expected:
        assert made({"range": [start, stop, step]}) == expected


@given(st.integers(-50, 50), st.integers(1, 60), st.sampled_from([0.1, 0.25, 0.01, 0.3]))
def test_a_range_of_fractions_accumulates_no_error_and_leaves_the_stop_out(
    first: int, count: int, step: float
):
    start = round(first * step, 6)
    stop = round(start + count * step, 6)
    found = made({"range": [start, stop, step]})
    assert found == [round(start + at * step, 6) for at in range(count)]


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(1, 30))
def test_spaced_values_are_as_many_as_asked_and_begin_and_end_where_said(
    low: float, high: float, count: int
):
    found = made({"linspace": [low, high, count]})
    assert found[0] == low
    assert len(found) == 1 or found[-1] == high
    assert len(found) <= count


# --------------------------------------------------------------------------------------- cases


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        ({"range": [3]}, [0, 1, 2]),
        ({"range": [16, 65, 16]}, [16, 32, 48, 64]),
        ({"range": [5, 0, -2]}, [5, 3, 1]),
        ({"range": [0.1, 0.5, 0.1]}, [0.1, 0.2, 0.3, 0.4]),
        ({"range": {"start": 1, "stop": 3}}, [1, 2]),
        ({"linspace": [0, 1, 3]}, [0.0, 0.5, 1.0]),
        ({"logspace": [-3, -1, 3]}, [0.001, 0.01, 0.1]),
        ({"logspace": [0, 3, 4, 2]}, [1.0, 2.0, 4.0, 8.0]),
        ({"geomspace": [1e-3, 1e-1, 3]}, [0.001, 0.01, 0.1]),
        ({"geomspace": [-8, -1, 4]}, [-8.0, -4.0, -2.0, -1.0]),
        ({"values": [1, [2]]}, [1, [2]]),
        (3, [3]),
        ([[1, 2], {"a": 1}], [[1, 2], {"a": 1}]),
        ([1, 1, 1.0], [1, 1.0]),
    ],
)
def test_generators_mean_what_numpys_do(values: Any, meant: list[Any]):
    found = made(values)
    assert found == meant
    assert list(map(type, found)) == list(map(type, meant))


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([], "has no values"),
        ({"values": []}, "has no values"),
        ({"range": [0, 10, 0]}, "a step of 0"),
        ({"range": [5, 5]}, "no value from 5 up to"),
        ({"range": [0, 10**12]}, "more than 1,000,000 values"),
        ({"range": [0, 1, 1e-300]}, "more than 1,000,000 values"),
        ({"range": []}, "takes start"),
        ({"range": ["a"]}, "is text, not a number"),
        ({"range": {"stopp": 1}}, "'stopp' is no key"),
        ({"linspace": [0, 1]}, "takes start and stop and num"),
        ({"linspace": [0, 1, 0]}, "is no number of values"),
        ({"linspace": [0, 1, 10**9]}, "more than 1,000,000 values"),
        ({"logspace": [0, 1000, 5]}, "is no number"),
        ({"geomspace": [0, 1, 5]}, "not 0"),
        ({"values": [1], "range": [2]}, "has both values and range"),
        ({"values": [1], "wehn": "a"}, "'wehn' is no key"),
        ({"uniform": [0, 1]}, "looks like a distribution"),
    ],
)
def test_what_makes_no_values_is_refused(values: Any, what: str):
    assert what in said(values)


def test_ends_of_a_logspace_that_look_like_values_are_noted():
    text = "command: t\nsweep: {grid: {lr: {logspace: [0.001, 0.1, 3]}}}"
    assert any("geomspace takes the ends" in note for note in read(text).notes)
    assert not read(text.replace("0.001, 0.1", "-3, -1")).notes


@pytest.mark.parametrize(
    "name", ["a..b", "../a", "-a", "a b", "a=b", "a\nb", "", ".a", "a\u202eb", "a'b", "a{b}"]
)
def test_a_parameter_has_a_name_that_a_command_line_keeps(name: str):
    error = refusal(from_document, {"command": "t", "sweep": {"grid": {name: [1]}}})
    assert error is not None
    assert "is no name of a parameter" in error.message


@pytest.mark.parametrize("name", ["lr", "a.b", "db/engine", "+new.key", "~gone", "++a", "2d", "é"])
def test_names_as_hydra_has_them_are_parameters(name: str):
    assert list(points(sweep(grid={name: [1]}))) == [{name: 1}]
