"""Every value of every point is in one cell, below a name that no other column has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpcshell.flow.results.points import Point
from hpcshell.flow.results.table import FIRST, tabulated

names = st.sampled_from(
    ["lr", "id", "note", "params.lr", "metrics.lr", "loss", "metrics.loss", "state"]
)
named = st.dictionaries(names, st.integers())


@given(st.lists(st.tuples(named, named)))
def test_nothing_is_lost_and_no_two_columns_share_a_name(
    found: list[tuple[dict[str, int], dict[str, int]]],
) -> None:
    table = tabulated(
        [
            Point(index=at, id=str(at), params=params, state="COMPLETED", metrics=metrics)
            for at, (params, metrics) in enumerate(found)
        ]
    )
    assert len(set(table.names)) == len(table.columns)
    assert table.names[: len(FIRST)] == FIRST
    for (params, metrics), row in zip(found, table.rows, strict=True):
        for kind, values in (("param", params), ("metric", metrics)):
            cells = {
                column.key: cell
                for column, cell in zip(table.columns, row, strict=True)
                if column.kind == kind and cell is not None
            }
            assert cells == values


def test_names_have_a_prefix_only_where_they_need_it() -> None:
    point = Point(
        index=0, id="x", params={"lr": 1, "n": 2, "id": 3}, state="COMPLETED",
        metrics={"lr": 4, "loss": 5}, note="!",
    )  # fmt: skip
    table = tabulated([point])
    assert table.names[len(FIRST) :] == (
        "params.lr", "n", "params.id", "metrics.lr", "loss", "note",
    )  # fmt: skip
    assert table.column("metrics.lr") == [4]
    assert table.column("note") == ["!"]
