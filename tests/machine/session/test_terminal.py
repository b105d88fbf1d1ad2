"""What a job prints on its terminal is in its output file as it was printed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.machine.session.terminal import Returns

BYTES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"x", b"\0", b"\xff"])).map(b"".join)
CUTS = st.lists(st.integers(0, 40), max_size=6)


def cut(text: bytes, at: list[int]) -> list[bytes]:
    """The text in the pieces that reads happen to give."""
    edges = [0, *sorted(at), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@given(BYTES, CUTS)
def test_exactly_the_returns_that_were_added_are_taken_out(text: bytes, at: list[int]) -> None:
    returns = Returns()
    shown = text.replace(b"\n", b"\r\n")
    found = b"".join(returns.without(piece, added=True) for piece in cut(shown, at))
    assert found + returns.rest() == text


@given(BYTES, CUTS)
def test_where_none_were_added_none_is_taken_out(text: bytes, at: list[int]) -> None:
    returns = Returns()
    found = b"".join(returns.without(piece, added=False) for piece in cut(text, at))
    assert found + returns.rest() == text


def test_a_return_that_is_kept_comes_before_what_is_printed_raw() -> None:
    returns = Returns()
    assert returns.without(b"half\r", added=True) == b"half"
    assert returns.without(b"\nraw", added=False) == b"\r\nraw"
