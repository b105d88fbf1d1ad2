"""Whatever is no TOML is refused with a line that is in the file."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.toml import fault_of


def fault(text: str) -> tuple[int, str] | None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return fault_of(error, text)
    return None


@given(st.text(alphabet="x=[]{}\"'1#,.\n ", max_size=40))
def test_the_line_is_one_of_the_text_and_is_not_said_twice(text: str) -> None:
    found = fault(text)
    if found is not None:
        assert 1 <= found[0] <= text.count("\n") + 1
        assert "(at " not in found[1]


@pytest.mark.parametrize(
    ("text", "line"), [("x = [", 1), ("a = 1\nx = [\n", 2), ("a = 1\nx = ]\nb = 2", 2)]
)
def test_what_is_left_open_is_of_the_last_line(text: str, line: int) -> None:
    found = fault(text)
    assert found is not None
    assert found[0] == line
