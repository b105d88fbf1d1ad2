"""Constraints in Slurm's form."""

from __future__ import annotations

import pytest

from hpcshell.core.errors import Wrong
from hpcshell.policy.place.constraint import parse


@pytest.mark.parametrize(
    ("words", "features", "holds"),
    [
        ("", "", True),
        ("a", "a b", True),
        ("a", "b", False),
        ("a&b", "a b", True),
        ("a&b", "a", False),
        ("a|b", "b", True),
        ("a|b&c", "a", False),
        ("a|b&c", "a c", True),
        ("a|(b&c)", "a", True),
        ("(a|b)&c", "b c", True),
        ("( a | b ) & c", "b", False),
        ("[a|b]", "b", True),
        ("[a|b]", "c", False),
        ("c&[a|b]", "a", False),
        ("c&[(a&b)|d]", "c d", True),
        ("a*2&b", "b", True),
        ("a*2&b", "a", False),
    ],
)
def test_whether_a_node_may_be_among_those_given(words: str, features: str, holds: bool) -> None:
    assert parse(words).may_hold(frozenset(features.split())) == holds


def test_what_is_of_all_nodes_together_stands_apart() -> None:
    constraint = parse("c&[a|b]")
    assert [term.words for term in constraint.each] == ["c"]
    assert [term.words for term in constraint.alternatives] == ["a", "b"]
    counts = [(term.words, count) for term, count in parse("[(a|b)*2&c*1]&d*3").counts]
    assert counts == [("(a|b)", 2), ("c", 1), ("d", 3)]


@pytest.mark.parametrize(
    "words",
    ["a&", "&a", "a b", "(a", "a)", "[a", "[]", "a*", "a*0", "a*x", "[a|b]|c", "a*2|b",
     "[a|b]&[c|d]", "[a|b*2]", "[a&b]", "!a", "a,b", "[a*1|b*2]", "*2", "a&&b"],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_the_form(words: str) -> None:
    with pytest.raises(Wrong) as told:
        parse(words)
    assert told.value.hint is not None
    assert "[a|b]" in told.value.hint
