"""`--cuda` in a command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.cudawords import nothing_to_rewrite, rewritten

WORDS = st.lists(st.sampled_from(["--cuda", "--cuda=1", "-1", "--v", "5", "a", "cuda:2", ""]))


@given(WORDS, st.integers(0, 8))
def test_only_what_names_cards_for_cuda_is_changed(argv: list[str], cards: int):
    found = rewritten(argv, cards)
    assert len(found) == len(argv)
    for before, word, after in zip(["", *argv], argv, found, strict=False):
        named = word == "--cuda=1" or (before == "--cuda" and word in ("5", "cuda:2"))
        assert after == word or (named and cards)


@given(WORDS)
def test_it_is_told_that_there_is_nothing_to_rewrite_exactly_where_nothing_changes(argv: list[str]):
    marked = [word.replace("5", "7").replace("2", "7").replace("=1", "=7") for word in argv]
    assert bool(nothing_to_rewrite(marked, True)) == (list(rewritten(marked, 1)) == marked)
    assert nothing_to_rewrite(marked, False)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("--cuda 5", "--cuda 0,1"),
        ("--cuda=6,7", "--cuda=0,1"),
        ("--cuda cuda:2", "--cuda cuda:0"),
        ("--cuda=cuda:2,cuda:3", "--cuda=cuda:0,cuda:1"),
        ("--cuda --verbose", "--cuda --verbose"),
        ("--cuda -1", "--cuda -1"),
        ("--cuda=", "--cuda="),
        ("--cuda auto 5", "--cuda auto 5"),
        ("--cuda", "--cuda"),
    ],
)
def test_two_cards_as_a_program_counts_them(argv: str, expected: str):
    assert rewritten(argv.split(" "), 2) == tuple(expected.split(" "))


def test_cards_may_have_blanks_between_them():
    assert rewritten(["--cuda", "5, 6"], 1) == ("--cuda", "0")
