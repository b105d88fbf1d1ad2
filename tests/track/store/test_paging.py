"""Pages: all of a list, each row once, in order, whatever is added while somebody reads."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from hpcshell.core.errors import Wrong
from hpcshell.track.records import Run
from hpcshell.track.store import experiments, runs
from hpcshell.track.store.configs import value_of
from hpcshell.track.store.paging import Wanted
from hpcshell.track.store.runs import NewRun
from hpcshell.track.store.store import Store
from tests.track.store.made import NOW, experiment, measured, run

SORTS = (
    "created_at",
    "-created_at",
    "name",
    "-name",
    "started_at",
    "-ended_at",
    "experiment",
    "-experiment",
    "metrics.a",
    "-metrics.a",
    "params.a",
    "-params.a",
    "tags.a",
    "-tags.a",
    "job.user",
    "-job.user",
    "metrics.none",
)
_row = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["", "a", "b", "é", "Z"]),
        "started_at": st.sampled_from([None, 1.0, 2.0]),
        "metric": st.sampled_from([None, "nan", 0.0, 1.0, 2.0, float("inf"), float("-inf")]),
        "param": st.sampled_from([None, "1", "10", "9", "x", "Y", "", "z" * 150]),
        "tag": st.sampled_from([None, "a", "B", "y" * 150]),
    }
)


def make(connection: Connection, number: int, row: dict[str, Any]) -> str:
    """A run with these values, and its id."""
    new = NewRun(
        experiment_id=number,
        name=row["name"],
        started_at=row["started_at"],
        status="PENDING",
        params={} if row["param"] is None else {"a": row["param"]},
        tags={} if row["tag"] is None else {"a": row["tag"]},
    )
    id = runs.create(connection, new, NOW).run_id
    if row["metric"] is not None:
        measured(connection, id, {"a": None if row["metric"] == "nan" else row["metric"]})
    return id


def made(store: Store, number: int, rows: list[dict[str, Any]]) -> list[str]:
    """Several."""
    return store.change(lambda connection: [make(connection, number, row) for row in rows])


def page(store: Store, **wanted: Any) -> Any:
    with store.reading() as connection:
        return runs.page(connection, Wanted(**wanted))


def key(found: Run, sort: str) -> Any:
    """What a run is sorted by; `None`: it has none, and comes last."""
    space, _, name = sort.removeprefix("-").rpartition(".")
    if space == "metrics":
        last = found.metrics[name].last if name in found.metrics else "NaN"
        return None if last == "NaN" else float(last)
    if space == "job":
        return None
    if space:
        text = getattr(found, space).get(name)
        if text is None:
            return None
        number = value_of(text) if space == "params" else None
        return (0, number, b"") if number is not None else (1, 0.0, text[:100].encode())
    value = getattr(found, name)
    return value.encode() if isinstance(value, str) else value


def in_order(rows: list[Run], sort: str) -> list[Run]:
    """The runs, which are given as they were made, as the list should have them."""
    down = sort.startswith("-")
    numbered = list(enumerate(rows))
    if sort.endswith("created_at"):
        return rows[::-1] if down else rows
    if sort.endswith("params.a"):
        return _by_kind(numbered, sort, down)
    having = [each for each in numbered if key(each[1], sort) is not None]
    having.sort(key=lambda each: (key(each[1], sort), each[0]), reverse=down)
    without = [each for each in numbered if key(each[1], sort) is None]
    return [row for _, row in having + (without[::-1] if down else without)]


def _by_kind(numbered: list[tuple[int, Run]], sort: str, down: bool) -> list[Run]:
    """Numbers before texts, both ways."""
    kinds: dict[Any, list[tuple[Any, int, Run]]] = {0: [], 1: [], 2: []}
    for number, row in numbered:
        value = key(row, sort)
        kinds[2 if value is None else value[0]].append((value, number, row))
    found = []
    for each in kinds.values():
        found += sorted(each, key=lambda one: (one[0] or (), one[1]), reverse=down)
    return [row for *_, row in found]


def test_a_walk_meets_each_row_once_in_order(store: Store) -> None:
    numbers = iter(range(1_000_000))

    @given(st.lists(_row, max_size=7), st.sampled_from(SORTS), st.integers(1, 3))
    def law(rows: list[dict[str, Any]], sort: str, limit: int) -> None:
        number = experiment(store, f"e{next(numbers)}")
        made(store, number, rows)
        fresh = [row.run_id for row in in_order(_as_made(store, number), sort)]
        met: list[str] = []
        cursor = None
        while True:
            answer = page(store, experiments=(number,), sort=sort, limit=limit, cursor=cursor)
            assert len(answer.rows) <= limit
            met += [row.run_id for row in answer.rows]
            if (cursor := answer.next) is None:
                break
        assert met == fresh

    law()


def _as_made(store: Store, number: int) -> list[Run]:
    """The runs of an experiment, the first first."""
    rows: list[Run] = page(store, experiments=(number,), sort="created_at", limit=1000).rows
    return rows


@pytest.mark.parametrize("sort", SORTS)
def test_what_is_added_meanwhile_neither_hides_nor_repeats_a_row(store: Store, sort: str) -> None:
    number = experiment(store)
    row = {"name": "m", "started_at": 1.5, "metric": 0.5, "param": "5", "tag": "m"}
    there = set(made(store, number, [row | {"metric": each / 3} for each in range(9)]))
    met: list[str] = []
    cursor = None
    for turn in range(100):
        answer = page(store, sort=sort, limit=2, cursor=cursor)
        met += [each.run_id for each in answer.rows]
        if (cursor := answer.next) is None:
            break
        if turn < 6:
            sign = -1 if turn % 2 else 1
            name = "a" if turn % 2 else "z"
            made(store, number, [row | {"metric": 9.0 * sign, "name": name}])

    assert len(met) == len(set(met))
    assert there <= set(met)


def test_a_page_says_whether_there_is_another(store: Store) -> None:
    number = experiment(store)
    for _ in range(4):
        run(store, number)

    assert page(store, limit=4).next is None
    first = page(store, limit=2)
    assert page(store, limit=2, cursor=first.next).next is None


def test_experiments_are_paged_too(store: Store) -> None:
    for name in "cab":
        experiment(store, name)
    met, cursor = [], None
    while True:
        with store.reading() as connection:
            answer = experiments.page(connection, Wanted(sort="-name", limit=1, cursor=cursor))
        met += [row.name for row in answer.rows]
        if (cursor := answer.next) is None:
            break

    assert met == ["c", "b", "a"]


def test_deleted_ones_are_listed_apart(store: Store) -> None:
    number = experiment(store)
    kept, gone = run(store, number).run_id, run(store, number).run_id
    store.change(lambda c: runs.delete(c, gone, 1.0))

    for deleted, found in (("live", [kept]), ("deleted", [gone]), ("all", [gone, kept])):
        assert [row.run_id for row in page(store, deleted=deleted).rows] == found


# ---------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("limit", [0, -1, 1001, 10**9, 2**63])
def test_a_limit_that_is_none_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(Wrong, match="limit"):
        page(store, limit=limit)


@pytest.mark.parametrize(
    "sort", ["stats", "metrics.", "metrics", "a; DROP TABLE runs", "--name", "", "job.x", "x.y.z"]
)
def test_a_column_that_is_none_is_refused(store: Store, sort: str) -> None:
    with pytest.raises(Wrong) as told:
        page(store, sort=sort)
    assert told.value.hint


def test_a_column_that_is_nearly_one_is_named(store: Store) -> None:
    with pytest.raises(Wrong) as told:
        page(store, sort="-start_at")
    assert told.value.hint == "did you mean started_at?"


def test_a_column_that_is_none_may_be_that_of_something_else(store: Store) -> None:
    with pytest.raises(Wrong) as told:
        page(store, sort="loss")
    assert "metrics.loss, params.loss, tags.loss, job.COLUMN" in str(told.value.hint)


def test_a_cursor_that_was_tampered_with_is_refused(store: Store) -> None:
    number = experiment(store)
    for _ in range(3):
        run(store, number)
    cursor = page(store, limit=1).next
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    @given(st.integers(0, len(raw) - 1), st.integers(1, 255))
    def law(at: int, change: int) -> None:
        forged = raw[:at] + bytes([raw[at] ^ change]) + raw[at + 1 :]
        with pytest.raises(Wrong, match="none of ours"):
            page(store, limit=1, cursor=base64.urlsafe_b64encode(forged).decode().rstrip("="))

    law()


@pytest.mark.parametrize(
    "cursor", ["x", "AAAA", "é", "%00", "A" * 100_000, "../..", "\x00", "====="]
)
def test_what_is_no_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(Wrong, match="none of ours"):
        page(store, cursor=cursor)


def test_a_cursor_of_another_list_is_refused(store: Store) -> None:
    number = experiment(store)
    for _ in range(3):
        run(store, number)
    cursor = page(store, limit=1).next

    with pytest.raises(Wrong, match="another list"):
        page(store, limit=1, cursor=cursor, sort="name")
    with pytest.raises(Wrong, match="another list"):
        page(store, limit=1, cursor=cursor, filter="name = 'x'")
    with store.reading() as connection, pytest.raises(Wrong, match="another list"):
        experiments.page(connection, Wanted(cursor=cursor))


def test_a_cursor_of_another_database_is_refused(store: Store, tmp_path: Any) -> None:
    from sqlalchemy import make_url

    from hpcshell.track.store.opening import open_store

    number = experiment(store)
    for _ in range(2):
        run(store, number)
    cursor = page(store, limit=1).next

    url = make_url(f"sqlite:///{tmp_path}/other.db")
    with open_store(url) as other, pytest.raises(Wrong, match="none of ours"):
        page(other, limit=1, cursor=cursor)
