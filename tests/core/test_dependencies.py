"""Dependency expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hpcshell.core.dependencies import (
    KINDS,
    Expression,
    Term,
    format_dependencies,
    format_expression,
    parse,
)
from hpcshell.core.errors import Wrong
from hpcshell.core.ids import Ids, Last, Named
from hpcshell.core.indexset import IndexSet
from hpcshell.core.records import Dependencies, Dependency
from tests.support.refusals import refusal

parents = st.one_of(
    st.integers(1, 2**40).map(lambda number: Ids(first=number, last=number)),
    st.integers(1, 99).map(lambda n: Ids(first=n, last=n, indices=IndexSet.of([n, n + 2]))),
    st.integers(0, 9).map(lambda back: Last(back=back)),
    st.from_regex(r"\A[a-z][a-z0-9.+-]{0,8}[a-z]\Z")
    .filter(lambda w: w not in KINDS)
    .map(lambda name: Named(name=name)),
)
terms = st.one_of(
    st.builds(
        Term,
        kind=st.sampled_from(KINDS[:-1]),
        parent=parents,
        delay=st.integers(0, 10_000).map(lambda minutes: 60.0 * minutes),
    ),
    st.just(Term(kind="singleton")),
)
expressions = st.builds(
    lambda some, any_of: Expression(terms=tuple(some), any=any_of and len(some) > 1),
    st.lists(terms, min_size=1, max_size=6, unique=True),
    st.booleans(),
)


@given(expressions)
def test_a_written_expression_reads_back_as_the_same(expression: Expression):
    assert parse(format_expression(expression)) == expression


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_one_line(text: str):
    error = refusal(parse, text)
    assert error is None or error.message.startswith("--dependency: ")


def ids(*numbers: int) -> tuple[Ids, ...]:
    return tuple(Ids(first=number, last=number) for number in numbers)


def test_colons_join_parents_of_one_kind():
    found = parse("afterok:1:2+5,afterany:3")
    one, two, three = ids(1, 2, 3)
    assert found.terms == (
        Term(kind="afterok", parent=one),
        Term(kind="afterok", parent=two, delay=300.0),
        Term(kind="afterany", parent=three),
    )
    assert not found.any


def test_question_marks_mean_any():
    assert parse("afterok:1?afternotok:2").any
    assert format_expression(parse("afterok:1?afterok:2")) == "afterok:1?afterok:2"
    assert format_expression(parse("afterok:1:2?singleton")) == "afterok:1?afterok:2?singleton"


def test_a_parent_alone_means_afterok_or_what_the_dialect_says():
    assert [term.kind for term in parse("12,13").terms] == ["afterok", "afterok"]
    assert [term.kind for term in parse("afterok:1,2", bare="afterany").terms] == [
        "afterok",
        "afterany",
    ]


def test_parents_by_name_by_order_and_by_element():
    found = parse("afterok:prep:@:12_3:c++:7[1,3]").terms
    assert [term.parent for term in found] == [
        Named(name="prep"),
        Last(),
        Ids(first=12, last=12, indices=IndexSet.of([3])),
        Named(name="c++"),
        Ids(first=7, last=7, indices=IndexSet.of([1, 3])),
    ]


def test_the_same_condition_counts_once():
    assert len(parse("afterok:1:1,afterok:1").terms) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no job"),
        ("afterok:", "no job"),
        ("afterok", "needs a job"),
        ("afterok:1,,2", "no job"),
        ("afterok:1:", "no job"),
        ("afterok:+5", "no job"),
        ("after0k:1", "did you mean afterok"),
        ("bogus:1", "no kind"),
        ("afterburstbuffer:1", "burst"),
        ("afterok:1,afterany:2?afterok:3", "mixes"),
        ("afterok:20-12", "backwards"),
        ("after:12+90s", "minutes"),
        ("afterok:" + ":".join(map(str, range(1, 10_003))), "too many"),
        (f"afterok:{2**63}", "too large"),
    ],
)
def test_what_is_no_expression(text: str, words: str):
    with pytest.raises(Wrong, match=words) as caught:
        parse(text, "--dependency")
    assert len(caught.value.message) < 160


def test_resolved_dependencies_are_written_the_same_way():
    resolved = Dependencies(
        terms=(
            Dependency(kind="afterok", job=1),
            Dependency(kind="afterok", job=2, index=3, delay=300.0),
            Dependency(kind="singleton"),
        ),
    )
    assert format_dependencies(resolved) == "afterok:1:2_3+5,singleton"
    assert format_dependencies(replace(resolved, any=True)) == "afterok:1?afterok:2_3+5?singleton"
