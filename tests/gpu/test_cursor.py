"""The last event that the log has."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.gpu.cursor import Cursor

EVENTS = st.integers(0, 2**63 - 1)


@given(st.lists(EVENTS, min_size=1), EVENTS)
def test_the_next_goes_on_after_what_was_kept_but_never_after_what_there_is(
    tmp_path_factory: pytest.TempPathFactory, kept: list[int], last: int
):
    path = str(tmp_path_factory.mktemp("state") / "seq")
    cursor = Cursor(path, last)
    assert cursor.seq == last, "nothing is kept yet"
    for seq in kept:
        cursor.keep(seq)
    assert cursor.seq == kept[-1]
    assert Cursor(path, last).seq == min(kept[-1], last)


@pytest.mark.parametrize("kept", [b"", b"7", b"-" * 21, b"9" * 40, b"\xff\x00"])
def test_what_is_damaged_is_as_nothing(tmp_path: Path, kept: bytes):
    (tmp_path / "seq").write_bytes(kept)
    assert Cursor(str(tmp_path / "seq"), 12).seq == 12


def test_where_it_cannot_be_kept_it_goes_on(tmp_path: Path):
    cursor = Cursor(str(tmp_path / "none" / "seq"), 3)
    cursor.keep(5)
    assert cursor.seq == 5
