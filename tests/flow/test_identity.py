"""What a point is known by."""

from __future__ import annotations

import math
import re
from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.flow.identity import canonical, point_id, salt
from tests.flow.documents import plain, sweep

params = st.dictionaries(st.sampled_from("abcdef"), plain, max_size=5)


@given(params, st.randoms(use_true_random=False))
def test_an_id_does_not_depend_on_the_order_of_keys(point: dict[str, Any], chance: Random):
    turned = list(point.items())
    chance.shuffle(turned)
    found = point_id(point, b"salt")
    assert point_id(dict(turned), b"salt") == found
    assert re.fullmatch("[0-9a-f]{16}", found)


@given(params, params)
def test_ids_differ_where_parameters_differ(one: dict[str, Any], other: dict[str, Any]):
    differ = canonical(one) != canonical(other)
    assert (point_id(one, b"") != point_id(other, b"")) is differ


def test_an_id_depends_on_the_command_the_passing_and_the_code():
    spec = sweep(grid={"a": [1]})
    from msgspec.structs import replace

    salts = {
        salt(spec, ""),
        salt(spec, "code"),
        salt(replace(spec, passing="json"), ""),
        salt(replace(spec, command=("other",)), ""),
    }
    assert len(salts) == len({point_id({"a": 1}, each) for each in salts}) == 4


def test_an_id_stays_what_it_was():
    assert point_id({"lr": 0.1, "layers": [1, 2], "opt": "sgd"}, b"") == "210850dd2820056f"


def test_values_of_other_kinds_are_other_points():
    kinds = [1, 1.0, True, "1", None, [1], {"a": 1}]
    assert len({point_id({"a": kind}, b"") for kind in kinds}) == len(kinds)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, date(2020, 1, 1), {1}, b"x", {1: 2}, [math.nan], 1 << 70, object()],
)
def test_what_json_cannot_say_has_no_id(value: Any):
    with pytest.raises(Wrong):
        point_id({"a": value}, b"")
