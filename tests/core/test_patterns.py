"""Output file patterns: as in Slurm, and never a way out of the directory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.errors import Wrong
from hpcshell.core.patterns import check_pattern, expand


def element(pattern: str, name: str = "prep") -> str:
    return expand(pattern, job=12, element=7, name=name, user="ada", node="n1")


def plain(pattern: str) -> str:
    return expand(pattern, job=12, element=None, name="prep", user="ada", node="n1")


@given(
    st.text(max_size=20), st.sampled_from(["%x", "logs/%x/out", "%x%x", ".%x", "%x.", "a/.%x/b"])
)
def test_a_name_never_leads_out_of_a_directory(name: str, pattern: str):
    parts = element(pattern, name or "x").split("/")
    assert len(parts) == pattern.count("/") + 1
    assert ".." not in parts
    assert "." not in parts[:-1]


@given(st.text(alphabet=st.characters(exclude_characters="%")))
def test_a_pattern_without_percent_is_itself(pattern: str):
    assert element(pattern) == pattern


@given(st.text())
def test_a_name_is_not_expanded_again(name: str):
    assert element("%x", "n" + name) == ("n" + name).replace("/", "_").replace("\0", "_")


@given(st.text(), st.text())
def test_doubled_percents_are_single_ones(before: str, after: str):
    doubled = f"{before.replace('%', '%%')}{after.replace('%', '%%')}"
    assert element(doubled) == before + after


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("hpc-%A_%a.out", "hpc-12_7.out"),
        ("%j", "12_7"),
        ("%4A-%04a-%10a", "0012-0007-0000000007"),
        ("%99a", "0000000007"),
        ("%x.%u@%N", "prep.ada@n1"),
        ("%t%n%b%s%r", "007batch0"),
        ("%%j", "%j"),
        ("%z-%-%", "%z-%-%"),
        ("%٤a", "%٤a"),
    ],
)
def test_patterns_of_an_element(pattern: str, expected: str):
    assert element(pattern) == expected


def test_patterns_of_a_plain_job():
    assert plain("hpc-%j.out") == "hpc-12.out"
    assert plain("%4j-%A") == "0012-12"
    assert plain("%a") == "4294967294"


def test_every_element_has_a_file_of_its_own_by_j_alone():
    files = {expand("%j", job=1, element=i, name="", user="", node="") for i in range(100)}
    assert len(files) == 100


@pytest.mark.parametrize(
    "pattern", ["", " ", "a\0b", "a\nb", "a\x1b[2Jb", "x" * 5000, "a/" + "x" * 256]
)
def test_what_can_name_no_file(pattern: str):
    with pytest.raises(Wrong) as caught:
        check_pattern(pattern, "--output")
    assert len(caught.value.message) < 160


def test_a_path_that_can_name_a_file_is_kept():
    for pattern in ("out", "/var/tmp/%j.txt", "../x", "logs/", "a b", "é"):
        assert check_pattern(pattern, "--output") == pattern
