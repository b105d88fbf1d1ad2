"""What is exported can be read back, by spreadsheets without running it."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.cells import FORMULA
from hpcshell.core.errors import Broken, Wrong
from hpcshell.flow.results.points import Point
from hpcshell.flow.results.table import Table, tabulated
from hpcshell.sweeps.exporting import FORMS, encoded, export

text = st.text(st.characters(codec="utf-8"))
cells = st.sampled_from(
    [
        st.integers(-(1 << 63), (1 << 63) - 1),
        st.floats(),
        st.booleans(),
        text,
    ]
)
names = st.text("abc=+-@,\"'\n\t ", max_size=4)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables whose columns are each of one kind, with gaps."""
    kinds = draw(st.dictionaries(names, cells, max_size=4))
    rows = draw(st.lists(st.fixed_dictionaries({}, optional=kinds)))
    return tabulated(
        [Point(index=at, id=str(at), params=row, state="COMPLETED") for at, row in enumerate(rows)]
    )


def rows(table: Table) -> list[dict[str, Any]]:
    """What the cells hold, below their names; told so that NaN equals itself."""
    return [
        {name: repr(cell) for name, cell in zip(table.names, row, strict=True)}
        for row in table.rows
    ]


@given(tables())
def test_parquet_reads_back_as_it_was(table: Table) -> None:
    found = pyarrow.parquet.read_table(io.BytesIO(encoded(table, "parquet")))
    assert tuple(found.column_names) == table.names
    back = [{name: repr(cell) for name, cell in row.items()} for row in found.to_pylist()]
    assert back == (rows(table) if table.rows else [])


@given(tables())
def test_json_reads_back_as_it_was_but_for_what_it_has_no_word_for(table: Table) -> None:
    found = json.loads(encoded(table, "json"), parse_constant=pytest.fail)
    for back, row in zip(found, table.rows, strict=True):
        for name, cell in zip(table.names, row, strict=True):
            finite = not isinstance(cell, float) or math.isfinite(cell)
            assert repr(back.get(name)) == repr(cell if finite else None)


@given(tables())
def test_csv_reads_back_as_it_was_but_for_marks_before_formulas(table: Table) -> None:
    head, *found = csv.reader(io.StringIO(encoded(table, "csv").decode(), newline=""))
    assert [unmarked(name) for name in head] == list(table.names)
    for back, row in zip(found, table.rows, strict=True):
        for word, cell in zip(back, row, strict=True):
            if isinstance(cell, str):
                assert unmarked(word) == cell
            elif isinstance(cell, float):
                assert repr(float(word)) == repr(cell)
            else:
                said = "" if cell is None else str(cell)
                assert word == (said.lower() if isinstance(cell, bool) else said)


@given(tables())
def test_no_text_in_csv_is_a_formula(table: Table) -> None:
    head, *found = csv.reader(io.StringIO(encoded(table, "csv").decode(), newline=""))
    assert not any(name.startswith(FORMULA) for name in head)
    for back, row in zip(found, table.rows, strict=True):
        for word, cell in zip(back, row, strict=True):
            assert not (isinstance(cell, str) and word.startswith(FORMULA))


def unmarked(word: str) -> str:
    """The text as it was, without the mark of a spreadsheet's text."""
    return word[1:] if word.startswith("'") and word.lstrip("'").startswith(FORMULA) else word


def one(**params: Any) -> Table:
    """A table of one point."""
    return tabulated([Point(index=0, id="x", params=params, state="COMPLETED")])


def cell(table: Table, name: str) -> str:
    """What CSV says below a name."""
    [row] = csv.DictReader(io.StringIO(encoded(table, "csv").decode(), newline=""))
    return row[name]


@pytest.mark.parametrize("hostile", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_in_a_parameter_is_marked_as_text(hostile: str) -> None:
    assert cell(one(a=hostile), "a") == f"'{hostile}"
    assert cell(one(**{hostile: 7}), f"'{hostile}") == "7"


def test_a_negative_number_is_no_formula() -> None:
    assert cell(one(a=-1.5), "a") == "-1.5"


def test_values_that_have_parts_are_written_as_json() -> None:
    assert cell(one(a=[1, {"b": "ü"}]), "a") == '[1,{"b":"ü"}]'
    [row] = json.loads(encoded(one(a=[1, {"b": "ü"}]), "json"))
    assert row["a"] == [1, {"b": "ü"}]


@pytest.mark.parametrize("form", FORMS)
def test_lone_surrogates_and_huge_numbers_do_no_harm(form: str) -> None:
    assert encoded(one(a="\ud800", b=10**400, c=[math.nan, "\udc80"], **{"\ud800": 1}), form)


def test_a_parquet_column_of_mixed_values_is_text() -> None:
    points = [
        Point(index=at, id=str(at), params={"a": value, "b": number}, state="COMPLETED")
        for at, (value, number) in enumerate([(1, 1), ("x", 2.5), ([1], 3)])
    ]
    found = pyarrow.parquet.read_table(io.BytesIO(encoded(tabulated(points), "parquet")))
    assert found["a"].to_pylist() == ["1", "x", "[1]"]
    assert found["b"].to_pylist() == [1.0, 2.5, 3.0]


def test_the_ending_says_the_form(tmp_path: Path) -> None:
    export(one(a=1), str(tmp_path / "x.json"))
    assert json.loads((tmp_path / "x.json").read_text())[0]["a"] == 1
    export(one(a=1), str(tmp_path / "x.dat"), "csv")
    assert (tmp_path / "x.dat").read_text().startswith("index,id,")
    with pytest.raises(Wrong, match=r"end it in \.csv, \.json, \.parquet"):
        export(one(a=1), str(tmp_path / "x.dat"))
    with pytest.raises(Wrong, match="'xls' is no form"):
        encoded(one(a=1), "xls")


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    target.write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    export(one(a=1), str(link))
    assert target.read_text().startswith("index,")
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.csv", "x.csv"]


def test_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="cannot be written: No such file"):
        export(one(a=1), str(tmp_path / "no" / "x.csv"))
    with pytest.raises(Broken, match="cannot be written: Is a directory"):
        export(one(a=1), str(tmp_path), "csv")


def test_a_dash_is_the_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    export(one(a=1), "-", "json")
    assert json.loads(capfdbinary.readouterr().out)[0]["a"] == 1


def test_parquet_without_its_library_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from hpcshell.core.errors import Refused\n"
        "from hpcshell.flow.results.table import tabulated\n"
        "from hpcshell.sweeps.exporting import encoded, export\n"
        "try:\n    export(tabulated([]), 'x.parquet')\n"
        "except Refused as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        env=dict(os.environ),
    )  # fmt: skip
    assert 'pip install "hpcshell[parquet]"' in done.stdout
    assert list(tmp_path.iterdir()) == []
