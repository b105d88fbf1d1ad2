"""What is done about points that fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.units import duration, size
from hpcshell.flow.care import CAUSES, causes, grown, tried_again, verdict
from hpcshell.flow.spec import Care

BAD = ["FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL"]


@given(most=st.integers(1, 20), failures=st.integers(0, 40))
def test_it_is_stopped_from_so_many_failures_on(most: int, failures: int) -> None:
    why = verdict(Care(max_failures=most), failures, [])
    assert bool(why) == (failures >= most)


@given(most=st.integers(1, 5), errors=st.lists(st.sampled_from(["", "a", "b"]), max_size=20))
def test_it_is_stopped_from_so_many_of_one_error_on(most: int, errors: list[str]) -> None:
    why = verdict(Care(same_error=most), len(errors), errors)
    assert bool(why) == any(errors.count(error) >= most for error in "ab")


def test_the_reason_names_the_rule_and_the_error() -> None:
    assert "max_failures: 2" in verdict(Care(max_failures=2), 3, [])
    why = verdict(Care(same_error=2), 2, ["ValueError at train.py:3"] * 2)
    assert "same_error: 2" in why
    assert "ValueError at train.py:3" in why


def test_without_care_nothing_is_stopped() -> None:
    assert verdict(Care(), 1000, ["a"] * 1000) == ""


@given(retries=st.integers(0, 5), state=st.sampled_from(BAD))
def test_a_point_is_tried_again_as_often_as_is_wanted(retries: int, state: str) -> None:
    attempt = 0
    while tried_again(Care(retries=retries), state, attempt):
        attempt += 1
    assert attempt == retries


@pytest.mark.parametrize("state", ["COMPLETED", "CANCELLED"])
def test_what_did_not_fail_is_not_tried_again(state: str) -> None:
    assert not tried_again(Care(retries=3), state, 0)


def test_only_what_ended_in_a_named_way_is_tried_again() -> None:
    wants = Care(retries=1, retry_on=("TIMEOUT",))
    assert [state for state in BAD if tried_again(wants, state, 0)] == ["TIMEOUT"]


@given(st.lists(st.sampled_from(sorted(CAUSES))), st.sampled_from(BAD))
def test_a_state_and_its_cause_say_the_same(states: list[str], state: str) -> None:
    spelt = [states, [CAUSES[one] for one in states], [one.lower() for one in states]]
    found = {tried_again(Care(retries=1, retry_on=tuple(words)), state, 0) for words in spelt}
    assert len(found) == 1
    assert len({causes(words) for words in spelt}) == 1


def test_an_exit_code_may_be_tried_again_alone() -> None:
    wants = Care(retries=1, retry_on=("75",))
    assert tried_again(wants, "FAILED", 0, 75)
    assert not tried_again(wants, "FAILED", 0, 1)


@pytest.mark.parametrize(
    ("word", "hint"), [("OUT_OF_MEM", "OUT_OF_MEMORY"), ("timout", "TIMEOUT"), ("300", "exit:75")]
)
def test_what_is_no_end_is_refused_with_the_nearest(word: str, hint: str) -> None:
    with pytest.raises(Wrong) as refused:
        causes([word])
    assert hint in str(refused.value.hint)


@given(megabytes=st.integers(1, 10_000), factor=st.floats(1.0, 8.0), attempt=st.integers(0, 4))
def test_memory_grows_by_its_factor_and_is_never_less(
    megabytes: int, factor: float, attempt: int
) -> None:
    care = Care(retry_grow={"memory": factor})
    asked = grown({"memory": f"{megabytes}M"}, care, attempt)
    bytes_ = size(asked["memory"])
    wanted = megabytes * factor**attempt * 2**20
    assert wanted - 1 <= bytes_ <= wanted + 2**20


@given(minutes=st.integers(1, 600), factor=st.floats(1.0, 8.0), attempt=st.integers(0, 4))
def test_time_grows_up_to_its_cap(minutes: int, factor: float, attempt: int) -> None:
    care = Care(retry_grow={"time": factor}, retry_cap={"time_limit": "12h"})
    seconds = duration(grown({"time_limit": minutes}, care, attempt)["time_limit"])
    assert seconds == pytest.approx(min(minutes * 60 * factor**attempt, 43_200), abs=1)


def test_a_bare_number_means_what_it_means_to_submit() -> None:
    care = Care(retry_grow={"memory": 2, "time_limit": 2, "cpus": 2})
    asked = grown({"memory": 100, "time_limit": 3, "cpus": 2}, care, 1)
    assert asked == {"memory": "200M", "time_limit": "360s", "cpus": 4}


def test_what_was_not_asked_for_does_not_grow() -> None:
    assert grown({"cpus": 2}, Care(retry_grow={"memory": 2}), 1) == {"cpus": 2}
