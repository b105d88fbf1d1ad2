"""Values stand on an axis in their order, and labels can be told apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.words import safe
from hpcshell.sweeps.drawing.scales import BELOW, by_logarithm, cut, labels, scaled, told
from tests.flow.results.made import values

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(values, min_size=1))
def test_every_value_stands_on_the_axis(found: list[Any]) -> None:
    scale = scaled(found)
    assert len(scale.places) == len(found)
    for place in [*scale.places, *(place for place, _ in scale.ticks)]:
        assert place == BELOW or -1e-9 <= place <= 1 + 1e-9


@given(st.lists(finite, min_size=2, unique=True))
def test_numbers_stand_in_their_order(found: list[float]) -> None:
    places = dict(zip(found, scaled(found).places, strict=True))
    in_order = [places[value] for value in sorted(found)]
    assert in_order == sorted(in_order)


@given(st.lists(st.sampled_from("abc"), min_size=1))
def test_equal_words_stand_at_one_place_which_is_labelled(found: list[str]) -> None:
    scale = scaled(found)
    named = {name: place for place, name in scale.ticks}
    assert scale.words
    assert [named[word] for word in found] == list(scale.places)


def test_few_numbers_have_a_mark_each() -> None:
    assert [label for _, label in scaled([16, 32, 64]).ticks] == ["16", "32", "64"]
    assert [label for _, label in scaled([1e-4, 1e-3, 1e-2]).ticks] == ["0.0001", "0.001", "0.01"]
    assert [place for place, _ in scaled([1e-4, 1e-3, 1e-2]).ticks] == pytest.approx([0, 0.5, 1])


def test_a_number_that_is_not_set_stands_below_all() -> None:
    scale = scaled([1.0, None, 2.0])
    assert scale.places == (0.0, BELOW, 1.0)
    assert scale.ticks[0] == (BELOW, "(unset)")


@pytest.mark.parametrize(
    ("found", "logarithmic"),
    [
        ([1e-5, 1e-4, 1e-3], True),
        ([1, 2, 4, 8, 16], True),
        ([1, 10, 20, 30, 40], False),
        ([2, 4, 8], False),
        ([0, 1, 10, 100], False),
        ([-1, 10, 100], False),
        ([3], False),
    ],
)
def test_what_is_spaced_by_powers_is_drawn_so(found: list[float], logarithmic: bool) -> None:
    assert by_logarithm(found) is logarithmic


@given(st.text(), st.integers(3, 30))
def test_what_is_cut_is_no_longer_than_asked(text: str, longest: int) -> None:
    assert len(cut(text, longest)) <= longest
    assert safe(cut(text, longest)) == cut(text, longest)


def test_long_labels_show_where_they_differ() -> None:
    names = [f"a long value of the category number {at} of several others" for at in range(9)]
    shown = labels(names, 14)
    assert len(set(shown)) == 9
    assert max(map(len, shown)) <= 14
    assert all(str(at) in label for at, label in enumerate(shown))


@pytest.mark.parametrize(
    ("value", "said"), [(1e-05, "1e-5"), (1e20, "1e20"), (0.5, "0.5"), (1.5e-10, "1.5e-10")]
)
def test_numbers_are_said_short(value: float, said: str) -> None:
    assert told(value) == said
