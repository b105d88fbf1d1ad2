"""Words become numbers, and the words can be had back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.trace.numbering import coded, numbered


@given(st.lists(st.text(max_size=3)))
def test_the_words_can_be_had_back(words: list[str]) -> None:
    codes, distinct = coded(words)
    assert [distinct[code] if code >= 0 else "" for code in codes.tolist()] == words
    assert len(set(distinct)) == len(distinct)


@given(st.lists(st.integers(0, 10**17), min_size=1))
def test_numbers_stay_what_they_are(ids: list[int]) -> None:
    assert numbered([str(number) for number in ids])[0].tolist() == ids
    counted, labels = numbered(["7_1", *map(str, ids)])
    assert counted.tolist() == list(range(1, len(ids) + 2))
    assert labels[1:] == tuple(map(str, ids))
