"""How many points each of several places is given next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.sharing import MOST_IN_FLIGHT, shares

PLACES = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 50), min_size=1)
MOST = st.none() | st.integers(1, 60)


@given(remaining=st.integers(0, 30_000), places=PLACES, most=MOST)
def test_no_more_is_given_than_there_is_and_no_more_is_in_flight_than_may_be(
    remaining: int, places: dict[str, int], most: int | None
) -> None:
    given_out = shares(remaining, places, most)
    assert set(given_out) <= set(places)
    assert all(given > 0 for given in given_out.values())
    assert sum(given_out.values()) <= remaining
    if most is not None and given_out:
        assert sum(places.values()) + sum(given_out.values()) <= most
    assert all(places[name] + given <= MOST_IN_FLIGHT for name, given in given_out.items())


@given(remaining=st.integers(1, 1000), places=PLACES)
def test_where_nothing_is_in_flight_something_is_given(
    remaining: int, places: dict[str, int]
) -> None:
    assert shares(remaining, dict.fromkeys(places, 0))


@given(points=st.integers(1, 2000), names=st.sets(st.sampled_from("abcd"), min_size=1), most=MOST)
def test_all_points_are_given_out_in_the_end(
    points: int, names: set[str], most: int | None
) -> None:
    left, rounds = points, 0
    while left:
        left -= sum(shares(left, dict.fromkeys(names, 0), most).values())
        rounds += 1
        assert rounds <= points
    assert left == 0


def test_the_only_place_gets_all_of_it() -> None:
    assert shares(700, {"a": 0}) == {"a": 700}


def test_several_places_get_parts_that_shrink() -> None:
    assert shares(80, {"a": 0, "b": 0}) == {"a": 20, "b": 15}
    assert shares(8, {"a": 0, "b": 0}) == {"a": 2, "b": 2}
    assert shares(1, {"a": 0, "b": 0}) == {"a": 1}


def test_a_place_that_has_enough_gets_nothing() -> None:
    assert shares(80, {"a": 20, "b": 0}).keys() == {"b"}
