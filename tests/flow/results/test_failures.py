"""Failures are parted by what they died of, and counted by the values of parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.results.failures import grouped, rates
from hpcshell.flow.results.points import COMPLETED, FAILURES, Point
from hpcshell.flow.tracebacks import Frame
from tests.flow.results.made import point, points

frames = st.builds(
    Frame, where=st.sampled_from(["a", "b", ""]), message=st.sampled_from(["x", "y"])
)


@given(st.lists(frames))
def test_groups_part_the_points(found: list[Frame]) -> None:
    groups = grouped((str(at), frame) for at, frame in enumerate(found))
    members = [point for group in groups for point in group.points]
    assert sorted(members, key=int) == [str(at) for at in range(len(found))]
    assert len({group.label for group in groups}) == len(groups)
    for group in groups:
        assert group.count == len(group.points)
        assert group.example == group.points[0]
        assert {found[int(at)].label for at in group.points} == {group.label}
    counts = [group.count for group in groups]
    assert counts == sorted(counts, reverse=True)


@given(points())
def test_rates_count_every_ended_point_once_for_each_parameter(found: list[Point]) -> None:
    ended = [one for one in found if one.state == COMPLETED or one.state in FAILURES]
    failed = [one for one in ended if one.state in FAILURES]
    told = rates(found)
    for param in {rate.param for rate in told}:
        of_it = [rate for rate in told if rate.param == param]
        assert sum(rate.ended for rate in of_it) == len(ended)
        assert sum(rate.failed for rate in of_it) == len(failed)
        assert len({rate.rate for rate in of_it}) > 1


def test_the_parameter_that_makes_the_difference_comes_first() -> None:
    states = ["FAILED", "TIMEOUT", COMPLETED, COMPLETED, "FAILED", COMPLETED, "RUNNING"]
    found = [
        point(at, {"batch": 64 if at < 2 else 32, "seed": at % 2, "opt": "adam"}, None, state)
        for at, state in enumerate(states)
    ]
    told = [(rate.param, rate.value, rate.failed, rate.ended) for rate in rates(found)]
    assert told == [
        ("batch", "32", 1, 4), ("batch", "64", 2, 2), ("seed", "0", 2, 3), ("seed", "1", 1, 3),
    ]  # fmt: skip
    assert rates(found)[0].rate == pytest.approx(0.25)
