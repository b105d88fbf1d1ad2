"""How people name jobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.ids import (
    LARGEST_ID,
    Ids,
    Last,
    Named,
    Selector,
    element_of,
    format_selector,
    select,
    select_all,
    split,
)
from hpcshell.core.indexset import IndexSet
from tests.support.refusals import refusal

numbers = st.integers(0, LARGEST_ID)
indices = st.none() | st.sets(st.integers(0, 1000), min_size=1).map(IndexSet.of)
selectors = st.one_of(
    st.builds(lambda number, some: Ids(first=number, last=number, indices=some), numbers, indices),
    st.builds(lambda a, b: Ids(first=min(a, b), last=max(a, b)), numbers, numbers),
    st.builds(Last, back=st.integers(0, 1000), indices=indices),
    st.builds(Named, name=st.from_regex(r"\A[A-Za-z.][A-Za-z0-9. _-]{0,20}[a-z]\Z")),
)


@given(selectors)
def test_a_written_selector_reads_back_as_the_same(selector: Selector):
    assert select(format_selector(selector)) == selector


@given(st.lists(selectors.map(format_selector), min_size=1, max_size=5))
def test_a_list_is_split_at_its_commas(texts: list[str]):
    assert split(",".join(texts)) == texts
    assert select_all([",".join(texts)]) == [select(text) for text in texts]


@given(st.text(max_size=30))
def test_any_text_names_something_or_is_refused(text: str):
    refusal(select, text)


def elements(*members: int) -> IndexSet:
    return IndexSet.of(members)


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("12", Ids(first=12, last=12)),
        ("local_12", Ids(first=12, last=12)),
        ("12_3", Ids(first=12, last=12, indices=elements(3))),
        ("local_12_3", Ids(first=12, last=12, indices=elements(3))),
        ("7[3-5]", Ids(first=7, last=7, indices=elements(3, 4, 5))),
        ("7_[3-5,9]", Ids(first=7, last=7, indices=elements(3, 4, 5, 9))),
        ("7_[0-9%2]", Ids(first=7, last=7, indices=IndexSet.parse("0-9"))),
        ("12_*", Ids(first=12, last=12)),
        ("12-20", Ids(first=12, last=20)),
        ("@", Last()),
        ("@~2", Last(back=2)),
        ("@_3", Last(indices=elements(3))),
        ("@~2[1,2]", Last(back=2, indices=elements(1, 2))),
        ("prep", Named(name="prep")),
        ("3d-render", Named(name="3d-render")),
        ("-rf", Named(name="-rf")),
        ("localhost", Named(name="localhost")),
        (str(2**63 - 1), Ids(first=2**63 - 1, last=2**63 - 1)),
    ],
)
def test_selectors(text: str, selector: Selector):
    assert select(text) == selector


@pytest.mark.parametrize(
    "text",
    [
        *(
            str(2**63),
            "9" * 30,
            "20-12",
            "7[]",
            "7_[]",
            "7[5-3]",
            "7[1,1]",
            "7[x]",
            "12_9999999999",
        ),
        *("@x", "@~", "@~-1", "@@", "", " ", "a\x1bb", "a\nb", "x" * 300),
    ],
)
def test_what_names_no_job(text: str):
    with pytest.raises(Wrong):
        select(text)


def test_digits_of_other_scripts_are_no_ids():
    assert select("١٢") == Named(name="١٢")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("prep_3", ("prep", IndexSet.of([3]))),
        ("prep_2_3", ("prep_2", IndexSet.of([3]))),
        ("prep[3-5]", ("prep", IndexSet.of([3, 4, 5]))),
        ("prep_[1,4]", ("prep", IndexSet.of([1, 4]))),
        ("prep", None),
        ("prep_", None),
        ("_3", None),
        ("prep[x]", None),
    ],
)
def test_a_name_may_end_in_elements(name, meant):
    assert element_of(name) == meant
