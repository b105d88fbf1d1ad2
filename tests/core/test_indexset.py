"""Index sets behave as Python's sets do, and say the same in text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.indexset import MAX_ELEMENTS, MAX_INDEX, IndexSet
from tests.support.refusals import refusal

members = st.sets(st.integers(0, 300), max_size=80)
some = members.filter(bool)


@given(members)
def test_it_holds_the_members_it_was_made_of(indices: set[int]):
    made = IndexSet.of(indices)
    assert list(made) == sorted(indices)
    assert len(made) == len(indices)
    assert bool(made) == bool(indices)
    assert all((index in made) == (index in indices) for index in range(-1, 302))


@given(some)
def test_first_last_and_rest(indices: set[int]):
    made = IndexSet.of(indices)
    assert made.first == min(indices)
    assert made.last == max(indices)
    assert set(made.rest) == indices - {min(indices)}
    assert len(made.rest) == len(indices) - 1


@given(some)
def test_its_text_reads_back_as_the_same(indices: set[int]):
    made = IndexSet.of(indices)
    assert IndexSet.parse(str(made)) == made


@given(some, st.randoms())
def test_the_order_of_what_is_written_does_not_matter(indices: set[int], random):
    words = [str(index) for index in indices]
    random.shuffle(words)
    made = IndexSet.parse(",".join(words))
    assert made == IndexSet.of(indices)
    assert hash(made) == hash(IndexSet.of(indices))


@given(some)
def test_its_ranges_are_disjoint_and_ascending(indices: set[int]):
    made = IndexSet.of(indices)
    assert all(len(part) and part.step > 0 for part in made.ranges)
    assert sorted(indices) == [index for part in made.ranges for index in part]


@given(members, members)
def test_differences_and_intersections(left: set[int], right: set[int]):
    made = IndexSet.of(left)
    assert set(made.minus(right)) == left - right
    assert set(made.within(IndexSet.of(right))) == left & right
    assert len(made.minus(right)) == len(left - right)


@given(some, st.data())
def test_without_one_member(indices: set[int], data):
    index = data.draw(st.sampled_from(sorted(indices)))
    made = IndexSet.of(indices).without(index)
    assert set(made) == indices - {index}
    with pytest.raises(KeyError):
        made.without(index)


@given(members, members)
def test_equal_sets_are_equal_whatever_their_ranges(left: set[int], right: set[int]):
    one, other = IndexSet.of(left | right), IndexSet.of(left | right | {301})
    assert one != other
    assert one == other.minus({301})
    assert (IndexSet.of(left) == IndexSet.of(right)) == (left == right)


@given(st.integers(0, 1000), st.integers(0, 200), st.integers(1, 50))
def test_a_stepped_range_is_one_range(start: int, count: int, step: int):
    indices = range(start, start + count * step + 1, step)
    made = IndexSet.parse(f"{start}-{start + count * step}:{step}")
    assert list(made) == list(indices)
    assert len(made.ranges) == 1
    assert IndexSet.of(indices) == made


@given(st.text(alphabet="0123456789-:, %x", max_size=20))
def test_any_text_is_read_or_refused(text: str):
    refusal(IndexSet.parse, text)


@pytest.mark.parametrize(
    ("text", "shown", "count"),
    [
        ("0-99:2", "0-98:2", 50),
        ("7", "7", 1),
        ("1,3,5-8", "1,3,5-8", 6),
        ("5-8,1,3", "1,3,5-8", 6),
        ("0-10:2,1-9:2", "0-10", 11),
        ("1, 2", "1,2", 2),
        ("0-999999", "0-999999", 1_000_000),
    ],
)
def test_arrays(text: str, shown: str, count: int):
    made = IndexSet.parse(text)
    assert str(made) == shown
    assert len(made) == count


def test_two_far_apart_are_written_as_two():
    assert str(IndexSet.of([1, 100])) == "1,100"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no index"),
        ("5-1", "backwards"),
        ("1,1", "twice"),
        ("0-9,5", "twice"),
        ("0-1e9", "no index"),
        ("-1", "no index"),
        ("0-9:0", "step"),
        ("1,,2", "no index"),
        ("1-2-3", "no index"),
        ("٣", "no index"),
        ("0-1000000", "more than 1,000,000"),
        ("0-999999,1000001", "more than 1,000,000"),
        ("1000000000", "over the limit"),
        (f"0-{MAX_INDEX + 1}", "over the limit"),
        ("x" * 1_000_000, "no index"),
        ("\x1b[2J", "no index"),
    ],
)
def test_what_is_no_array(text: str, words: str):
    error = refusal(IndexSet.parse, text)
    assert error is not None
    assert words in error.message


def test_a_million_elements_cost_one_range_and_no_time():
    begun = time.process_time()
    made = IndexSet.parse(f"0-{MAX_ELEMENTS - 1}")
    for _ in range(1000):
        made = made.rest
    assert len(made.ranges) == 1
    assert made.first == 1000
    assert 500_000 in made
    assert time.process_time() - begun < 0.1


def test_many_single_indices_become_few_ranges():
    made = IndexSet.parse(",".join(str(index) for index in range(0, 20_000, 2)))
    assert len(made.ranges) == 1


def test_it_cannot_be_hashed_apart_from_its_equal():
    assert len({IndexSet.parse("0-3"), IndexSet.of([0, 1, 2, 3]), IndexSet.parse("0-1,2-3")}) == 1


def test_the_hint_of_a_backward_range_is_the_range():
    with pytest.raises(Wrong) as caught:
        IndexSet.parse("5-1")
    assert caught.value.hint == "write 1-5"
