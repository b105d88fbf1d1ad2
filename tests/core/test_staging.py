"""Names of what goes along and of what comes back, as every shell understands them."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.staging import check_result, check_staged, means, shell_words, target
from tests.support.refusals import refusal

NAMES = st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@given(st.lists(st.sampled_from(["", ".", "..", "a", "b c", "/"]), max_size=6).map("/".join))
def test_nothing_that_goes_along_leads_out_of_the_directory(path: str):
    parts = target(path).split("/")
    assert parts == [""] or not {"", ".", ".."} & set(parts)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/a.txt", "data/a.txt"),
        ("./data//", "data"),
        ("/tmp/x/model.bin", "model.bin"),
        ("../other/tree", "tree"),
    ],
)
def test_what_goes_along_keeps_its_name_below_here_and_else_its_last_part(path: str, name: str):
    assert target(path) == name


@given(PATHS)
def test_a_name_is_the_same_word_to_a_shell(path: str):
    plain = path.replace("*", "x").replace("?", "x").replace("[", "x")
    said = subprocess.run(
        ["sh", "-c", f"printf %s {shell_words(plain)}"], capture_output=True, check=True
    )
    assert said.stdout == b"./" + plain.encode()
    assert means(plain, plain)
    assert means(plain, f"{plain}/below")


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("out/*.csv", "out/a.csv", True),
        ("out/*.csv", "out/deep/a.csv", False),
        ("out", "out/deep/a.csv", True),
        ("out", "outer", False),
        ("run[12]", "run2/log", True),
        ("run?", "run", False),
        ("a[$(id)]*", "a[$(id)]b", True),
    ],
)
def test_a_pattern_means_what_it_says(pattern: str, name: str, meant: bool):
    assert means(pattern, name) is meant


@pytest.mark.parametrize("text", ["", "/etc/passwd", "../x", "a/../../x", ".", "a\0b", "\udc80"])
def test_what_is_not_below_the_working_directory_cannot_come_back(text: str):
    assert refusal(check_result, text, "--stage-out") is not None


@pytest.mark.parametrize("text", ["", ".", "..", "/", "a\0b", "\udc80"])
def test_what_has_no_name_cannot_go_along(text: str):
    assert refusal(check_staged, text, "--stage-in") is not None
