"""Addresses are written and sorted as the kernel does, and groups are told by what they share."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.machine.gpus import bus

POINTS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcdef")), max_size=20)


def test_an_address_is_written_as_the_kernel_does() -> None:
    assert bus.address("00000000:C1:00.0") == "0000:c1:00.0"
    assert bus.address("0000:c1:00.0") == "0000:c1:00.0"
    assert bus.address("00010000:C1:00.0") == "10000:c1:00.0"
    assert bus.address("") == bus.address("where:is:it") == ""


def test_cards_are_sorted_by_number_and_unknown_places_come_last() -> None:
    told = ["", "10000:01:00.0", "0001:01:00.0", "0000:10:00.0", "0000:02:00.0"]
    assert sorted(told, key=bus.place) == told[::-1]


def test_the_numa_domain_is_read(tmp_path: Path) -> None:
    (tmp_path / "0000:c1:00.0").mkdir()
    (tmp_path / "0000:c1:00.0/numa_node").write_text("1\n")
    assert bus.domain("0000:c1:00.0", tmp_path) == 1
    assert bus.domain("0000:c2:00.0", tmp_path) == bus.domain("", tmp_path) == -1


def test_a_switch_joins_and_so_does_a_card() -> None:
    by_switch = [(number, "switch") for number in range(3)]
    by_each_other = [(4, "five"), (5, "five"), (5, "four"), (4, "four")]
    assert bus.groups([*by_switch, *by_each_other, (7, "nobody")]) == ((0, 1, 2), (4, 5))


@given(POINTS)
def test_who_shares_a_point_is_in_one_group_and_none_is_in_two(joined) -> None:
    found = bus.groups(joined)
    members = [number for group in found for number in group]
    assert len(members) == len(set(members))
    group_of = {number: group for group in found for number in group}
    for number, point in joined:
        for other, same in joined:
            if point == same and number != other:
                assert group_of[number] == group_of[other]


@given(POINTS, st.randoms())
def test_the_order_of_telling_does_not_matter(joined, chance) -> None:
    shuffled = list(joined)
    chance.shuffle(shuffled)
    assert bus.groups(shuffled) == bus.groups(joined)
