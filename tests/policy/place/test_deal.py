"""Laws of dealing units to nodes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.policy.place.deal import WAYS, best_fit, first_fit, pack, spread

ROOM = st.lists(st.integers(0, 6), min_size=1, max_size=8)
WANTED = st.integers(1, 20)


@pytest.mark.parametrize("name", WAYS)
@given(free=ROOM, wanted=WANTED)
def test_all_is_dealt_exactly_where_there_is_room(name: str, free: list[int], wanted: int) -> None:
    dealt = WAYS[name].deal(free, wanted)
    if sum(free) < wanted:
        assert dealt is None
        return
    assert dealt is not None
    assert sum(count for _, count in dealt) == wanted
    assert all(0 < count <= free[number] for number, count in dealt)
    assert len({number for number, _ in dealt}) == len(dealt)


@given(ROOM, WANTED)
def test_packing_takes_as_few_nodes_as_can_be(free: list[int], wanted: int) -> None:
    dealt = pack(free, wanted)
    if dealt is not None:
        assert sum(sorted(free)[::-1][: len(dealt) - 1]) < wanted


@given(ROOM, WANTED)
def test_spreading_gives_no_node_two_more_than_one_that_had_room(
    free: list[int], wanted: int
) -> None:
    dealt = spread(free, wanted)
    if dealt is not None:
        given = [dict(dealt).get(number, 0) for number in range(len(free))]
        spare = [have for have, room in zip(given, free, strict=True) if have < room]
        assert max(given) <= min(spare, default=wanted) + 1


def test_examples_of_each_way() -> None:
    free = [3, 5, 2, 4]
    assert first_fit(free, 4) == [(0, 3), (1, 1)]
    assert best_fit(free, 4) == [(3, 4)]
    assert best_fit(free, 6) == [(2, 2), (0, 3), (3, 1)]
    assert pack(free, 6) == [(1, 5), (2, 1)]
    assert sorted(spread(free, 6) or ()) == [(0, 1), (1, 2), (2, 1), (3, 2)]
