"""Tables: aligned, cut to a window, whole in a pipe."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.cli import table as table_module
from hpcshell.cli.table import Column, cells_wide, cut, table
from hpcshell.cli.talk import Talk

COLUMNS = (Column("ID", right=True), Column("NAME", elastic=True), Column("STATE", state=True))


def test_columns_are_as_wide_as_their_widest_cell():
    lines = table(Talk(), COLUMNS, [["1", "a", "RUNNING"], ["100", "long name", "FAILED"]])
    assert lines == [
        " ID  NAME       STATE",
        "  1  a          RUNNING",
        "100  long name  FAILED",
    ]


def test_only_elastic_columns_give_way_to_a_narrow_window(monkeypatch):
    monkeypatch.setattr(table_module, "terminal_width", lambda: 30)
    lines = table(Talk(), COLUMNS, [["1", "x" * 50, "RUNNING"]])
    assert lines[1] == " 1  xxxxxxxxxxxxxxxx…  RUNNING"
    assert all(len(line) <= 30 for line in lines)


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("日本", 4), ("é", 1), ("", 0)])
def test_width_is_counted_in_columns_of_the_terminal(text, width):
    assert cells_wide(text) == width


def test_what_is_cut_ends_with_an_ellipsis_and_fits():
    assert cut("abcdef", 4) == "abc…"
    assert cut("日本語", 5) == "日本…"
    assert cut("abc", 3) == "abc"


def test_states_are_coloured_without_moving_the_columns():
    talk = Talk(color="always")
    lines = table(talk, COLUMNS, [["1", "a", "RUNNING"]])
    assert lines[1] == " 1  a     \x1b[32mRUNNING\x1b[0m"


CELLS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12)
ROWS = st.lists(st.tuples(CELLS, CELLS, st.sampled_from(["RUNNING", "FAILED", "x"])))


@given(ROWS | st.lists(st.tuples(st.text("aé日", max_size=5), CELLS, CELLS)))
def test_colour_makes_no_difference_to_what_is_printed(rows):
    painted = table(Talk(color="always"), COLUMNS, rows)
    plain = table(Talk(color="never"), COLUMNS, rows)
    assert [re.sub("\x1b\\[[0-9]*m", "", line).rstrip() for line in painted] == plain
